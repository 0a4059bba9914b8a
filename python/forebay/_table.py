"""The durable table: what it acknowledged is there after a crash, and found at once."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Self, SupportsFloat, SupportsIndex

from forebay import _core
from forebay._arguments import choice, file_path, string
from forebay._arrow import SupportsArrowSchema
from forebay._errors import InvalidArgumentError, InvalidTypeError, naming
from forebay._filters import as_filter
from forebay._index import OnBadVectors
from forebay._model import METRICS, Metric, Model
from forebay._rows import KeysLike, RowsLike, as_batch
from forebay._table_options import Sync, table_options
from forebay._table_reader import TableReader
from forebay._table_results import PutReport, VerifyReport
from forebay._training import Progress, reporting, train_options

if TYPE_CHECKING:
    import pyarrow.compute as pc


class Table(TableReader):
    """A directory of rows with vectors. What it acknowledges is durable, and found at once.

    Made by `Table.create` or `Table.open`. A context manager: `with` closes it.

    Notes
    -----
    Thread safety: all methods may be called from any number of threads at any time, and release the
    GIL while they work. Puts that come together share one sync; a search sees all of a put or
    nothing of it. One process at a time has a table open for writing; others may open it with
    read_only=True, and see what there was then.

    After a write or a sync has failed (a full disk, say), every write is refused until the table is
    opened again, while reads go on. What was acknowledged is there.
    """

    __slots__ = ()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        schema: SupportsArrowSchema,
        *,
        vector: str,
        primary_key: str | None = None,
        metric: Metric = "l2",
        model: Model | None = None,
        sync: Sync = "always",
        sync_interval: SupportsFloat = 0.1,
        max_memtable_rows: SupportsIndex = 4_000_000,
        max_memtable_bytes: SupportsIndex = 4 << 30,
        flush_on_close: bool = False,
        merge_fan_in: SupportsIndex = 8,
        max_merge_bytes: SupportsIndex = 256 << 30,
        merge_bytes_per_second: SupportsIndex | None = None,
        on_bad_vectors: OnBadVectors = "error",
        fill_value: SupportsFloat = 0.0,
        num_threads: SupportsIndex = 1,
        verify_on_open: bool = True,
    ) -> Table:
        """Make an empty table, and open it for writing.

        Parameters
        ----------
        path : str or os.PathLike
            A directory, which is made unless it is there.
        schema : Arrow schema
            Of any columns, none of them called `_rowid`, `_distance` or `query_index`. Dictionaries
            have indices of 32 or 64 bits; rows that are put may have narrower ones, as pandas'
            categories do.
        vector : str
            The column of vectors: a fixed_size_list of float32, float16 or float64.
        primary_key : str, optional
            A column of int64, uint64 or string: a row replaces the one with the same key. Default:
            none, rows only add up.
        metric : {"l2", "cosine", "dot"}
            Squared Euclidean distance, 1 - cos(x, y), or 1 - x.y.
        model : Model, optional
            Of the same metric and dimension. Default: searches compare every row, until `train`.
        sync : {"always", "interval", "none"}
            When a put is durable: before it returns; sync_interval seconds later at the latest; or
            when the system sees fit. A crash of the process alone never takes anything.
        sync_interval : float
            Seconds, with sync="interval"; at least 0.001.
        max_memtable_rows, max_memtable_bytes : int
            A put that would take the MemTable beyond either waits until that has been flushed; one
            that has more by itself is refused. At most 2^31 - 1 rows.
        flush_on_close : bool
            `close` flushes the MemTable, so that the next opening has little to replay.
        merge_fan_in : int
            So many generations of about the same size are merged in the background; at least 2. 0:
            never, but by `merge`.
        max_merge_bytes : int
            Generations with more bytes together are not merged in the background, so that merging
            takes no more disk than that.
        merge_bytes_per_second : int, optional
            The background writes no more vectors than that. Default: as fast as it can.
        on_bad_vectors : {"error", "drop", "fill"}
            What `put` does with vectors that are null, NaN, infinite, too long (a squared norm of
            2^124 or more), or zero under cosine: write nothing and say which row is bad; leave the
            row out and count it; or store fill_value in every dimension instead.
        fill_value : float
            With "fill"; it must itself make a good vector.
        num_threads : int
            Threads that encode.
        verify_on_open : bool
            Also look into what the checksums cover: that strings are UTF-8, say.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            The schema does not fit, or an argument is wrong.
        FailedPreconditionError
            There is a table already.
        FileError
            The system refused it; errno and filename say why and where.
        """
        options = table_options(
            read_only=False,
            sync=sync,
            sync_interval=sync_interval,
            max_memtable_rows=max_memtable_rows,
            max_memtable_bytes=max_memtable_bytes,
            flush_on_close=flush_on_close,
            merge_fan_in=merge_fan_in,
            max_merge_bytes=max_merge_bytes,
            merge_bytes_per_second=merge_bytes_per_second,
            on_bad_vectors=on_bad_vectors,
            fill_value=fill_value,
            num_threads=num_threads,
            verify_on_open=verify_on_open,
        )
        if not hasattr(schema, "__arrow_c_schema__"):
            raise InvalidTypeError(f"schema must be an Arrow schema; got {schema!r}")
        if model is not None and not isinstance(model, Model):
            raise InvalidTypeError(f"model must be a forebay.Model or None; got {model!r}")
        with naming(file_path(path)) as name:
            native = _core.Table.create(
                name,
                schema,
                vector=string("vector", vector),
                primary_key=None if primary_key is None else string("primary_key", primary_key),
                metric=choice("metric", metric, METRICS),
                model=None if model is None else model._native,  # noqa: SLF001
                options=options,
            )
        return cls(native, name, read_only=False)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        sync: Sync = "always",
        sync_interval: SupportsFloat = 0.1,
        max_memtable_rows: SupportsIndex = 4_000_000,
        max_memtable_bytes: SupportsIndex = 4 << 30,
        flush_on_close: bool = False,
        merge_fan_in: SupportsIndex = 8,
        max_merge_bytes: SupportsIndex = 256 << 30,
        merge_bytes_per_second: SupportsIndex | None = None,
        on_bad_vectors: OnBadVectors = "error",
        fill_value: SupportsFloat = 0.0,
        num_threads: SupportsIndex = 1,
        verify_on_open: bool = True,
    ) -> Table:
        """Open a table, and replay its log; `recovery` says what was in it.

        Parameters
        ----------
        path : str or os.PathLike
        read_only : bool
            See what is there now, also while another process writes; nothing is changed. `refresh`
            shows what came since.
        sync, sync_interval, max_memtable_rows, max_memtable_bytes, flush_on_close, merge_fan_in, \
