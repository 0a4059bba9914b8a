"""Rows as files."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from forebay._errors import InvalidArgumentError

if TYPE_CHECKING:
    import pyarrow as pa

ExportFormat = Literal["arrow", "arrows", "parquet"]

_SUFFIXES: dict[str, ExportFormat] = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".arrows": "arrows",
}


def choose_format(name: str, asked: str | None) -> ExportFormat:
    """As asked, or as the file's name says."""
    for known in ("arrow", "arrows", "parquet"):
        if asked == known:
            return known
    if asked is not None:
        raise InvalidArgumentError(f'format must be "arrow", "arrows" or "parquet"; got {asked!r}')
    by_name = _SUFFIXES.get(Path(name).suffix.lower())
    if by_name is None:
        raise InvalidArgumentError(
            f"the file's name must end in one of {', '.join(_SUFFIXES)}, or format= be given; "
            f"got {name!r}"
        )
    return by_name


def export(reader: pa.RecordBatchReader, name: str, file_format: ExportFormat) -> int:
    """Write all that is read to a file, which is there when all of it is. How many rows."""
    target = Path(name).resolve()  # A link stays one.
    part = target.with_name(f"{target.name}.tmp-{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            num_rows = _write(reader, file, file_format)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    return num_rows


def _write(reader: pa.RecordBatchReader, file: BinaryIO, file_format: ExportFormat) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file_format == "arrow" and any(_has_dictionary(field.type) for field in reader.schema):
        # One dictionary for each column of a file: all rows are needed before the first is written.
        # (Those of generations stay on disk, where they are mapped.)
        rows = reader.read_all()
        options = pa.ipc.IpcWriteOptions(unify_dictionaries=True)
        with pa.ipc.new_file(file, rows.schema, options=options) as writer:
            writer.write_table(rows)
        return int(rows.num_rows)
    opened = {"arrow": pa.ipc.new_file, "arrows": pa.ipc.new_stream, "parquet": pq.ParquetWriter}
    num_rows = 0
    with opened[file_format](file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
            num_rows += batch.num_rows
    return num_rows


def _has_dictionary(data_type: pa.DataType) -> bool:
    import pyarrow as pa

    if isinstance(data_type, pa.BaseExtensionType):
        return _has_dictionary(data_type.storage_type)
    if pa.types.is_dictionary(data_type):
        return True
    return any(_has_dictionary(data_type.field(i).type) for i in range(data_type.num_fields))
