#!/usr/bin/env python3
"""For users of faiss.IndexIVFPQ: the same calls on Forebay, and what maps to what.

Faiss                                        Forebay
---------------------------------------------------------------------------------------------
IndexIVFPQ(quantizer, d, nlist, M, nbits)    train(x, num_partitions=, num_sub_vectors=,
                                                   num_bits=)
index.train(x)                               model = train(x), once; models are files too
index.add(x)                                 index.insert(x)
index.add_with_ids(x, ids)                   index.insert(x, ids); an id is stored once
index.nprobe = 32                            search(..., nprobes=32), for each search
IndexRefineFlat, k_factor                    search(..., refine_factor=10)
SearchParametersIVF(sel=IDSelectorBatch(i))  search(..., filter=i), and k rows if k exist
range_search(x, r)                           search_arrow(x, len(index), distance_range=
                                                   (None, r)), which scans all partitions
METRIC_INNER_PRODUCT (greater is nearer)     metric="dot": 1 - x.y (smaller is nearer)
a lock around add and search                 none: searches run while rows come in
quantizer and pq.centroids                   model.centroids, model.codebook; from_arrays

python examples/faiss_dropin.py    # compares the two where faiss is installed
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import forebay

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class IndexIVFPQ:
    """faiss.IndexIVFPQ's most used calls, for L2."""

    def __init__(self, d: int, nlist: int, m: int, nbits: int = 8) -> None:
        self.d, self.nlist, self.m, self.nbits = d, nlist, m, nbits
        self.nprobe = 1
        self.k_factor = 0  # Of IndexRefineFlat; 0: no re-ranking.
        self.index: forebay.Index | None = None

    @property
    def is_trained(self) -> bool:
        return self.index is not None

    @property
    def ntotal(self) -> int:
        return 0 if self.index is None else len(self.index)

    def train(self, x: Floats) -> None:
        model = forebay.train(
            x, num_partitions=self.nlist, num_sub_vectors=self.m, num_bits=self.nbits
        )
        self.index = forebay.Index(model)

    def add(self, x: Floats) -> None:
        self.trained().insert(x)

    def add_with_ids(self, x: Floats, ids: Ints) -> None:
        self.trained().insert(x, ids)

    def search(self, x: Floats, k: int) -> tuple[Floats, Ints]:
        return self.trained().search(x, k, nprobes=self.nprobe, refine_factor=self.k_factor or None)

    def trained(self) -> forebay.Index:
        if self.index is None:
            raise RuntimeError("train it first")
        return self.index


def vectors(num_rows: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(50, 32))
    noise = random.normal(size=(num_rows, 32))
    return (centres[random.integers(50, size=num_rows)] + noise).astype(np.float32)


def main() -> None:
    rows, queries = vectors(20_000, seed=1), vectors(5, seed=2)
    index = IndexIVFPQ(32, nlist=64, m=8)
    index.train(rows)
    index.add(rows)
    index.nprobe = 8
    distances, ids = index.search(queries, 4)
    print("forebay", index.ntotal, "rows\n", ids, "\n", distances)

    try:
        import faiss
    except ImportError:
        print("faiss is not installed: nothing to compare with")
        return
    model = index.trained().model
    quantizer = faiss.IndexFlatL2(32)
    quantizer.add(model.centroids)
    other = faiss.IndexIVFPQ(quantizer, 32, 64, 8, 8)
    faiss.copy_array_to_vector(model.codebook.ravel(), other.pq.centroids)
    other.is_trained = True
    other.add(rows)
    other.nprobe = 8
    faiss_distances, faiss_ids = other.search(queries, 4)
    print("faiss\n", faiss_ids, "\n", faiss_distances)
    same = bool((faiss_ids == ids).all()) and np.allclose(faiss_distances, distances, rtol=1e-3)
    print("the same rows and distances:", same)


if __name__ == "__main__":
    main()
