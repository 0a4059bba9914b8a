"""Vectors in: from numpy, from Arrow, and from what numpy makes arrays of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from forebay import _core
from forebay._arguments import AnyArray, SupportsArray, describe, to_numpy
from forebay._arrow import as_chunked, is_arrow
from forebay._errors import InvalidArgumentError, InvalidTypeError

if TYPE_CHECKING:
    import pyarrow as pa

Rows: TypeAlias = Sequence[Sequence[float]] | Sequence[SupportsArray]

#: A 2-D array of floats, or lists of them; or Arrow: fixed-size lists of floats, record batches.
VectorsLike: TypeAlias = AnyArray | Rows

#: The same; or a single query.
QueriesLike: TypeAlias = VectorsLike | Sequence[float]

#: Centroids [num_partitions, dim] or a codebook [num_sub_vectors, num_codewords, width].
FloatsLike: TypeAlias = SupportsArray | Rows | Sequence[Sequence[Sequence[float]]]

Floats: TypeAlias = npt.NDArray[np.float32]


def _shape_hint(name: str, value: object, array: npt.NDArray[np.floating], num_dims: int) -> str:
    """What to do about one dimension where two were expected."""
    if (array.ndim, num_dims) != (1, 2):
        return ""
    if array.size == 0:
        return f"; for no {name} pass np.empty((0, dim), np.float32)"
    one = f"{name}[np.newaxis]" if isinstance(value, np.ndarray) else f"[{name}]"
    return f"; for one vector pass {one}"


def checked_floats(
    name: str, value: object, num_dims: int, *, promote: bool = False
) -> npt.NDArray[Any]:
    """`value` as an array of floats, or (from lists) of numbers.

    `promote`: one dimension less is one row.
    """
    array = to_numpy(name, value)
    numbers = array.dtype.kind in "biu"
    if array.dtype.kind != "f" and not (numbers and isinstance(value, (list, tuple))):
        hint = f"; convert with np.asarray({name}, dtype=np.float32)" if numbers else ""
        raise InvalidTypeError(
            f"{name} must be float32 (float16 and float64 are converted); got "
            f"{describe(value, array)}{hint}"
        )
    if promote and array.ndim + 1 == num_dims and array.size > 0:
        array = array[np.newaxis]
    if array.ndim != num_dims:
        raise InvalidArgumentError(
            f"{name} must be {num_dims}-D; got {describe(array)}"
            f"{_shape_hint(name, value, array, num_dims)}"
        )
    return array


def converted(array: npt.NDArray[Any], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """C-contiguous, of this dtype; what is too great for it becomes infinity."""
    with np.errstate(over="ignore"):  # Such a vector is reported as bad.
        return np.ascontiguousarray(array, dtype=dtype)


def float_array(name: str, value: object, num_dims: int, *, promote: bool = False) -> Floats:
    """`value` as C-contiguous float32: itself if it is that already.

    float16 and float64 arrays are converted, and so are lists of numbers. A float32 array with
    gaps is an error rather than a silent copy. `promote`: as for checked_floats.
    """
    array = checked_floats(name, value, num_dims, promote=promote)
    if array.dtype != np.float32 or not array.dtype.isnative:
        return converted(array, np.float32)
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise InvalidArgumentError(
            f"{name} must be C-contiguous and aligned, to be used without a copy; got "
            f"{describe(array)} with strides {array.strides}; make a copy with "
            + (f"np.ascontiguousarray({name})" if array.flags.aligned else f"{name}.copy()")
        )
    return array


def _is_vector_type(data_type: pa.DataType) -> bool:
    """fixed_size_list of float16, float32 or float64, or an extension type over one."""
    import pyarrow as pa

    storage = data_type.storage_type if isinstance(data_type, pa.BaseExtensionType) else data_type
    return bool(pa.types.is_fixed_size_list(storage) and pa.types.is_floating(storage.value_type))


def _dim(data_type: pa.DataType) -> int:
    storage = getattr(data_type, "storage_type", data_type)
    return int(storage.list_size)


def _column_index(name: str, struct: pa.StructType, column: str | None) -> int:
    """Which column of a record batch's type has the vectors."""
    fields = [struct.field(i) for i in range(struct.num_fields)]
    listing = ", ".join(f"{field.name}: {field.type}" for field in fields) or "none"
    if column is not None:
        places = [i for i, field in enumerate(fields) if field.name == column]
        wanted = f"one column {column!r}"
    else:
        places = [i for i, field in enumerate(fields) if _is_vector_type(field.type)]
        wanted = "one column of vectors (else name it with column=)"
    if len(places) != 1:
        raise InvalidArgumentError(
            f"{name} must have {wanted}; got {len(places)}, the columns being {listing}"
        )
    return places[0]


def _from_arrow(name: str, value: object, column: str | None) -> _core.Vectors:
    import pyarrow as pa

    array = as_chunked(name, value)
    data_type, chunks = array.type, array.chunks
    if pa.types.is_struct(data_type):
        place = _column_index(name, data_type, column)
        data_type = data_type.field(place).type
        chunks = [pa.RecordBatch.from_struct_array(chunk).column(place) for chunk in chunks]
    elif column is not None:
        raise InvalidArgumentError(f"column= goes with a record batch; got {describe(value)}")
    if not _is_vector_type(data_type):
        raise InvalidTypeError(
            f"{name} must be a fixed_size_list of float16, float32 or float64; got {data_type}; "
            "cast it first"
        )
    return _core.Vectors(chunks, _dim(data_type))


def as_vectors(
    name: str, value: QueriesLike, *, column: str | None = None, promote: bool = False
) -> _core.Vectors:
    """Rows of float32, borrowed wherever their memory can be used as it is."""
    if is_arrow(value):
        return _from_arrow(name, value, column)
    if column is not None:
        raise InvalidArgumentError(f"column= goes with a record batch; got {describe(value)}")
    return _core.Vectors(float_array(name, value, 2, promote=promote))


def as_queries(value: QueriesLike, *, column: str | None = None) -> _core.Vectors:
    """The same; a single 1-D vector is one query."""
    return as_vectors("queries", value, column=column, promote=True)


def check_dim(name: str, vectors: _core.Vectors, dim: int, whose: str = "model") -> None:
    """The model's dimension (or the table's), also when there are no rows."""
    if vectors.dim != dim:
        raise InvalidArgumentError(
            f"{name} must have the {whose}'s dimension {dim}; got shape "
            f"[{vectors.num_rows}, {vectors.dim}]"
        )