max_merge_bytes, merge_bytes_per_second, on_bad_vectors, fill_value, num_threads, verify_on_open
            As for `create`.

        Raises
        ------
        FailedPreconditionError
            There is no table, or another process has it open for writing; the message names it.
        CorruptionError
            Data that was acknowledged is damaged.
        FileError
            The system refused it; errno and filename say why and where.
        """
        options = table_options(
            read_only=read_only,
            sync=sync,
            sync_interval=sync_interval,
            max_memtable_rows=max_memtable_rows,
            max_memtable_bytes=max_memtable_bytes,
            flush_on_close=flush_on_close,
            merge_fan_in=merge_fan_in,
            max_merge_bytes=max_merge_bytes,
            merge_bytes_per_second=merge_bytes_per_second,
            on_bad_vectors=on_bad_vectors,
            fill_value=fill_value,
            num_threads=num_threads,
            verify_on_open=verify_on_open,
        )
        with naming(file_path(path)) as name:
            return cls(_core.Table.open(name, options), name, read_only=bool(read_only))

    # --- Writing ---------------------------------------------------------------------------

    def put(self, rows: RowsLike) -> PutReport:
        """Add rows; with a primary key, each replaces the older row of its key.

        All of the rows or none: those of several chunks are put together first, so that the whole
        call is one batch. When it returns they are durable (as far as `sync` says), and every
        search that starts after sees them. Of several rows with one key the last counts.

        Parameters
        ----------
        rows : Arrow, pandas.DataFrame, dict or array_like
            All columns of the table, in any order: a record batch, a table or a stream of any Arrow
            library; a data frame; a dict from names to arrays; or, where vectors are the only
            column, a 2-D array. Vectors may be float32, float16 or float64 arrays, or lists of the
            right length; numbers and strings of numpy, pandas and lists are converted where that
            loses nothing, while other Arrow columns must be of the table's types.

        Returns
        -------
        PutReport

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            Other columns, a null key, a bad vector (on_bad_vectors="error"): nothing was written.
        CapacityExceededError
            More than max_memtable_rows or max_memtable_bytes by itself: nothing was written.
        FileError, FailedPreconditionError
            The write failed, or an earlier one did; the MemTable is full and cannot be flushed; or
            the table is closed, or read only.
        """
        batch = as_batch(rows, self._schema, self.vector)
        with naming(self._path):
            return PutReport(**self._native.put(batch))

    def delete(
        self,
        keys: KeysLike | None = None,
        *,
        filter: pc.Expression | None = None,  # noqa: A002 - it is what everyone calls it
    ) -> int:
        """Delete rows by their keys or by a filter; as durable as a put.

        Parameters
        ----------
        keys : array_like or Arrow, optional
            Of the primary key's type. Keys that are not there are left alone.
        filter : pyarrow.compute.Expression, optional
            Delete the rows for which it is true. One of the two must be given.

        Returns
        -------
        int
            How many rows there were.

        Raises
        ------
        As `put`.
        """
        if (keys is None) == (filter is None):
            raise InvalidArgumentError("delete takes either keys or filter=; give one of them")
        with naming(self._path):
            if keys is not None:
                return self._native.delete_keys(self._keys(keys))
            return self._native.delete_where(as_filter(filter))

    def flush(self) -> None:
        """Make a generation of the rows in memory; it is there when this returns.

        That happens by itself when the MemTable is full. Reads and writes go on meanwhile, and see
        the same rows as before and after. Opening the table need not replay these rows any more.

        Raises
        ------
        FileError
            The system refused it (a full disk, say). Nothing is lost; the next flush, or put that
            finds no room, tries again.
        FailedPreconditionError
            An earlier write failed; or the table is closed, or read only.
        """
        with naming(self._path):
            self._native.flush()

    def merge(self) -> None:
        """Make one generation of all, without their dead rows; it is there when this returns.

        Reads and writes go on meanwhile. Where all generations have the table's model nothing is
        encoded anew. Rows that are in memory stay there: `flush` first to have them in it too.

        Raises
        ------
        FileError
            The system refused it; all is as before.
        FailedPreconditionError
            As `flush`.
        """
        with naming(self._path):
            self._native.merge()

    def refresh(self) -> None:
        """Of a table that was opened read only: show what is there now.

        Reads that go on keep their snapshot. It costs what opening the table costs.

        Raises
        ------
        FailedPreconditionError
            The table was opened for writing, and so sees every row at once; or it is closed.
        CorruptionError, FileError
            As `open`; what was seen is seen still.
        """
        with naming(self._path):
            self._native.refresh()

    def train(
        self,
        *,
        num_partitions: SupportsIndex | None = None,
        num_sub_vectors: SupportsIndex | None = None,
        num_bits: SupportsIndex = 8,
        residual: bool | None = None,
        sample_rate: SupportsIndex = 256,
        max_iters: SupportsIndex = 25,
        pq_max_iters: SupportsIndex = 25,
        seed: SupportsIndex = 1,
        num_threads: SupportsIndex | None = None,
        progress: Progress = False,
    ) -> None:
        """Train a model on the table's rows, and search by it from now on, durably.

        The arguments are those of `forebay.train`; the metric is the table's. Generations keep the
        model that they have until they are merged. Writes and searches go on meanwhile. Ctrl-C
        stops the training at the end of the running k-means iteration.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
            An argument is wrong, or there are too few rows.
        FileError, FailedPreconditionError
            As for `put`.
        """
        options = train_options(
            num_partitions=num_partitions,
            num_sub_vectors=num_sub_vectors,
            num_bits=num_bits,
            metric=self.metric,
            residual=residual,
            sample_rate=sample_rate,
            max_iters=max_iters,
            pq_max_iters=pq_max_iters,
            seed=seed,
            num_threads=num_threads,
        )
        with naming(self._path), reporting(progress) as report:
            self._native.train(options, report)

    # --- The table itself ------------------------------------------------------------------

    def verify(self) -> VerifyReport:
        """Read the files again, and check them and all rows; it takes as long as putting them anew.

        Raises
        ------
        CorruptionError
            With the first fault.
        """
        with naming(self._path):
            return VerifyReport(**self._native.verify())

    def close(self) -> None:
        """Sync what is not durable yet, and let others write. Closing again does nothing.

        Every other method that reads or writes rows then raises FailedPreconditionError.
        """
        self._closed = True
        with naming(self._path):
            self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
