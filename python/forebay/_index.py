"""The index: written and searched at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import (
    TYPE_CHECKING,
    Literal,
    SupportsFloat,
    SupportsIndex,
    TypeAlias,
    TypeGuard,
    TypeVar,
)

import numpy as np
import numpy.typing as npt

from forebay import _core
from forebay._arguments import (
    MAX_COUNT,
    MAX_POSITION,
    FilterLike,
    PositionsLike,
    SupportsArray,
    checked_range,
    choice,
    count,
    describe,
    file_path,
    flag,
    number,
    positions_of,
    row_filter,
)
from forebay._arrow import is_arrow
from forebay._errors import InvalidArgumentError, InvalidTypeError, naming
from forebay._live import LiveObject
from forebay._model import Model
from forebay._results import (
    IndexStats,
    InsertReport,
    MemoryUsage,
    Positions,
    as_pyarrow,
    hits_batch,
)
from forebay._vectors import (
    Floats,
    QueriesLike,
    VectorsLike,
    as_queries,
    as_vectors,
    check_dim,
    float_array,
)

if TYPE_CHECKING:
    import pyarrow as pa

OnBadVectors: TypeAlias = Literal["error", "drop", "fill"]
Codes: TypeAlias = npt.NDArray[np.uint8]
DistanceRange: TypeAlias = Sequence[SupportsFloat | None]


class Index(LiveObject):
    """An in-memory IVF-PQ index that is searched while it is written.

    Parameters
    ----------
    model : Model
    keep_vectors : bool
        Keep the raw vectors beside the codes (4 x dim bytes a row), for `refine_factor`.
    capacity : int
        Rows of each partition's primary storage. What comes after it is as fast, so this limits
        nothing; memory is taken in blocks of 64 rows, as rows come.
    on_bad_vectors : {"error", "drop", "fill"}
        What `insert` does with vectors that are null, NaN, infinite, too long (a squared norm
        of 2^124 or more), or zero under cosine: insert nothing and say which row is bad; leave
        the row out and count it; or index fill_value in every dimension instead.
    fill_value : float
        With "fill"; it must itself make a good vector.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        An argument is wrong.
    UnsupportedError
        The CPU lacks AVX2 or FMA.

    Notes
    -----
    Thread safety: one writer, any number of readers. `insert` may run at the same time as every
    other method; a second `insert` at the same time raises FailedPreconditionError, so put a
    lock around inserts that come from several threads. A search sees all of an insert or nothing
    of it. The GIL is released while vectors are inserted or searched for.
    """

    __slots__ = ("__weakref__", "_keep_vectors", "_model", "_native", "_on_bad_vectors")

    _instead = (
        "it is live memory that a writer may be changing; share the one object between threads, or "
        "save it and open the file"
    )

    def __init__(
        self,
        model: Model,
        *,
        keep_vectors: bool = True,
        capacity: SupportsIndex = 64,
        on_bad_vectors: OnBadVectors = "error",
        fill_value: SupportsFloat = 0.0,
    ) -> None:
        if not isinstance(model, Model):
            raise InvalidTypeError(f"model must be a forebay.Model; got {model!r}")
        self._model = model
        self._keep_vectors = flag("keep_vectors", keep_vectors)
        self._on_bad_vectors = choice("on_bad_vectors", on_bad_vectors, ("error", "drop", "fill"))
        self._native = _core.Index(
            model._native,  # noqa: SLF001
            keep_vectors=self._keep_vectors,
            capacity=count("capacity", capacity, 1),
            on_bad_vectors=on_bad_vectors,
            fill_value=number("fill_value", fill_value),
        )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        vectors: SupportsArray | None = None,
    ) -> Index:
        """Open an index file that `save` wrote, read only: `insert` raises FailedPreconditionError.

        The file is mapped and searched where it is, so it takes no memory of its own, and
        processes that open the same file share it. Answers are those of the index that was saved.
        The whole file is checked first.

        Parameters
        ----------
        path : str or path-like
        vectors : array_like of float, shape [num_rows, dim], optional
            The raw vectors, for `refine_factor`, as the file has none: one for each row of the
            index, in the order of their insertion (np.load(file, mmap_mode="r"), say). A
            C-contiguous float32 array is read where it is, and must stay as it is.

        Raises
        ------
        FileError
            The file cannot be read (an OSError too); MissingFileError if there is none.
        CorruptionError
            It is truncated, altered, or no index file.
        UnsupportedError
            A newer version of Forebay wrote it, or the CPU lacks AVX2 or FMA.
        InvalidArgumentError, InvalidTypeError
            vectors have another shape or type.
        """
        rows = None if vectors is None else float_array("vectors", vectors, 2)
        with naming(file_path(path)) as name:
            native = _core.Index.open(name, rows)
        index = cls.__new__(cls)
        for slot, value in (
            ("_native", native),
            ("_model", Model(native.model)),
            ("_keep_vectors", rows is not None),
            ("_on_bad_vectors", "error"),
        ):
            setattr(index, slot, value)
        return index

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write rows and model to an index file, whole or not at all; an old one is replaced.

        The raw vectors are not in it. `insert` may run meanwhile; what it adds is left out.

        Raises
        ------
        FileError
            The file cannot be written (an OSError too).
        """
        with naming(file_path(path)) as name:
            self._native.save(name)

    # --- Writing ---------------------------------------------------------------------------

    def insert(
        self,
        vectors: VectorsLike,
        row_positions: SupportsIndex | PositionsLike | None = None,
        *,
        column: str | None = None,
        num_threads: SupportsIndex = 1,
    ) -> InsertReport:
        """Index vectors; every search that starts after this returns sees them.

        Inserting a position again changes nothing and is counted: the first vector stays, so an
        insert with row_positions may be repeated after a failure elsewhere. (An Arrow stream can
        be read once; make a new one to repeat its insert.)

        Parameters
        ----------
        vectors : array_like of float, shape [num_rows, dim], or Arrow
            A C-contiguous float32 array, or Arrow fixed_size_list<float> (an array, a chunked
            array, a column of a record batch or table), is read where it is; float64, float16 and
            lists are converted.
        row_positions : int or array_like of int, shape [num_rows], optional
            One position for each row, or the position of the first, the others following. From 0
            to 2^63 - 1, none twice. Default: on from the greatest position so far.
        column : str, optional
            The column of a record batch. Default: the only one of vectors.
        num_threads : int
            Threads that encode.

        Returns
        -------
        InsertReport

        Raises
        ------
        InvalidArgumentError
            A shape or value is wrong, a position comes twice, or a vector is bad
            (on_bad_vectors="error"). Nothing was inserted.
        InvalidTypeError
            A type or dtype is wrong.
        CapacityExceededError
            Beyond 2^32 - 1 rows.
        FailedPreconditionError
            Another thread is inserting, or the index was opened from a file.
        """
        # Rows often come one by one, and then it counts what is done around them. What is not
        # exactly so takes the long way, and so do all mistakes.
        if (
            # Other kinds of array (masked ones, say) are more than their memory.
            (type(vectors) is np.ndarray or type(vectors) is np.memmap)
            and vectors.dtype is _FLOAT32
            and column is None
            and (row_positions is None or _is_count(row_positions, 0, MAX_POSITION))
            and _is_count(num_threads, 1, MAX_COUNT)
        ):
            counts = self._native.insert_array(vectors, row_positions, num_threads)
            if counts is not None:
                return _report(*counts)
        rows = self._as_rows("vectors", vectors, column)
        return self._insert([rows], [row_positions], num_threads)

    def insert_batches(
        self,
        batches: Iterable[VectorsLike],
        row_positions: Iterable[SupportsIndex | PositionsLike | None] | None = None,
        *,
        column: str | None = None,
        num_threads: SupportsIndex = 1,
    ) -> InsertReport:
        """Index many batches at once: all become visible together, or none.

        Parameters
        ----------
        batches : iterable
            Of what `insert` takes.
        row_positions : iterable, optional
            For each batch what `insert` takes. Default: on from the greatest position so far.
        column : str, optional
            As for `insert`.
        num_threads : int
            As for `insert`.

        Returns
        -------
        InsertReport
            Of all batches together.

        Raises
        ------
        As `insert`.
        """
        if isinstance(batches, np.ndarray) or (
            is_arrow(batches) and not isinstance(batches, Iterator)
        ):
            raise InvalidTypeError(
                f"batches must be an iterable of batches; got one, {describe(batches)}; insert it "
                "with insert, or pass [it]"
            )
        rows = [
            self._as_rows(f"batches[{i}]", batch, column)
            for i, batch in enumerate(_each("batches", batches))
        ]
        if row_positions is None:
            row_positions = [None] * len(rows)
        given = list(_each("row_positions", row_positions))
        if len(given) != len(rows):
            raise InvalidArgumentError(
                f"row_positions must have one entry for each of {len(rows)} batches; got "
                f"{len(given)}"
            )
        return self._insert(rows, given, num_threads)

    def _as_rows(self, name: str, vectors: VectorsLike, column: str | None) -> _core.Vectors:
        rows = as_vectors(name, vectors, column=column)
        check_dim(name, rows, self._model.dim)
        return rows

    def _insert(
        self,
        rows: list[_core.Vectors],
        row_positions: list[SupportsIndex | PositionsLike | None],
        num_threads: SupportsIndex,
    ) -> InsertReport:
        positions = [
            positions_of(given, batch.num_rows)
            for batch, given in zip(rows, row_positions, strict=True)
        ]
        return _report(*self._native.insert(rows, positions, count("num_threads", num_threads, 1)))

    # --- Searching -------------------------------------------------------------------------

    def search(
        self,
        queries: QueriesLike,
        k: SupportsIndex = 10,
        *,
        nprobes: SupportsIndex = 20,
        refine_factor: SupportsIndex | None = None,
        filter: FilterLike | None = None,  # noqa: A002 - it is what everyone calls it
        max_row_position: SupportsIndex | None = None,
        distance_range: DistanceRange | None = None,
        num_threads: SupportsIndex = 1,
        column: str | None = None,
    ) -> tuple[Floats, Positions]:
        """The nearest rows for each query, all from one snapshot of the index.

        Parameters
        ----------
        queries : array_like of float, shape [num_queries, dim] or [dim], or Arrow
            Types as for `insert`. NaN, infinite, too long or (cosine) zero queries are errors.
        k : int
            Rows for each query.
        nprobes : int
            Partitions to look at, at least; it goes on, nearest first, until k rows that may be
            returned were seen, so a filter never leaves fewer than k if there are k.
        refine_factor : int, optional
            Take the k x refine_factor nearest by their codes and rank them by their exact
            distance, which is then what is returned. Where only few rows may be returned, all of
            them are ranked so, whatever nprobes is. Needs keep_vectors (with `open`, vectors).
            Default: distances to the codes, without re-ranking.
        filter : RowFilter, array_like or Arrow, optional
            Only these rows: a boolean mask, in which element i is for row position i (positions
            beyond it are out, and so is null), or integer row positions in any order.
        max_row_position : int, optional
            Only rows with a position up to this one, inclusive.
        distance_range : (lower, upper), optional
            Only distances in [lower, upper); None is no bound. This never extends probing.
        num_threads : int
            Threads that the queries are spread over.
        column : str, optional
            The column, if queries are a record batch. Default: the only one of vectors.

        Returns
        -------
        distances : float32, shape [num_queries, k]
            Ascending; l2 is squared, cosine is 1 - cos, dot is 1 - x.y. Padded with inf where
            there are fewer than k rows.
        row_positions : int64, shape [num_queries, k]
            Ties in ascending order. Padded with -1.

        Raises
        ------
        InvalidArgumentError
            A shape or value is wrong, a query is bad, or refine_factor without keep_vectors.
        InvalidTypeError
            A type or dtype is wrong.
        OutOfMemoryError
            No memory for the answer.
        """
        result = self._search(
            queries,
            k,
            nprobes=nprobes,
            refine_factor=refine_factor,
            only=filter,
            max_row_position=max_row_position,
            distance_range=distance_range,
            num_threads=num_threads,
            column=column,
        )
        return result.padded()

    def _search(
        self,
        queries: QueriesLike,
        k: SupportsIndex,
        *,
        nprobes: SupportsIndex,
        refine_factor: SupportsIndex | None,
        only: FilterLike | None,
        max_row_position: SupportsIndex | None,
        distance_range: DistanceRange | None,
        num_threads: SupportsIndex,
        column: str | None,
    ) -> _core.FoundRows:
        rows = as_queries(queries, column=column)
        check_dim("queries", rows, self._model.dim)
        factor = 0 if refine_factor is None else count("refine_factor", refine_factor, 1)
        if factor > 0 and not self._keep_vectors:
            raise InvalidArgumentError(
                "refine_factor needs the raw vectors, which an index file has not; open it with "
                "vectors="
                if self.read_only
                else "refine_factor needs the raw vectors; make the index with keep_vectors=True"
            )
        mask, mask_size, positions = row_filter(only)
        lower, upper = checked_range(distance_range)
        if max_row_position is not None:
            max_row_position = count("max_row_position", max_row_position, at_most=MAX_POSITION)
        return self._native.search(
            rows,
            count("k", k),
            count("nprobes", nprobes),
            factor,
            mask,
            mask_size,
            positions,
            max_row_position,
            lower,
            upper,
            count("num_threads", num_threads, 1),
        )

    def search_arrow(
        self,
        queries: QueriesLike,
        k: SupportsIndex = 10,
        *,
        nprobes: SupportsIndex = 20,
        refine_factor: SupportsIndex | None = None,
        filter: FilterLike | None = None,  # noqa: A002
        max_row_position: SupportsIndex | None = None,
        distance_range: DistanceRange | None = None,
        num_threads: SupportsIndex = 1,
        column: str | None = None,
    ) -> pa.RecordBatch:
        """The same as `search`, as a record batch without padding.

        Returns
        -------
        pyarrow.RecordBatch
            One row for each hit, in the order of (query_index, _distance, row_position):
            `query_index` int64, `row_position` int64, `_distance` float32, none of them null.
            It speaks __arrow_c_array__, so any Arrow library can take it.
        """
        result = self._search(
            queries,
            k,
            nprobes=nprobes,
            refine_factor=refine_factor,
            only=filter,
            max_row_position=max_row_position,
            distance_range=distance_range,
            num_threads=num_threads,
            column=column,
        )
        return hits_batch(result)

    # --- Reading out -----------------------------------------------------------------------

    def partition(self, partition: SupportsIndex) -> tuple[Positions, Codes]:
        """The rows of one partition, in the order of their insertion.

        Returns
        -------
        row_positions : int64, shape [num_rows]
        codes : uint8, shape [num_rows, code_len]
            With 4 bits two to a byte, the sub-vector of even number in the low half.

        Raises
        ------
        InvalidArgumentError
            There is no such partition.
        """
        last = self._model.num_partitions - 1
        return self._native.partition(count("partition", partition, at_most=last))

    def to_partition_batches(self) -> list[tuple[int, pa.RecordBatch]]:
        """The codes, as an IVF-PQ base table stores them.

        Returns
        -------
        list of (partition, pyarrow.RecordBatch)
            For each partition with rows, all from one snapshot: `_rowid` uint64, the row
            position, and `__pq_code` fixed_size_list<uint8>[code_len], neither of them null.
        """
        return as_pyarrow(self._native.partition_batches(None))

    def to_partition_batches_reversed(
        self, total_rows: SupportsIndex
    ) -> list[tuple[int, pa.RecordBatch]]:
        """The same with `_rowid` = total_rows - position - 1, for rows written newest first.

        Raises
        ------
        InvalidArgumentError
            A row position is not below total_rows.
        """
        total = count("total_rows", total_rows, at_most=MAX_POSITION)
        return as_pyarrow(self._native.partition_batches(total))

    @property
    def model(self) -> Model:
        """What the index was made from."""
        return self._model

    @property
    def keep_vectors(self) -> bool:
        """Whether the raw vectors are kept (or were given to `open`), for refine_factor."""
        return self._keep_vectors

    @property
    def read_only(self) -> bool:
        """Whether it was opened from a file, and cannot be inserted into."""
        return self._native.read_only

    def __bool__(self) -> bool:
        """True, also without rows: an empty index is an index."""
        return True

    def __len__(self) -> int:
        """Rows that a search sees."""
        return len(self._native)

    def memory_usage(self) -> MemoryUsage:
        """Bytes allocated, by purpose."""
        return MemoryUsage(**self._native.memory_usage())

    def stats(self) -> IndexStats:
        """What the index holds, and what it has done in its life."""
        sizes = self._native.partition_sizes()
        return IndexStats(
            num_rows=int(sizes.sum()),
            num_partitions=len(sizes),
            num_empty_partitions=int((sizes == 0).sum()),
            largest_partition=int(sizes.max()),
            **self._native.counts(),
        )

    def __repr__(self) -> str:
        model = self._model
        kind = "read_only=True" if self.read_only else f"on_bad_vectors={self._on_bad_vectors!r}"
        return (
            f"Index({len(self):,} rows, metric={model.metric!r}, dim={model.dim}, "
            f"num_partitions={model.num_partitions}, code_len={model.code_len}, "
            f"keep_vectors={self._keep_vectors}, {kind}, "
            f"{self.memory_usage().total / 2**20:.1f} MiB)"
        )


_FLOAT32 = np.dtype(np.float32)

#: Reports do not change, and nearly all that come one after the other are the same.
_report = lru_cache(maxsize=64)(InsertReport)


def _is_count(value: object, at_least: int, at_most: int) -> TypeGuard[int]:
    """Whether it is exactly an int, within bounds."""
    return type(value) is int and at_least <= value <= at_most


_Item = TypeVar("_Item")


def _each(name: str, values: Iterable[_Item]) -> Iterator[_Item]:
    """Goes through what ought to be iterable."""
    try:
        return iter(values)
    except TypeError:
        raise InvalidTypeError(f"{name} must be iterable; got {values!r}") from None
