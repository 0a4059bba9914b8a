"""Index.insert and what can be read out of an index."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import forebay
from conftest import Floats


def contents(index: forebay.Index) -> dict[int, bytes]:
    """Row position to partition and code."""
    return {
        int(position): bytes([p]) + code.tobytes()
        for p in range(index.model.num_partitions)
        for position, code in zip(*index.partition(p), strict=True)
    }


def test_positions(model: forebay.Model, vectors: Floats) -> None:
    index = forebay.Index(model)
    assert index.insert(vectors[:3]) == forebay.InsertReport(3, 0, 0, 0)
    index.insert(vectors[3:5], 100)
    index.insert(vectors[5:7])  # On from the greatest.
    index.insert(vectors[7:9], [50, 60])
    index.insert(vectors[9:10])
    index.insert(vectors[10:11], row_positions=np.array([2**63 - 1], dtype=np.uint64))
    expected = [0, 1, 2, 50, 60, 100, 101, 102, 103, 104, 2**63 - 1]
    assert sorted(contents(index)) == expected
    assert len(index) == len(expected)
    # Nothing comes after the greatest position; it must be given.
    with pytest.raises(forebay.InvalidArgumentError, match=r"2\^63 - 1"):
        index.insert(vectors[11:12])
    index.insert(vectors[11:12], 7)


def test_arrays_of_a_file(model: forebay.Model, vectors: Floats, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", vectors[:20])
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    index, expected = forebay.Index(model), forebay.Index(model)
    for i in range(20):
        assert index.insert(mapped[i : i + 1]).num_inserted == 1
        expected.insert(vectors[i : i + 1])
    assert contents(index) == contents(expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64", ">i4"])
def test_position_dtypes(model: forebay.Model, vectors: Floats, dtype: str) -> None:
    index = forebay.Index(model)
    index.insert(vectors[:3], np.array([5, 4, 9, 3, 7, 2], dtype=dtype)[::2])
    assert sorted(contents(index)) == [5, 7, 9]
    index.insert(vectors[:2], pa.array([20, 30]))
    index.insert(vectors[:2], pa.chunked_array([[21], [31]]))
    index.insert(vectors[:1], np.int16(40))
    assert sorted(contents(index)) == [5, 7, 9, 20, 21, 30, 31, 40]


def test_replay_changes_nothing(index: forebay.Index, vectors: Floats) -> None:
    before = contents(index)
    report = index.insert(vectors[::-1].copy(), 0)
    assert report == forebay.InsertReport(0, 3000, 0, 0)
    assert contents(index) == before
    assert index.stats().num_skipped == 3000


def test_batches(model: forebay.Model, vectors: Floats, index: forebay.Index) -> None:
    batched = forebay.Index(model)
    report = batched.insert_batches(
        (rows for rows in (vectors[:1000], vectors[1000:1000], vectors[1000:])), num_threads=2
    )
    assert report.num_inserted == 3000
    assert contents(batched) == contents(index)
    placed = forebay.Index(model)
    placed.insert_batches(
        [vectors[:10], vectors[10:12], vectors[12:14]], [50, None, np.array([7, 3])]
    )
    assert sorted(contents(placed)) == [3, 7, *range(50, 62)]
    assert placed.insert_batches([]) == forebay.InsertReport(0, 0, 0, 0)


def test_batches_are_all_or_nothing(model: forebay.Model, vectors: Floats) -> None:
    index = forebay.Index(model)
    bad = vectors[10:20].copy()
    bad[4, 4] = np.inf
    with pytest.raises(forebay.InvalidArgumentError, match=r"row 4 .* infinite"):
        index.insert_batches([vectors[:10], bad])
    assert len(index) == 0
    index.insert(vectors[:1])
    assert sorted(contents(index)) == [0]  # The failed insert used no positions up.


@pytest.mark.parametrize("mode", ["drop", "fill"])
def test_bad_vectors(model: forebay.Model, vectors: Floats, mode: Any) -> None:
    rows = vectors[:6].copy()
    rows[1, 0] = np.nan
    rows[3, 5] = -np.inf
    rows[4] = 1e30
    index = forebay.Index(model, on_bad_vectors=mode, fill_value=0.5)
    report = index.insert(rows)
    everything: dict[str, Any] = {"nprobes": 16, "refine_factor": 10}
    filled = np.full(16, 0.5, dtype=np.float32)
    distances, positions = index.search(filled, 6, **everything)
    if mode == "drop":
        assert report == forebay.InsertReport(3, 0, 3, 0)
        assert sorted(positions[0].tolist()) == [-1, -1, -1, 0, 2, 5]
        assert index.stats().num_dropped == 3
    else:
        assert report == forebay.InsertReport(6, 0, 0, 3)
        assert positions[0, :3].tolist() == [1, 3, 4]
        np.testing.assert_array_equal(distances[0, :3], 0)
        assert index.stats().num_filled == 3
    for i in (0, 2, 5):  # Each row has its own raw vector, whatever was dropped before it.
        distances, positions = index.search(rows[i], 1, **everything)
        assert (positions[0, 0], distances[0, 0]) == (i, 0)
    index.insert(vectors[6:7])
    assert max(contents(index)) == 6


def test_kept_vectors_grow(model: forebay.Model, vectors: Floats) -> None:
    """Every row finds itself at distance 0, over many chunks of the store."""
    index = forebay.Index(model)
    for i in range(0, 3000, 7):
        index.insert(vectors[i : i + 7])
    distances, positions = index.search(vectors, 1, nprobes=16, refine_factor=100)
    np.testing.assert_array_equal(distances, 0)
    np.testing.assert_array_equal(positions[:, 0], np.arange(3000))
    assert index.memory_usage().vectors >= vectors.nbytes


def test_without_vectors(model: forebay.Model, vectors: Floats) -> None:
    index = forebay.Index(model, keep_vectors=False)
    index.insert(vectors)
    assert index.memory_usage().vectors == 0
    index.search(vectors[:1])
    with pytest.raises(forebay.InvalidArgumentError, match="keep_vectors=True"):
        index.search(vectors[:1], refine_factor=2)


def test_partition_batches(index: forebay.Index) -> None:
    batches = index.to_partition_batches()
    assert [p for p, _ in batches] == [p for p in range(16) if len(index.partition(p)[0])]
    for p, batch in batches:
        positions, codes = index.partition(p)
        assert batch.schema == pa.schema(
            [
                pa.field("_rowid", pa.uint64(), nullable=False),
                pa.field(
                    "__pq_code",
                    pa.list_(pa.field("item", pa.uint8(), nullable=False), 8),
                    nullable=False,
                ),
            ]
        )
        np.testing.assert_array_equal(batch["_rowid"], positions)
        np.testing.assert_array_equal(batch["__pq_code"].flatten(), codes.ravel())
    for (p, batch), (q, reverse) in zip(
        batches, index.to_partition_batches_reversed(5000), strict=True
    ):
        assert p == q
        np.testing.assert_array_equal(
            reverse["_rowid"].to_numpy(), 4999 - batch["_rowid"].to_numpy()
        )
    with pytest.raises(forebay.InvalidArgumentError, match="total_rows"):
        index.to_partition_batches_reversed(2999)


def test_sizes(index: forebay.Index, queries: Floats) -> None:
    usage = index.memory_usage()
    assert usage.total == sum(getattr(usage, name) for name in usage.__slots__)
    assert usage.codes >= 3000 * 8
    index.search(queries, 5, nprobes=3, refine_factor=2)
    stats = index.stats()
    assert (stats.num_rows, stats.num_partitions, stats.num_queries) == (3000, 16, 20)
    assert stats.num_probed_partitions == 60
    assert stats.num_reranked == 200
    assert stats.num_eligible >= stats.num_evaluated >= stats.num_reranked
    assert stats.largest_partition == max(len(index.partition(p)[0]) for p in range(16))
    assert stats.num_empty_partitions == 0
    assert repr(index).startswith(
        "Index(3,000 rows, metric='l2', dim=16, num_partitions=16, code_len=8, keep_vectors=True, "
        "on_bad_vectors='error', "
    )


def test_no_copies(index: forebay.Index) -> None:
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(forebay.InvalidTypeError, match="live memory"):
            attempt(index)
