"""Rows and keys in: what a table is given becomes Arrow, of the table's types."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from forebay._arguments import AnyArray, describe, string
from forebay._arrow import as_chunked, in_one_piece, is_arrow
from forebay._errors import InvalidArgumentError, InvalidTypeError
from forebay._vectors import Rows, checked_floats, converted

if TYPE_CHECKING:
    import pyarrow as pa

#: Record batches, tables and data frames; arrays by the names of their columns (of types so
#: different that Any is what fits a dict of them); or the vectors alone, if the table has no other
#: column.
RowsLike: TypeAlias = AnyArray | Rows | Mapping[str, Any]

#: An array of the primary key's type, or what makes one.
KeysLike: TypeAlias = AnyArray | Sequence[int] | Sequence[str]


def as_batch(value: RowsLike, schema: pa.Schema, vector: str) -> pa.RecordBatch:
    """All rows in one batch, as a put is one; of the table's types where they can be converted."""
    import pyarrow as pa

    if isinstance(value, pa.RecordBatch) and value.schema == schema:
        return value  # Rows often come one by one, and then it counts what is done around them.
    columns, types_are_meant = _columns(value, schema, vector)
    arrays = [
        _conform(name, column, schema.field(name), vector, strict=types_are_meant)
        if schema.get_field_index(name) >= 0
        else _as_arrow(name, column)  # The core says which columns it has no use for.
        for name, column in columns
    ]
    lengths = {len(array) for array in arrays}
    if len(lengths) > 1:
        listing = ", ".join(
            f"{name}: {len(array)}" for (name, _), array in zip(columns, arrays, strict=True)
        )
        raise InvalidArgumentError(f"the columns must have one length; got {listing}")
    return pa.RecordBatch.from_arrays(arrays, names=[name for name, _ in columns])


def _columns(
    value: RowsLike, schema: pa.Schema, vector: str
) -> tuple[list[tuple[str, object]], bool]:
    """Name and content of each column, and whether their types are what the caller chose.

    pandas and numpy have int64 and float64 where nobody asked for them.
    """
    frame = _from_pandas(value, schema)
    if frame is not None:
        return list(zip(frame.column_names, frame.columns, strict=True)), False
    if is_arrow(value):
        return _from_arrow(value, schema, vector), True
    if isinstance(value, Mapping):
        return [(string("a column's name", name), column) for name, column in value.items()], False
    if schema.names != [vector]:
        listing = ", ".join(f"{field.name}: {field.type}" for field in schema)
        raise InvalidTypeError(
            "rows must be a record batch, a table, a data frame, or a dict of columns, as the "
            f"table has several ({listing}); got {describe(value)}{_hint(value)}"
        )
    return [(vector, value)], False


