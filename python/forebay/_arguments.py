"""Checks of everything that is not vectors: numbers, names, row positions, filters."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from forebay._errors import InvalidArgumentError, InvalidTypeError

#: Row positions or a filter: anything numpy or Arrow that holds integers or booleans.
PositionsLike: TypeAlias = npt.ArrayLike | Any
FilterLike: TypeAlias = npt.ArrayLike | Any

Positions: TypeAlias = npt.NDArray[np.uint64]

MAX_POSITION = 2**63 - 1
_MAX_COUNT = 2**31 - 1


def describe(value: object) -> str:
    """What came, for messages: dtype and shape of an array, else the type."""
    if isinstance(value, (np.ndarray, np.generic)):
        return f"{value.dtype}{list(value.shape)}"
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    name = module + kind.__qualname__
    arrow_type = getattr(value, "type", None) if is_arrow(value) else None
    return name if arrow_type is None else f"{name} of {arrow_type}"


def is_arrow(value: object) -> bool:
    """Whether it speaks Arrow's PyCapsule protocol."""
    return hasattr(value, "__arrow_c_array__") or hasattr(value, "__arrow_c_stream__")


def count(name: str, value: SupportsIndex, at_least: int = 0, at_most: int = _MAX_COUNT) -> int:
    """A whole number within bounds."""
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise InvalidTypeError(f"{name} must be an integer; got {value!r}")
    number = operator.index(value)
    if not at_least <= number <= at_most:
        raise InvalidArgumentError(f"{name} must be from {at_least} to {at_most}; got {number}")
    return number


def optional_count(name: str, value: SupportsIndex | None, at_least: int = 0) -> int | None:
    """The same, or None."""
    return None if value is None else count(name, value, at_least)


def choice(name: str, value: str, choices: Sequence[str]) -> str:
    """One of a few names."""
    if not isinstance(value, str):
        raise InvalidTypeError(f"{name} must be a string; got {value!r}")
    if value not in choices:
        raise InvalidArgumentError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def number(name: str, value: float) -> float:
    """A float that is not NaN; infinities are fine."""
    try:
        converted = float(value)
    except (TypeError, ValueError):
        raise InvalidTypeError(f"{name} must be a number; got {value!r}") from None
    if math.isnan(converted):
        raise InvalidArgumentError(f"{name} must be a number; got NaN")
    return converted


def checked_range(
    value: tuple[float | None, float | None] | None,
) -> tuple[float, float]:
    """Lower (inclusive) and upper (exclusive) bound of the distances."""
    if value is None:
        return -math.inf, math.inf
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise InvalidTypeError(
            f"distance_range must be a pair (lower, upper), each a number or None; got {value!r}"
        )
    lower, upper = value
    return (
        -math.inf if lower is None else number("distance_range's lower bound", lower),
        math.inf if upper is None else number("distance_range's upper bound", upper),
    )


def _from_arrow(name: str, value: object) -> npt.NDArray[Any]:
    """An Arrow array of integers or booleans as numpy. Null booleans are False."""
    import pyarrow as pa

    array = pa.array(value) if hasattr(value, "__arrow_c_array__") else pa.chunked_array(value)
    if pa.types.is_boolean(array.type):
        array = array.fill_null(False)
    elif array.null_count > 0:
        raise InvalidArgumentError(
            f"{name} must have no nulls; got {array.null_count} of {len(array)}; drop them first"
        )
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _as_array(name: str, value: PositionsLike) -> npt.NDArray[Any]:
    if is_arrow(value):
        return _from_arrow(name, value)
    if isinstance(value, np.ma.MaskedArray):
        raise InvalidTypeError(f"{name} must not be a masked array; pass value[~value.mask].data")
    array = np.asarray(value)
    empty_list = array.size == 0 and not isinstance(value, np.ndarray)
    return array.astype(np.int64) if empty_list else array


def checked_positions(
    name: str, value: PositionsLike, num_rows: int | None = None
) -> npt.NDArray[np.uint64]:
    """One position for each row, as C-contiguous uint64; of any number if num_rows is None."""
    array = _as_array(name, value)
    if array.dtype.kind not in "iu":
        raise InvalidTypeError(f"{name} must be integers; got {describe(array)}")
    if array.ndim != 1 or (num_rows is not None and len(array) != num_rows):
        expected = "1-D" if num_rows is None else f"one for each of the {num_rows} rows"
        raise InvalidArgumentError(f"{name} must be {expected}; got {describe(array)}")
    if array.size > 0:
        for extreme in (int(array.min()), int(array.max())):
            if not 0 <= extreme <= MAX_POSITION:
                raise InvalidArgumentError(
                    f"{name} must be from 0 to 2^63 - 1; got {extreme}, in {describe(array)}"
                )
    return np.ascontiguousarray(array, dtype=np.uint64)


class RowFilter(NamedTuple):
    """The rows that a search may return, as forebay._core takes them."""

    mask: npt.NDArray[np.uint64] | None = None
    mask_size: int = 0
    positions: npt.NDArray[np.uint64] | None = None


def row_filter(value: FilterLike | None) -> RowFilter:
    """A boolean mask by row position, or positions in any order."""
    if value is None:
        return RowFilter()
    array = _as_array("filter", value)
    if array.dtype.kind != "b":
        if array.dtype.kind not in "iu":
            raise InvalidTypeError(
                "filter must be a boolean mask by row position, or integer row positions; "
                f"got {describe(array)}"
            )
        positions = checked_positions("filter", array)
        if np.any(positions[1:] <= positions[:-1]):
            positions = np.unique(positions)
        return RowFilter(positions=positions)
    if array.ndim != 1:
        raise InvalidArgumentError(f"filter must be 1-D; got {describe(array)}")
    words = np.zeros((len(array) + 63) // 64, dtype=np.uint64)
    bits = np.packbits(array, bitorder="little")
    words.view(np.uint8)[: len(bits)] = bits
    return RowFilter(mask=words, mask_size=len(array))


def positions_of(given: PositionsLike | None, num_rows: int) -> object:
    """As forebay._core takes it: None, the first position, or one for each row."""
    if given is None:
        return None
    if isinstance(given, (int, np.integer)):
        return count("row_positions", given, at_most=MAX_POSITION)
    return checked_positions("row_positions", given, num_rows)
