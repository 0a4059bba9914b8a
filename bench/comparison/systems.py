"""What is compared: the interface of a system, Forebay itself, and the list of all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from comparison.datasets import Floats, Ids, Mask, Metric

Family = Literal["ivf", "graph"]
#: A search's parameters, by name: nprobes and refine_factor, or ef.
Setting = dict[str, int]

GRAPH_DEGREE = 16
GRAPH_EF_CONSTRUCTION = 100

NPROBES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1_024)
REFINE_FACTORS = (3, 5, 10, 20, 40)
EFS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1_024, 1_536)


@dataclass(frozen=True)
class Shape:
    """What all systems are told of the data."""

    dim: int
    metric: Metric
    num_partitions: int


class System(Protocol):
    """One library and one kind of index in it; a thin layer, as its time is measured, too."""

    def train(self, rows: Floats, path: Path) -> None:
        """Trains on `rows` with all CPUs and saves what was learnt."""

    def open(self, path: Path, capacity: int, keep_vectors: bool) -> None:
        """Makes an empty index, from what `train` saved. Without raw vectors if it can be."""

    def simd(self) -> str | None:
        """Which instructions the library says that it uses; None if it does not tell."""

    def set_threads(self, num_threads: int) -> None:
        """How many threads insert and search from now on."""

    def reserve(self, num_rows: int) -> None:
        """Makes room for so many rows in all, if the library wants to know beforehand."""

    def insert(self, rows: Floats) -> None:
        """Appends rows, numbered from 0 on in the order of insertion."""

    def tune(self, setting: Setting, allowed: Mask | None) -> None:
        """Sets the parameters of the searches to come, and the rows that they may return."""

    def search(self, queries: Floats, k: int) -> object:
        """What the library answers. This is what is timed."""

    def ids(self, answer: object, k: int) -> Ids:
        """The rows in it: [num_queries, k], -1 for none."""


@dataclass(frozen=True)
class Kind:
    """An entry of the list of systems."""

    name: str
    label: str
    family: Family
    package: str
    make: Callable[[Shape], System]
    parameters: str
    #: Candidates for each row that is wanted, ranked by their exact distances; none: it does not.
    refine_factors: tuple[int, ...] = ()
    filters: bool = True
    #: Whether it may be searched while it is written to; if not, calls exclude each other.
    concurrent: bool = False
    is_ours: bool = False

    @property
    def trains(self) -> bool:
        """Whether it learns from the data before it is filled."""
        return self.family == "ivf"

    @property
    def re_ranks(self) -> bool:
        return bool(self.refine_factors)


def num_partitions_for(num_rows: int) -> int:
    """The same for all IVF systems: the power of two nearest to 1.75 sqrt(rows); 1,024 at 341k."""
    return int(2 ** max(0, round(math.log2(1.75 * math.sqrt(num_rows)))))


def num_sub_vectors_for(dim: int, least_dims: int, *, even: bool) -> int:
    """The greatest divisor of `dim` that leaves `least_dims` dimensions for each."""
    divisors = [m for m in range(1, dim // least_dims + 1) if dim % m == 0]
    divisors = [m for m in divisors if m % 2 == 0 or not even]
    if not divisors:
        raise ValueError(f"dimension {dim} cannot be split into sub-vectors of {least_dims}")
    return divisors[-1]


def sweep_of(kind: Kind, num_partitions: int) -> list[list[Setting]]:
    """All settings, in rows of ascending effort (the last parameter that grows is the same)."""
    if kind.family == "graph":
        return [[{"ef": ef} for ef in EFS]]
    probes = [n for n in NPROBES if n <= num_partitions]
    if not kind.re_ranks:
        return [[{"nprobes": n} for n in probes]]
    return [[{"nprobes": n, "refine_factor": f} for n in probes] for f in kind.refine_factors]


class Forebay:
    """forebay.Index; the raw vectors are kept beside the codes for re-ranking."""

    def __init__(self, shape: Shape, num_bits: int) -> None:
        self._shape = shape
        self._num_bits = num_bits
        self._threads = 1

    def train(self, rows: Floats, path: Path) -> None:
        import forebay

        sub_vectors = num_sub_vectors_for(
            self._shape.dim, 4 if self._num_bits == 8 else 2, even=self._num_bits == 4
        )
        model = forebay.train(
            rows,
            num_partitions=self._shape.num_partitions,
            num_sub_vectors=sub_vectors,
            num_bits=self._num_bits,
            metric=self._shape.metric,
        )
        model.save(path)

    def open(self, path: Path, capacity: int, keep_vectors: bool) -> None:  # noqa: ARG002
        import forebay

        self._index = forebay.Index(forebay.Model.load(path), keep_vectors=keep_vectors)

    def simd(self) -> str | None:
        return None

    def set_threads(self, num_threads: int) -> None:
        self._threads = num_threads

    def reserve(self, num_rows: int) -> None:
        """It grows by itself."""

    def insert(self, rows: Floats) -> None:
        self._index.insert(rows, num_threads=self._threads)

    def tune(self, setting: Setting, allowed: Mask | None) -> None:
        self._nprobes = setting["nprobes"]
        self._refine_factor = setting["refine_factor"]
        import forebay

        self._allowed = None if allowed is None else forebay.RowFilter(allowed)

    def search(self, queries: Floats, k: int) -> object:
        return self._index.search(
            queries,
            k,
            nprobes=self._nprobes,
            refine_factor=self._refine_factor,
            filter=self._allowed,
            num_threads=self._threads,
        )

    def ids(self, answer: object, k: int) -> Ids:  # noqa: ARG002
        assert isinstance(answer, tuple)
        rows: Ids = answer[1]
        return rows


def all_kinds() -> dict[str, Kind]:
    """Every system by its name. No library is loaded yet."""
    from comparison import faiss_systems, graph_systems

    kinds = [
        Kind(
            f"forebay-{bits}bit",
            f"Forebay {bits}-bit",
            "ivf",
            "forebay",
            lambda shape, bits=bits: Forebay(shape, bits),  # type: ignore[misc]
            f"{bits}-bit codes of {4 if bits == 8 else 2} dimensions each, re-rank",
            refine_factors=REFINE_FACTORS,
            concurrent=True,
            is_ours=True,
        )
        for bits in (8, 4)
    ]
    kinds += [*faiss_systems.KINDS, *graph_systems.KINDS]
    return {kind.name: kind for kind in kinds}
