#!/usr/bin/env python3
"""For users of hnswlib: the same calls on Forebay, and what maps to what.

    hnswlib                                    Forebay
    ---------------------------------------------------------------------------------------------
    Index(space="l2" | "ip" | "cosine", dim)   metric "l2", "dot", "cosine": the same distances
    init_index(max_elements, M, ef_constr.)    nothing to size; it grows
    no training                                train once, on the first rows (here: train_after)
    add_items(x, ids)                          insert(x, ids); an id is stored once: first wins
    set_ef(ef)                                 nprobes and refine_factor, for each search
    knn_query(x, k, filter=f)                  search(x, k, filter=ids or mask), not a callback
    num_threads                                num_threads
    8 x M bytes and the vector for a row       dim / 4 bytes, and the vector if it is kept

    python examples/hnswlib_dropin.py

Rows are searched exactly until `train_after` of them have come; then a model is trained on them.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
import numpy.typing as npt

import forebay

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Metric = Literal["l2", "cosine", "dot"]

METRICS = {"l2": "l2", "ip": "dot", "cosine": "cosine"}


class Index:
    """hnswlib.Index's most used calls."""

    def __init__(self, space: str, dim: int) -> None:
        self.metric = cast("Metric", METRICS[space])
        self.dim = dim
        self.train_after = 2_000
        self.nprobes, self.refine_factor = 16, 10
        self.index: forebay.Index | None = None
        self.first_rows: Floats = np.empty((0, dim), np.float32)
        self.first_ids: Ints = np.empty(0, np.int64)
        self.next_id = 0

    def init_index(self, max_elements: int, M: int = 16, ef_construction: int = 200) -> None:  # noqa: N803
        """Takes what hnswlib takes; there is nothing to size."""
        del max_elements, M, ef_construction

    def set_ef(self, ef: int) -> None:
        """The more, the better the recall; as a rule of thumb ef / 8 partitions."""
        self.nprobes = max(1, ef // 8)

    def get_current_count(self) -> int:
        return len(self.first_ids) if self.index is None else len(self.index)

    def add_items(self, data: Floats, ids: Ints | None = None) -> None:
        rows = np.ascontiguousarray(np.atleast_2d(data), dtype=np.float32)
        ids = np.arange(self.next_id, self.next_id + len(rows)) if ids is None else np.asarray(ids)
        ids, first = np.unique(ids, return_index=True)  # Of an id's rows the first one stays.
        rows = rows[first]
        if self.index is not None:
            self.index.insert(rows, ids)
        else:
            new = ~np.isin(ids, self.first_ids)
            self.first_rows = np.concatenate([self.first_rows, rows[new]])
            self.first_ids = np.concatenate([self.first_ids, ids[new]])
            if len(self.first_ids) >= self.train_after:
                index = forebay.Index(forebay.train(self.first_rows, metric=self.metric))
                index.insert(self.first_rows, self.first_ids)
                self.index = index
        self.next_id = max(self.next_id, int(ids.max(initial=-1)) + 1)

    def knn_query(
        self,
        data: Floats,
        k: int = 1,
        filter: Ints | None = None,  # noqa: A002
    ) -> tuple[Ints, Floats]:
        """Labels, then distances; padded with -1 and infinity where there are fewer than k."""
        queries = np.ascontiguousarray(np.atleast_2d(data), dtype=np.float32)
        if self.index is None:
            return self.exact(queries, k, filter)
        distances, labels = self.index.search(
            queries, k, nprobes=self.nprobes, refine_factor=self.refine_factor, filter=filter
        )
        return labels, distances

    def exact(self, queries: Floats, k: int, allowed: Ints | None) -> tuple[Ints, Floats]:
        rows, ids = self.first_rows, self.first_ids
        if allowed is not None:
            rows, ids = rows[np.isin(ids, allowed)], ids[np.isin(ids, allowed)]
        if self.metric == "cosine":
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
            queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        products = queries @ rows.T
        all_distances = 1 - products
        if self.metric == "l2":
            lengths = (queries**2).sum(1)[:, None] + (rows**2).sum(1)[None]
            all_distances = np.maximum(lengths - 2 * products, 0)
        order = np.argsort(all_distances, axis=1, kind="stable")[:, :k]
        labels = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), np.inf, np.float32)
        labels[:, : order.shape[1]] = ids[order]
        distances[:, : order.shape[1]] = np.take_along_axis(all_distances, order, axis=1)
        return labels, distances


def main() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(10_000, 32)).astype(np.float32)
    index = Index("cosine", 32)
    index.init_index(max_elements=10_000)
    index.set_ef(256)
    for begin in range(0, len(rows), 1_000):
        index.add_items(rows[begin : begin + 1_000])
        labels, distances = index.knn_query(rows[:3], k=4)
        how = "exactly" if index.index is None else "by the index"
        print(f"{index.get_current_count():6,} rows, searched {how}: {labels[0].tolist()}")
    print("labels\n", labels, "\ndistances\n", distances.round(4))


if __name__ == "__main__":
    main()
