"""Index files: saved, opened read only, searched as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import forebay
from conftest import Floats


@pytest.fixture
def path(tmp_path: Path, index: forebay.Index) -> Path:
    index.save(tmp_path / "words.index")
    return tmp_path / "words.index"


def test_answers_as_the_index_that_was_saved(
    path: Path, index: forebay.Index, queries: Floats
) -> None:
    opened = forebay.Index.open(path)
    assert len(opened) == len(index)
    assert opened.read_only
    assert not index.read_only
    assert opened.model.fingerprint == index.model.fingerprint
    for options in ({}, {"nprobes": 3, "filter": np.arange(0, 3000, 3)}, {"max_row_position": 9}):
        for got, expected in zip(
            opened.search(queries, **options), index.search(queries, **options), strict=True
        ):
            np.testing.assert_array_equal(got, expected)
    assert opened.to_partition_batches() == index.to_partition_batches()
    assert opened.memory_usage().codes == 0


def test_re_ranks_by_the_vectors_that_are_given(
    path: Path, index: forebay.Index, vectors: Floats, queries: Floats, tmp_path: Path
) -> None:
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    for given in (vectors, mapped, vectors.astype(np.float64)):
        opened = forebay.Index.open(path, vectors=given)
        assert opened.keep_vectors
        for got, expected in zip(
            opened.search(queries, refine_factor=4),
            index.search(queries, refine_factor=4),
            strict=True,
        ):
            np.testing.assert_array_equal(got, expected)


def test_the_given_vectors_live_as_long_as_the_index(
    path: Path, vectors: Floats, queries: Floats
) -> None:
    opened = forebay.Index.open(path, vectors=vectors.copy())
    expected = opened.search(queries, refine_factor=2)
    for _ in range(10):
        vectors.copy()  # Where the other copy was, if it were gone.
    np.testing.assert_array_equal(opened.search(queries, refine_factor=2)[0], expected[0])


def test_the_vectors_must_be_the_rows(path: Path, vectors: Floats) -> None:
    with pytest.raises(forebay.InvalidArgumentError, match=r"\[3000, 16\]; got \[2999, 16\]"):
        forebay.Index.open(path, vectors=vectors[:-1])
    with pytest.raises(forebay.InvalidArgumentError, match=r"got \[3000, 8\]"):
        forebay.Index.open(path, vectors=vectors[:, :8].copy())
    with pytest.raises(forebay.InvalidTypeError, match="float32"):
        forebay.Index.open(path, vectors=np.zeros((3000, 16), np.int32))


def test_re_ranking_needs_vectors(path: Path, queries: Floats) -> None:
    opened = forebay.Index.open(path)
    assert not opened.keep_vectors
    with pytest.raises(forebay.InvalidArgumentError, match="open it with vectors="):
        opened.search(queries, refine_factor=2)


def test_is_read_only(path: Path, vectors: Floats) -> None:
    opened = forebay.Index.open(path)
    with pytest.raises(forebay.FailedPreconditionError, match="read only"):
        opened.insert(vectors)
    with pytest.raises(forebay.FailedPreconditionError, match="read only"):
        opened.insert_batches([vectors])
    assert len(opened) == len(vectors)
    assert "read_only=True" in repr(opened)


def test_an_opened_index_can_be_saved(path: Path, tmp_path: Path) -> None:
    forebay.Index.open(path).save(tmp_path / "again.index")
    assert (tmp_path / "again.index").read_bytes() == path.read_bytes()


def test_an_opened_index_outlives_its_file(
    path: Path, model: forebay.Model, queries: Floats
) -> None:
    opened = forebay.Index.open(path)
    expected = opened.search(queries)
    forebay.Index(model).save(path)
    assert len(forebay.Index.open(path)) == 0
    path.unlink()
    np.testing.assert_array_equal(opened.search(queries)[1], expected[1])


def test_bad_files(path: Path, tmp_path: Path, model: forebay.Model) -> None:
    with pytest.raises(forebay.MissingFileError, match="none"):
        forebay.Index.open(tmp_path / "none")
    with pytest.raises(forebay.FileError):
        forebay.Index.open(tmp_path)
    model.save(tmp_path / "model")
    with pytest.raises(forebay.CorruptionError, match="not a Forebay index"):
        forebay.Index.open(tmp_path / "model")
    damaged = bytearray(path.read_bytes())
    damaged[-100] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(forebay.CorruptionError, match=r"words\.index.*blocks were altered"):
        forebay.Index.open(path)
    with pytest.raises(forebay.FileError):
        forebay.Index(model).save(tmp_path / "no" / "folder")
