"""hnswlib and usearch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from comparison.datasets import Floats, Ids, Mask
from comparison.systems import (
    GRAPH_DEGREE,
    GRAPH_EF_CONSTRUCTION,
    Kind,
    Setting,
    Shape,
)


class Hnswlib:
    """hnswlib.Index; filters are a callback for each row that is looked at."""

    _index: Any

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._threads = 1
        self._filter: Any = None

    def train(self, rows: Floats, path: Path) -> None:
        """A graph has nothing to learn."""

    def open(self, path: Path, capacity: int, keep_vectors: bool) -> None:  # noqa: ARG002
        import hnswlib

        space = {"l2": "l2", "cosine": "cosine", "dot": "ip"}[self._shape.metric]
        self._index = hnswlib.Index(space=space, dim=self._shape.dim)
        self._index.init_index(
            max_elements=capacity, M=GRAPH_DEGREE, ef_construction=GRAPH_EF_CONSTRUCTION
        )

    def simd(self) -> str | None:
        return None

    def set_threads(self, num_threads: int) -> None:
        self._threads = num_threads

    def reserve(self, num_rows: int) -> None:
        if num_rows > self._index.max_elements:
            self._index.resize_index(num_rows)

    def insert(self, rows: Floats) -> None:
        self._index.add_items(rows, num_threads=self._threads)

    def tune(self, setting: Setting, allowed: Mask | None) -> None:
        self._index.set_ef(setting["ef"])
        self._filter = None if allowed is None else allowed.tolist().__getitem__

    def search(self, queries: Floats, k: int) -> object:
        try:
            return self._index.knn_query(queries, k, num_threads=self._threads, filter=self._filter)
        except RuntimeError:  # It found fewer than k rows that pass the filter.
            return None

    def ids(self, answer: object, k: int) -> Ids:
        if answer is None:
            return np.full((1, k), -1, dtype=np.int64)
        assert isinstance(answer, tuple)
        rows: Ids = answer[0].astype(np.int64)
        return rows


class Usearch:
    """usearch.index.Index of float32. Its Python package has no filters."""

    _index: Any

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._threads = 1

    def train(self, rows: Floats, path: Path) -> None:
        """A graph has nothing to learn."""

    def open(self, path: Path, capacity: int, keep_vectors: bool) -> None:  # noqa: ARG002
        self._index = self._make()

    def _make(self) -> Any:  # noqa: ANN401
        from usearch.index import Index

        return Index(
            ndim=self._shape.dim,
            metric={"l2": "l2sq", "cosine": "cos", "dot": "ip"}[self._shape.metric],
            dtype="f32",
            connectivity=GRAPH_DEGREE,
            expansion_add=GRAPH_EF_CONSTRUCTION,
        )

    def simd(self) -> str | None:
        return str(self._make().hardware_acceleration)  # For this metric and dimension.

    def set_threads(self, num_threads: int) -> None:
        self._threads = num_threads

    def reserve(self, num_rows: int) -> None:
        """It grows by itself."""

    def insert(self, rows: Floats) -> None:
        self._index.add(None, rows, threads=self._threads)

    def tune(self, setting: Setting, allowed: Mask | None) -> None:
        assert allowed is None
        self._index.expansion_search = setting["ef"]

    def search(self, queries: Floats, k: int) -> object:
        return self._index.search(queries, k, threads=self._threads)

    def ids(self, answer: object, k: int) -> Ids:
        keys: Any = answer
        return np.asarray(keys.keys, dtype=np.uint64).astype(np.int64).reshape(-1, k)


_PARAMETERS = f"M={GRAPH_DEGREE}, efConstruction={GRAPH_EF_CONSTRUCTION}"

KINDS = (
    Kind("hnswlib", "hnswlib", "graph", "hnswlib", Hnswlib, _PARAMETERS),
    Kind("usearch", "usearch", "graph", "usearch", Usearch, _PARAMETERS, filters=False),
)
