"""Faiss: four IVF indexes and HNSW."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from comparison.datasets import Floats, Ids, Mask
from comparison.systems import (
    GRAPH_DEGREE,
    GRAPH_EF_CONSTRUCTION,
    REFINE_FACTORS,
    Kind,
    Setting,
    Shape,
    num_sub_vectors_for,
)

#: One bit a dimension needs more candidates.
RABITQ_REFINE_FACTORS = (10, 20, 40, 80, 160)


class FaissSystem:
    """What all of them share: files, threads, insertion, answers."""

    _index: Any

    def __init__(self, shape: Shape) -> None:
        import faiss

        self._faiss: Any = faiss
        self._simd = checked_level(faiss)
        self._shape = shape
        dot = shape.metric == "dot"
        self._metric = faiss.METRIC_INNER_PRODUCT if dot else faiss.METRIC_L2
        self._parameters: Any = None

    def simd(self) -> str | None:
        return self._simd

    def set_threads(self, num_threads: int) -> None:
        self._faiss.omp_set_num_threads(num_threads)

    def reserve(self, num_rows: int) -> None:
        """It grows by itself."""

    def insert(self, rows: Floats) -> None:
        self._index.add(rows)

    def search(self, queries: Floats, k: int) -> object:
        return self._index.search(queries, k, params=self._parameters)

    def ids(self, answer: object, k: int) -> Ids:  # noqa: ARG002
        assert isinstance(answer, tuple)
        rows: Ids = answer[1]
        return rows

    def _selector(self, allowed: Mask) -> Any:  # noqa: ANN401 - Faiss has no types
        return self._faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


class FaissIvf(FaissSystem):
    """An IVF index by its factory string, inside IndexRefineFlat if it has codes."""

    def __init__(self, shape: Shape, factory: str, *, re_ranks: bool) -> None:
        super().__init__(shape)
        self._factory = factory
        self._re_ranks = re_ranks

    def train(self, rows: Floats, path: Path) -> None:
        index = self._faiss.index_factory(self._shape.dim, self._factory, self._metric)
        ivf = self._faiss.downcast_index(self._faiss.extract_index_ivf(index))
        if isinstance(ivf, self._faiss.IndexIVFPQ):
            ivf.do_polysemous_training = False  # Slow, and not used here.
        index.train(rows)
        self._faiss.write_index(index, str(path))

    def open(self, path: Path, capacity: int, keep_vectors: bool) -> None:  # noqa: ARG002
        self._coded = self._faiss.read_index(str(path))
        self._ivf = self._faiss.extract_index_ivf(self._coded)
        self._refines = self._re_ranks and keep_vectors
        self._index = self._faiss.IndexRefineFlat(self._coded) if self._refines else self._coded

    def tune(self, setting: Setting, allowed: Mask | None) -> None:
        self._ivf.nprobe = setting["nprobes"]
        if self._refines:
            self._index.k_factor = setting["refine_factor"]
        self._parameters = None if allowed is None else self._filtered(setting, allowed)

    def _filtered(self, setting: Setting, allowed: Mask) -> Any:  # noqa: ANN401
        faiss = self._faiss
        parameters = faiss.SearchParametersIVF(
            sel=self._selector(allowed), nprobe=setting["nprobes"]
        )
        if self._coded.this != self._ivf.this:
            parameters = faiss.SearchParametersPreTransform(index_params=parameters)
        if self._refines:
            parameters = faiss.IndexRefineSearchParameters(
                k_factor=setting["refine_factor"], base_index_params=parameters
            )
        return parameters


class FaissHnsw(FaissSystem):
    """IndexHNSWFlat."""

    def train(self, rows: Floats, path: Path) -> None:
        """A graph has nothing to learn."""

    def open(self, path: Path, capacity: int, keep_vectors: bool) -> None:  # noqa: ARG002
        self._index = self._faiss.IndexHNSWFlat(self._shape.dim, GRAPH_DEGREE, self._metric)
        self._index.hnsw.efConstruction = GRAPH_EF_CONSTRUCTION

    def tune(self, setting: Setting, allowed: Mask | None) -> None:
        self._index.hnsw.efSearch = setting["ef"]
        self._parameters = None
        if allowed is not None:
            self._parameters = self._faiss.SearchParametersHNSW(
                efSearch=setting["ef"], sel=self._selector(allowed)
            )


def checked_level(faiss: Any) -> str:  # noqa: ANN401
    """What Faiss's kernels run at. Raises RuntimeError if that is not what was asked for: figures
    of another level must not pass for those of this one."""
    config = faiss.SIMDConfig
    level = str(config.get_level_name())
    asked = os.environ.get("FAISS_SIMD_LEVEL", level)
    if level != asked or config.get_dispatched_level() != config.get_level():
        raise RuntimeError(f"FAISS_SIMD_LEVEL is {asked}, but Faiss runs at {level}")
    return level


def make_ivf_pq(shape: Shape) -> FaissIvf:
    sub_vectors = num_sub_vectors_for(shape.dim, 4, even=False)
    return FaissIvf(shape, f"IVF{shape.num_partitions},PQ{sub_vectors}x8", re_ranks=True)


def make_fast_scan(shape: Shape) -> FaissIvf:
    sub_vectors = num_sub_vectors_for(shape.dim, 2, even=True)
    return FaissIvf(shape, f"IVF{shape.num_partitions},PQ{sub_vectors}x4fs", re_ranks=True)


def make_rabitq(shape: Shape) -> FaissIvf:
    factory = f"RR{shape.dim},IVF{shape.num_partitions},RaBitQfs"
    return FaissIvf(shape, factory, re_ranks=True)


def make_ivf_flat(shape: Shape) -> FaissIvf:
    return FaissIvf(shape, f"IVF{shape.num_partitions},Flat", re_ranks=False)


def _ivf(
    name: str,
    label: str,
    make: Callable[[Shape], FaissIvf],
    parameters: str,
    refine_factors: tuple[int, ...] = (),
) -> Kind:
    return Kind(name, label, "ivf", "faiss", make, parameters, refine_factors)


KINDS = (
    _ivf(
        "faiss-ivfpq",
        "Faiss IVFPQ",
        make_ivf_pq,
        "8-bit codes of 4 dimensions each, IndexRefineFlat",
        refine_factors=REFINE_FACTORS,
    ),
    _ivf(
        "faiss-fastscan",
        "Faiss IVFPQFastScan",
        make_fast_scan,
        "4-bit codes of 2 dimensions each, IndexRefineFlat",
        refine_factors=REFINE_FACTORS,
    ),
    _ivf(
        "faiss-rabitq",
        "Faiss IVF-RaBitQ FastScan",
        make_rabitq,
        "random rotation, 1 bit a dimension, IndexRefineFlat",
        refine_factors=RABITQ_REFINE_FACTORS,
    ),
    _ivf("faiss-ivfflat", "Faiss IVFFlat", make_ivf_flat, "raw vectors"),
    Kind(
        "faiss-hnsw",
        "Faiss HNSW",
        "graph",
        "faiss",
        FaissHnsw,
        f"M={GRAPH_DEGREE}, efConstruction={GRAPH_EF_CONSTRUCTION}",
    ),
)
