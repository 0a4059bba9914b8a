"""A table, as far as reading goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, SupportsIndex, overload

from forebay import _core
from forebay._arguments import (
    PositionsLike,
    checked_positions,
    count,
    file_path,
    optional_count,
    strings,
)
from forebay._errors import InvalidArgumentError, InvalidTypeError
from forebay._export import ExportFormat, choose_format, export
from forebay._filters import optional_filter
from forebay._live import LiveObject
from forebay._model import Metric, Model
from forebay._rows import KeysLike, as_keys
from forebay._table_results import GenerationStats, RecoveryReport, SourceStats, TableStats
from forebay._vectors import QueriesLike, as_queries, check_dim

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc


class TableReader(LiveObject):
    """What all open tables can do; see Table."""

    __slots__ = ("__weakref__", "_closed", "_native", "_path", "_read_only", "_schema")

    _instead = (
        "it is open files, with one writer; share the one object between threads, or open the path "
        "again with read_only=True"
    )

    def __init__(self, native: _core.Table, path: str, *, read_only: bool) -> None:
        if not isinstance(native, _core.Table):
            raise InvalidTypeError("make a Table with Table.create or Table.open")
        import pyarrow as pa

        self._native = native
        self._path = path
        self._read_only = read_only
        self._closed = False
        self._schema = pa.schema(native.schema)

    @overload
    def search(
        self,
        queries: QueriesLike,
        k: SupportsIndex = 10,
        *,
        nprobes: SupportsIndex | None = None,
        refine_factor: SupportsIndex = 10,
        filter: pc.Expression | None = None,
        columns: Sequence[str] | None = None,
        explain: Literal[False] = False,
        num_threads: SupportsIndex = 1,
    ) -> pa.RecordBatch: ...

    @overload
    def search(
        self,
        queries: QueriesLike,
        k: SupportsIndex = 10,
        *,
        nprobes: SupportsIndex | None = None,
        refine_factor: SupportsIndex = 10,
        filter: pc.Expression | None = None,
        columns: Sequence[str] | None = None,
        explain: Literal[True],
        num_threads: SupportsIndex = 1,
    ) -> tuple[pa.RecordBatch, list[SourceStats]]: ...

    def search(
        self,
        queries: QueriesLike,
        k: SupportsIndex = 10,
        *,
        nprobes: SupportsIndex | None = None,
        refine_factor: SupportsIndex = 10,
        filter: pc.Expression | None = None,  # noqa: A002
        columns: Sequence[str] | None = None,
        explain: bool = False,
        num_threads: SupportsIndex = 1,
    ) -> pa.RecordBatch | tuple[pa.RecordBatch, list[SourceStats]]:
        """The nearest rows for each query, all from one snapshot, by exact distances.

        Parameters
        ----------
        queries : array_like of float, shape [num_queries, dim] or [dim], or Arrow
            As for `Index.search`.
        k : int
            Rows for each query.
        nprobes : int, optional
            With a model: partitions to look at, at least; it goes on until k rows that may be
            returned were seen. Default: 20.
        refine_factor : int
            With a model: the k x refine_factor nearest by their codes are ranked by their exact
            distance.
        filter : pyarrow.compute.Expression, optional
            Only rows for which it is true. k rows, if k exist.
        columns : list of str, optional
            Columns of the result, besides the primary key (where there is none, `_rowid`), which
            comes always.
        explain : bool
            Also return what the search did.
        num_threads : int
            Threads that the queries are spread over.

        Returns
        -------
        pyarrow.RecordBatch
            One row for each hit, the hits of each query together, nearest first: `query_index`
            uint32, `_distance` float32, the primary key or `_rowid`, and the columns asked for.
        list of SourceStats
            With explain=True.
        """
        rows = as_queries(queries)
        check_dim("queries", rows, self.dim, "table")
        batch, sources = self._native.search(
            rows,
            k=count("k", k),
            nprobes=optional_count("nprobes", nprobes),
            refine_factor=count("refine_factor", refine_factor, 1),
            filter=optional_filter(filter),
            columns=[] if columns is None else strings("columns", columns),
            num_threads=count("num_threads", num_threads, 1),
        )
        found = _as_pyarrow(batch)
        return (found, [SourceStats(*source) for source in sources]) if explain else found

    def get(self, keys: KeysLike, columns: Sequence[str] | None = None) -> pa.RecordBatch:
        """The rows with these keys, in their order; those that are not there are left out.

        Parameters
        ----------
        keys : array_like or Arrow
            Of the primary key's type.
        columns : list of str, optional
            Default: all. `_rowid` may be asked for as well.
        """
        return _as_pyarrow(self._native.get(self._keys(keys), _columns(columns)))

    def take(self, row_ids: PositionsLike, columns: Sequence[str] | None = None) -> pa.RecordBatch:
        """The same by `_rowid`."""
        words = checked_positions("row_ids", row_ids)
        return _as_pyarrow(self._native.take(words, _columns(columns)))

    def scan(
        self,
        *,
        filter: pc.Expression | None = None,  # noqa: A002
        columns: Sequence[str] | None = None,
    ) -> pa.RecordBatchReader:
        """All rows, of one snapshot, in the order of `_rowid`.

        Parameters
        ----------
        filter : pyarrow.compute.Expression, optional
            Only rows for which it is true.
        columns : list of str, optional
            Default: all. `_rowid` may be asked for as well.

        Returns
        -------
        pyarrow.RecordBatchReader
            Rows that are written meanwhile are not in it; it may outlive the table.
        """
        import pyarrow as pa

        reader = self._native.scan(optional_filter(filter), _columns(columns))
        return pa.RecordBatchReader.from_stream(reader)

    def export(
        self,
        file: str | os.PathLike[str],
        *,
        format: ExportFormat | None = None,  # noqa: A002 - as the command's --format
        filter: pc.Expression | None = None,  # noqa: A002
        columns: Sequence[str] | None = None,
    ) -> int:
        """Write the rows that `scan` gives to a file, whole or not at all; an old one is replaced.

        Rows pass through in batches. (Only where columns have dictionaries, Arrow's file format
        needs all rows at once.)

        Parameters
        ----------
        file : path-like
            .parquet, .arrow, .feather, .ipc (Arrow's file format) or .arrows (its stream format).
        format : "arrow", "arrows" or "parquet", optional
            Default: as the file's name says.
        filter, columns
            As `scan`.

        Returns
        -------
        int
            How many rows there were.

        Raises
        ------
        InvalidArgumentError
            Another format, or a name that says none.
        FileError
            The file cannot be written, or is no regular file (an OSError too).
        pyarrow.ArrowInvalid
            The filter fails for a row, as when a scan is read.
        """
        name = file_path(file)
        chosen = choose_format(name, format)
        return export(self.scan(filter=filter, columns=columns), name, chosen)

    def count(self, filter: pc.Expression | None = None) -> int:  # noqa: A002
        """How many rows there are, or for how many the filter is true."""
        return self._native.count(optional_filter(filter))

    def _keys(self, keys: KeysLike) -> pa.Array:
        name = self.primary_key
        return as_keys(keys, None if name is None else self._schema.field(name))

    # --- The table itself ------------------------------------------------------------------

    @property
    def path(self) -> Path:
        """The directory."""
        return Path(self._path)

    @property
    def read_only(self) -> bool:
        """Whether it was opened so."""
        return self._read_only

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self._schema

    @property
    def vector(self) -> str:
        """The column of vectors."""
        return self._native.vector_column

    @property
    def dim(self) -> int:
        """Dimensions of a vector."""
        return self._native.dim

    @property
    def primary_key(self) -> str | None:
        """The column of keys, if there is one."""
        return self._native.primary_key

    @property
    def metric(self) -> Metric:
        """ "l2", "cosine" or "dot"."""
        return self._native.metric  # type: ignore[return-value]

    @property
    def model(self) -> Model | None:
        """None before `train`, unless there was one at `create`; and once the table is closed."""
        native = self._native.model
        return None if native is None else Model(native)

    @property
    def recovery(self) -> RecoveryReport:
        """What opening the table found in its log."""
        return RecoveryReport(**self._native.recovery)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def stats(self) -> TableStats:
        """What the table holds."""
        numbers, waited, generations = self._native.stats()
        return TableStats(
            **numbers,
            waited_seconds=waited,
            generations=tuple(
                GenerationStats(
                    **of_one, model_fingerprint=model, quantization_error=error, drift=drift
                )
                for of_one, model, error, drift in generations
            ),
        )

    def __bool__(self) -> bool:
        """True, also without rows: an empty table is a table."""
        return True

    def __len__(self) -> int:
        """Rows that a search sees."""
        return self.count()

    def __repr__(self) -> str:
        model = self.model
        state = "closed" if self._closed else f"{self.count():,} rows"
        parts = [
            f"{state}, metric={self.metric!r}, vector={self.vector!r}, dim={self.dim}",
            f"primary_key={self.primary_key!r}",
            "no model" if model is None else f"num_partitions={model.num_partitions}",
        ]
        if self._read_only:
            parts.append("read_only=True")
        return f"Table({self._path!r}, {', '.join(parts)})"


def _columns(names: Sequence[str] | None) -> list[str]:
    """As the core takes them: none are all of them."""
    if names is None:
        return []
    listed = strings("columns", names)
    if not listed:
        raise InvalidArgumentError("columns must name at least one; for all of them pass None")
    return listed


def _as_pyarrow(batch: _core.ArrowBatch) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.record_batch(batch)
