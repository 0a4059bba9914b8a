"""Model: views, files, pickles, models from elsewhere."""

from __future__ import annotations

import copy
import errno
import gc
import os
import pickle
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import forebay
from conftest import Floats
from forebay import _core


def test_views_are_not_copies(model: forebay.Model) -> None:
    for first, second, shape in [
        (model.centroids, model.centroids, (16, 16)),
        (model.codebook, model.codebook, (8, 256, 2)),
    ]:
        assert first.ctypes.data == second.ctypes.data
        assert first.shape == shape
        assert first.dtype == np.float32
        assert first.flags.c_contiguous
        assert not first.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            first[...] = 0


def test_view_outlives_model(model: forebay.Model) -> None:
    twin = pickle.loads(pickle.dumps(model))
    centroids = twin.centroids
    del twin
    gc.collect()
    np.testing.assert_array_equal(centroids, model.centroids)


def test_file(model: forebay.Model, tmp_path: Path) -> None:
    path = tmp_path / "ä model"
    for form in (path, str(path)):
        model.save(form)
        loaded = forebay.Model.load(form)
        assert loaded == model
        np.testing.assert_array_equal(loaded.codebook, model.codebook)


def test_bad_files(model: forebay.Model, tmp_path: Path) -> None:
    with pytest.raises(forebay.FileError, match="nowhere") as caught:
        forebay.Model.load(tmp_path / "nowhere")
    assert isinstance(caught.value, OSError)
    with pytest.raises(forebay.FileError, match="nowhere"):
        model.save(tmp_path / "nowhere" / "model")
    path = tmp_path / "model"
    model.save(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(forebay.CorruptionError, match="codewords"):
        forebay.Model.load(path)
    with pytest.raises(forebay.InvalidTypeError, match=r"str or os\.PathLike; got 3"):
        forebay.Model.load(3)  # type: ignore[arg-type]
    with pytest.raises(forebay.InvalidArgumentError, match="NUL"):
        forebay.Model.load("a\0b")
    with pytest.raises(forebay.InvalidArgumentError, match="encoded"):
        forebay.Model.load("\ud800")


def test_missing_file(tmp_path: Path, model: forebay.Model) -> None:
    """The exception that a caller of open() would expect, with what it would say of itself."""
    path = tmp_path / os.fsdecode(b"caf\xe9") / "model"  # No UTF-8, as old file systems have it.
    for call in (forebay.Model.load, model.save):
        with pytest.raises(FileNotFoundError) as caught:
            call(path)
        assert isinstance(caught.value, forebay.FileError)
        assert caught.value.errno == errno.ENOENT
        assert caught.value.filename == str(path)
        assert str(path) in str(caught.value)
        assert "No such file or directory" in str(caught.value)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), again.errno, again.filename, str(again)) == (
            forebay.MissingFileError,
            errno.ENOENT,
            str(path),
            str(caught.value),
        )
    with pytest.raises(forebay.FileError) as directory:
        forebay.Model.load(tmp_path)
    assert directory.value.errno == errno.EISDIR


class Named(forebay.Model):
    """A subclass, as users may make one."""


def test_subclasses_are_pickled_as_such(model: forebay.Model) -> None:
    named = pickle.loads(pickle.dumps(Named(model._native)))  # noqa: SLF001
    assert type(named) is Named
    assert named == model


def test_weak_references(model: forebay.Model) -> None:
    index = forebay.Index(model)
    assert weakref.ref(index)() is index
    assert weakref.ref(index.model)() is model


def test_pickle_and_copy(model: forebay.Model) -> None:
    assert pickle.loads(pickle.dumps(model)) == model
    assert copy.copy(model) is model
    assert copy.deepcopy([model])[0] is model
    with pytest.raises(forebay.CorruptionError):
        _core.Model.parse(b"no model")


def test_equality_and_repr(model: forebay.Model, vectors: Floats) -> None:
    other = forebay.train(vectors, num_partitions=4, max_iters=1, pq_max_iters=1)
    assert model != other
    assert model != "model"
    assert len({model, pickle.loads(pickle.dumps(model)), other}) == 2
    assert repr(model) == (
        "Model(metric='l2', dim=16, num_partitions=16, num_sub_vectors=8, num_bits=8, "
        f"residual=True, fingerprint=0x{model.fingerprint:016x})"
    )


def test_from_arrays(model: forebay.Model) -> None:
    same = forebay.Model.from_arrays(model.centroids, model.codebook)
    assert same == model
    raw = forebay.Model.from_arrays(
        model.centroids.astype(np.float64), model.codebook.tolist(), residual=False
    )
    assert not raw.residual
    assert raw != model
    np.testing.assert_array_equal(raw.codebook, model.codebook)
    dot = forebay.Model.from_arrays(model.centroids, model.codebook, metric="dot")
    assert (dot.metric, dot.residual) == ("dot", False)
    four_bits = forebay.Model.from_arrays(model.centroids, model.codebook[:, :16].copy())
    assert (four_bits.num_bits, four_bits.code_len) == (4, 4)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"centroids": np.zeros(16, np.float32)}, ValueError, r"2-D; got float32\[16\]"),
        ({"centroids": np.zeros((0, 16), np.float32)}, ValueError, "centroid"),
        ({"centroids": np.full((2, 16), np.inf, np.float32)}, ValueError, "infinite"),
        ({"centroids": np.zeros((2, 16), np.int32)}, TypeError, r"got int32\[2, 16\]"),
        ({"centroids": np.zeros((2, 12), np.float32)}, ValueError, r"codebook \[8, 256, 2\] must"),
        ({"codebook": np.zeros((8, 512), np.float32)}, ValueError, r"3-D; got float32\[8, 512\]"),
        ({"codebook": np.zeros((8, 32, 2), np.float32)}, ValueError, r"got \[8, 32, 2\]"),
        ({"codebook": np.zeros((1, 16, 16), np.float32)}, ValueError, "even"),
        ({"codebook": np.full((8, 256, 2), np.nan, np.float32)}, ValueError, "NaN"),
        ({"metric": "dot", "residual": True}, ValueError, "residual"),
        ({"metric": "hamming"}, ValueError, "one of l2, cosine, dot"),
    ],
)
def test_bad_arrays(
    model: forebay.Model, change: dict[str, Any], error: type[Exception], says: str
) -> None:
    arguments = {"centroids": model.centroids, "codebook": model.codebook, **change}
    with pytest.raises(forebay.Error, match=says) as caught:
        forebay.Model.from_arrays(**arguments)
    assert isinstance(caught.value, error)


def test_no_constructor() -> None:
    with pytest.raises(forebay.InvalidTypeError, match=r"forebay\.train"):
        forebay.Model("path")  # type: ignore[arg-type]
