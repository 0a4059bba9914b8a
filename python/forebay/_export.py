"""Rows as files."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from forebay import _core
from forebay._arguments import choice
from forebay._errors import InvalidArgumentError, naming

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Buffer

ExportFormat = Literal["arrow", "arrows", "parquet"]

#: A row group of Parquet has so many, or one batch more.
_GROUP_ROWS = 128 * 1024
_GROUP_BYTES = 64 * 1024 * 1024

_SUFFIXES: dict[str, ExportFormat] = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrows",
}


def choose_format(name: str, asked: str | None) -> ExportFormat:
    """As asked, or as the file's name says."""
    if asked is not None:
        return cast("ExportFormat", choice("format", asked, ("arrow", "arrows", "parquet")))
    by_name = _SUFFIXES.get(Path(name).suffix.lower())
    if by_name is None:
        raise InvalidArgumentError(
            f"the file's name must end in one of {', '.join(_SUFFIXES)}, or format= be given; "
            f"got {name!r}"
        )
    return by_name


def export(reader: pa.RecordBatchReader, name: str, file_format: ExportFormat) -> int:
    """Write all that is read to a file, which is there when all of it is. How many rows."""
    with naming(name):
        file = _core.NewFile.create(name)
        try:
            num_rows = _write(reader, _Sink(file), file_format)
        except BaseException:
            file.discard()
            raise
        file.finish()
    return num_rows


class _Sink(io.RawIOBase):
    """As pyarrow takes it."""

    def __init__(self, file: _core.NewFile) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        view = bytes(data)
        self._file.append(view)
        return len(view)


def _write(reader: pa.RecordBatchReader, file: _Sink, file_format: ExportFormat) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    num_rows = 0
    if file_format == "parquet":
        with pq.ParquetWriter(file, reader.schema) as parquet:
            for group in _row_groups(reader):
                parquet.write_table(group, row_group_size=len(group))
                num_rows += len(group)
        return num_rows
    if file_format == "arrow" and any(_has_dictionary(field.type) for field in reader.schema):
        # One dictionary for each column of a file: all rows are needed before the first is written.
        # (Those of generations stay on disk, where they are mapped.)
        rows = reader.read_all()
        options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
        with pa.ipc.new_file(file, rows.schema, options=options) as writer:
            writer.write_table(rows)
        return len(rows)
    open_writer = pa.ipc.new_file if file_format == "arrow" else pa.ipc.new_stream
    with open_writer(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            num_rows += len(batch)
    return num_rows


def _row_groups(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """The batches, as many together as make a row group of a useful size."""
    import pyarrow as pa

    batches: list[pa.RecordBatch] = []
    num_rows = num_bytes = 0
    for batch in reader:
        batches.append(batch)
        num_rows += len(batch)
        num_bytes += batch.nbytes
        if num_rows >= _GROUP_ROWS or num_bytes >= _GROUP_BYTES:
            yield pa.Table.from_batches(batches)
            batches = []
            num_rows = num_bytes = 0
    if batches:
        yield pa.Table.from_batches(batches)


def _has_dictionary(data_type: pa.DataType) -> bool:
    import pyarrow as pa

    if isinstance(data_type, pa.BaseExtensionType):
        return _has_dictionary(data_type.storage_type)
    if pa.types.is_dictionary(data_type):
        return True
    return any(_has_dictionary(data_type.field(i).type) for i in range(data_type.num_fields))
