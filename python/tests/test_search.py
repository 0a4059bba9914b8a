"""Answers equal those of the oracle, for every kind of model and option."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import forebay
from conftest import Floats
from numpy_oracle import Hits, Oracle, exact_distances

KINDS = [
    pytest.param("l2", True, 8, id="l2-residual-8"),
    pytest.param("l2", False, 8, id="l2-raw-8"),
    pytest.param("l2", True, 4, id="l2-residual-4"),
    pytest.param("cosine", True, 8, id="cosine-residual-8"),
    pytest.param("cosine", False, 4, id="cosine-raw-4"),
    pytest.param("dot", False, 8, id="dot-raw-8"),
    pytest.param("dot", False, 4, id="dot-raw-4"),
]


def trained(vectors: Floats, metric: Any, residual: bool, num_bits: int) -> forebay.Model:
    return forebay.train(
        vectors,
        metric=metric,
        residual=residual,
        num_bits=num_bits,
        num_partitions=16,
        num_sub_vectors=8,
        max_iters=5,
        pq_max_iters=5,
    )


@pytest.mark.parametrize(("metric", "residual", "num_bits"), KINDS)
def test_equals_oracle(
    vectors: Floats, queries: Floats, metric: str, residual: bool, num_bits: int
) -> None:
    index = forebay.Index(trained(vectors, metric, residual, num_bits), capacity=50)
    index.insert(vectors[:1000])
    index.insert(vectors[1000:], row_positions=np.arange(1000, 3000)[::-1] * 3)
    oracle = Oracle(index)
    for k, nprobes in [(1, 1), (10, 3), (10, 0), (400, 2), (5000, 1)]:
        distances, positions = index.search(queries, k, nprobes=nprobes)
        assert distances.shape == positions.shape == (len(queries), k)
        assert distances.dtype == np.dtype(np.float32)
        assert positions.dtype == np.dtype(np.int64)
        for i, query in enumerate(queries):
            expected = oracle.search(query, k, nprobes)
            oracle.check(query, Hits(distances[i].astype(float), positions[i]), expected)


@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_refined_equals_brute_force(vectors: Floats, queries: Floats, metric: Any) -> None:
    index = forebay.Index(trained(vectors, metric, metric != "dot", 8))
    index.insert(vectors)
    distances, positions = index.search(queries, 10, nprobes=16, refine_factor=300)
    wide = vectors.astype(np.float64)
    for i, query in enumerate(queries):
        exact = exact_distances(metric, query, wide)
        expected = np.argsort(exact, kind="stable")[:10]
        np.testing.assert_array_equal(positions[i], expected)
        np.testing.assert_allclose(distances[i], exact[expected], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["mask", "positions", "arrow mask", "arrow positions", "list"])
def test_filter(index: forebay.Index, queries: Floats, kind: str) -> None:
    import pyarrow as pa

    allowed = np.arange(3000) % 7 == 3
    unsorted = np.flatnonzero(allowed)[::-1]
    forms: dict[str, Any] = {
        "mask": allowed,
        "positions": np.concatenate([unsorted, unsorted[:5]]),
        "arrow mask": pa.array([True, None, *allowed.tolist()]).slice(2),
        "arrow positions": pa.chunked_array([unsorted[:100], unsorted[100:]]),
        "list": unsorted.tolist(),
    }
    oracle = Oracle(index)
    eligible = allowed[oracle.positions]
    for k in (10, 500):
        distances, positions = index.search(queries, k, nprobes=2, filter=forms[kind])
        for i, query in enumerate(queries):
            expected = oracle.search(query, k, 2, eligible)
            oracle.check(query, Hits(distances[i].astype(float), positions[i]), expected)


def test_filter_edges(index: forebay.Index, queries: Floats) -> None:
    import pyarrow as pa

    empty: list[Any] = [[], np.zeros(0, dtype=bool), np.zeros(3000, dtype=bool), [2**62]]
    for nothing in empty:
        distances, positions = index.search(queries, 3, filter=nothing)
        assert np.all(np.isposinf(distances))
        assert np.all(positions == -1)
    # Beyond the mask nothing is allowed, and null is not true.
    _, positions = index.search(queries, 4, filter=[True, False, True])
    assert {*positions.ravel().tolist()} == {0, 2, -1}
    _, positions = index.search(queries, 2, filter=pa.array([None, True, None]))
    assert {*positions.ravel().tolist()} == {1, -1}


def test_limits(index: forebay.Index, queries: Floats) -> None:
    oracle = Oracle(index)
    distances, positions = index.search(queries, 10, nprobes=4, max_row_position=99)
    ranged = index.search(queries, 50, nprobes=4, distance_range=(2.0, 30))
    no_upper = index.search(queries, 50, nprobes=4, distance_range=(2, None))
    for i, query in enumerate(queries):
        expected = oracle.search(query, 10, 4, oracle.positions <= 99)
        oracle.check(query, Hits(distances[i].astype(float), positions[i]), expected)
        expected = oracle.search(query, 50, 4, lower=2, upper=30)
        oracle.check(query, Hits(ranged[0][i].astype(float), ranged[1][i]), expected)
        expected = oracle.search(query, 50, 4, lower=2)
        oracle.check(query, Hits(no_upper[0][i].astype(float), no_upper[1][i]), expected)


def test_threads_change_nothing(index: forebay.Index, queries: Floats) -> None:
    one = index.search(queries, 10, nprobes=3)
    four = index.search(queries, 10, nprobes=3, num_threads=4)
    for a, b in zip(one, four, strict=True):
        np.testing.assert_array_equal(a, b)


def test_shapes(index: forebay.Index, queries: Floats) -> None:
    single = index.search(queries[0], 3)
    np.testing.assert_array_equal(single[1], index.search(queries[:1], 3)[1])
    assert single[0].shape == (1, 3)
    for num_queries, k in [(0, 5), (4, 0), (0, 0)]:
        distances, positions = index.search(queries[:num_queries], k)
        assert distances.shape == positions.shape == (num_queries, k)


def test_search_arrow(index: forebay.Index, queries: Floats) -> None:
    filtered: npt.NDArray[np.int64] = np.arange(4)
    batch = index.search_arrow(queries, 5, filter=filtered)  # 4 hits and 1 of padding each.
    distances, positions = index.search(queries, 5, filter=filtered)
    assert batch.schema.names == ["query_index", "row_position", "_distance"]
    assert [str(t) for t in batch.schema.types] == ["int64", "int64", "float"]
    np.testing.assert_array_equal(batch["query_index"], np.repeat(np.arange(20), 4))
    np.testing.assert_array_equal(batch["row_position"], positions[:, :4].ravel())
    np.testing.assert_array_equal(batch["_distance"], distances[:, :4].ravel())
    assert index.search_arrow(queries[:0]).num_rows == 0


def test_bounds_of_distances_are_not_rounded_down(index: forebay.Index, vectors: Floats) -> None:
    """They are float64, distances float32: 0 < 1e-50, though as a float32 that is 0."""
    options: dict[str, Any] = {"nprobes": 16, "refine_factor": 10}
    found = index.search(vectors[7], 3, distance_range=(None, 1e-50), **options)
    assert found[1][0].tolist() == [7, -1, -1]
    found = index.search(vectors[7], 3, distance_range=(1e-50, None), **options)
    assert 7 not in found[1][0]


@pytest.mark.parametrize("kind", ["mask", "positions", "unsorted"])
def test_prepared_filter(index: forebay.Index, queries: Floats, kind: str) -> None:
    allowed = np.arange(len(index)) % 3 == 1
    positions = np.flatnonzero(allowed)
    rows = {"mask": allowed, "positions": positions, "unsorted": positions[::-1]}[kind].copy()
    expected = index.search(queries, k=7, filter=rows)
    prepared = forebay.RowFilter(rows)
    rows[:] = rows[0]  # It is a copy.
    found = index.search(queries, k=7, filter=prepared)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(found[0], expected[0])
    assert np.isin(found[1], positions).all()
    assert repr(prepared).startswith("RowFilter(")