def _hint(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return "; for a list of rows pass pa.Table.from_pylist(rows, schema=table.schema)"
    return ""


def _from_pandas(value: object, schema: pa.Schema) -> pa.Table | None:
    """A data frame as a table; None for anything else."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.DataFrame):
        return None
    import pyarrow as pa

    # An index is a column if the table has one of its name; the numbers of rows are not.
    index = bool(set(value.index.names) & (set(schema.names) - set(value.columns)))
    try:
        return pa.Table.from_pandas(value, preserve_index=index)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidArgumentError(f"the data frame cannot be read as Arrow: {error}") from error


def _from_arrow(value: object, schema: pa.Schema, vector: str) -> list[tuple[str, object]]:
    import pyarrow as pa

    array = as_chunked("rows", value)
    if not pa.types.is_struct(array.type):
        if schema.names == [vector]:
            return [(vector, array)]
        raise InvalidTypeError(
            f"rows must be a record batch or a table; got an array of {array.type}"
        )
    batch = pa.RecordBatch.from_struct_array(in_one_piece("rows", array))
    return list(zip(batch.schema.names, batch.columns, strict=True))


def _conform(name: str, column: object, field: pa.Field, vector: str, *, strict: bool) -> pa.Array:
    """A column as an array of the field's type, as far as the conversion is meant.

    strict: what has an Arrow type keeps it, vectors aside.
    """
    import pyarrow as pa

    if name == vector and not is_arrow(column):
        return _vectors(name, column, field.type)
    array = _as_arrow(name, column, None if is_arrow(column) else field.type)
    if array.type == field.type or (strict and not (name == vector and _is_list(array.type))):
        return array
    expected = f"column {name!r} must be {field.type}; got {array.type}"
    if _is_text(array.type) != _is_text(field.type) and not pa.types.is_null(array.type):
        raise InvalidArgumentError(expected)  # A cast would parse it, or spell it.
    try:
        return array.cast(field.type)
    except (pa.ArrowException, ValueError) as error:
        raise InvalidArgumentError(f"{expected}: {error}") from error


def _is_text(data_type: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(data_type):
        data_type = data_type.value_type
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(kind(data_type) for kind in kinds)


def _is_list(data_type: pa.DataType) -> bool:
    import pyarrow as pa

    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(kind(data_type) for kind in kinds) and pa.types.is_floating(data_type.value_type)


def _vectors(name: str, value: object, data_type: pa.FixedSizeListType) -> pa.Array:
    """A 2-D array of floats, or lists, as fixed-size lists."""
    import pyarrow as pa

    what = f"column {name!r}"
    if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1:
        value = list(value)  # An array for each row.
    array = checked_floats(what, value, 2)
    if array.shape[1] != data_type.list_size:
        raise InvalidArgumentError(
            f"{what} must have the table's dimension {data_type.list_size}; got {describe(array)}"
        )
    floats = converted(array, data_type.value_type.to_pandas_dtype())
    return pa.FixedSizeListArray.from_arrays(pa.array(floats.reshape(-1)), type=data_type)


def _as_arrow(name: str, column: object, data_type: pa.DataType | None = None) -> pa.Array:
    """In one piece; `data_type` for what has no type of Arrow's."""
    import pyarrow as pa

    what = f"column {name!r}"
    if is_arrow(column):
        return in_one_piece(what, as_chunked(what, column))
    try:
        array = _inferred(column, data_type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        expected = "an array" if data_type is None else f"{data_type}, or what makes it"
        raise InvalidArgumentError(
            f"{what} must be {expected}; got {describe(column)}: {error}"
        ) from error
    return in_one_piece(what, array) if isinstance(array, pa.ChunkedArray) else array


def _inferred(values: object, data_type: pa.DataType | None) -> pa.Array | pa.ChunkedArray:
    """Of this type, or for integers of the type that the values have: 1.5 must not become 1."""
    import pyarrow as pa

    if data_type is not None and pa.types.is_integer(data_type):
        try:
            return pa.array(values)
        except OverflowError:  # Beyond int64, which is what Python's integers become.
            pass
    return pa.array(values, type=data_type)


def as_keys(value: KeysLike, field: pa.Field | None) -> pa.Array:
    """An array of the primary key's type; `field` is None where a table has no key."""
    import pyarrow as pa

    if isinstance(value, (str, bytes)):
        raise InvalidTypeError(f"keys must be a list or an array; got {value!r}; pass [{value!r}]")
    if field is None:  # The core says what to do instead.
        return pa.array([], pa.int64())
    if is_arrow(value):
        array = in_one_piece("keys", as_chunked("keys", value))
    else:
        array = _plain_keys(value, field.type)
    if not _is_key(array.type, field.type) and len(array) > 0:
        raise InvalidTypeError(
            f"keys must be {field.type}, as column {field.name!r} is; got {describe(value)}"
        )
    try:
        return array.cast(field.type)
    except (pa.ArrowException, ValueError) as error:
        raise InvalidArgumentError(f"keys must be {field.type}: {error}") from error


def _plain_keys(value: object, key_type: pa.DataType) -> pa.Array:
    import pyarrow as pa

    try:
        # A set or a generator will do; an array of numpy's has a type of its own.
        return _inferred(value if hasattr(value, "__array__") else list(value), key_type)  # type: ignore[call-overload]
    except OverflowError as error:
        raise InvalidArgumentError(f"keys must be {key_type}: {error}") from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidTypeError(
            f"keys must be {key_type}, in a list or an array; got {describe(value)}: {error}"
        ) from error


def _is_key(data_type: pa.DataType, key_type: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_string(key_type):
        return _is_text(data_type)
    return bool(pa.types.is_integer(data_type))
