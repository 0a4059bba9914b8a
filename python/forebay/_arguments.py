"""Checks of everything that is not vectors: numbers, names, paths, row positions, filters."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Sequence
from typing import Any, Protocol, SupportsFloat, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from forebay._arrow import SupportsArrowArray, SupportsArrowStream, as_chunked, is_arrow
from forebay._errors import InvalidArgumentError, InvalidTypeError


class SupportsArray(Protocol):
    """An array of numpy, or of a library that numpy can read."""

    def __array__(self) -> npt.NDArray[Any]:
        """As numpy's."""


AnyArray: TypeAlias = SupportsArray | SupportsArrowArray | SupportsArrowStream

#: Row positions: anything numpy or Arrow that holds integers.
PositionsLike: TypeAlias = Sequence[int] | AnyArray

MAX_POSITION = 2**63 - 1
MAX_COUNT = 2**31 - 1


def type_name(value: object) -> str:
    """As in messages; with the module, unless it is a builtin."""
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return module + kind.__qualname__


def describe(value: object, array: npt.NDArray[Any] | None = None) -> str:
    """What came, for messages: dtype and shape of an array, else the type.

    `array`: what numpy made of it.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return f"{value.dtype}{list(value.shape)}"
    name = type_name(value)
    if array is not None:
        return f"{name}, to numpy {describe(array)}"
    arrow_type = getattr(value, "type", None) if is_arrow(value) else None
    return name if arrow_type is None else f"{name} of {arrow_type}"


def to_numpy(name: str, value: object) -> npt.NDArray[Any]:
    """As a numpy array, of whatever dtype; the same memory where that can be."""
    if isinstance(value, np.ma.MaskedArray):
        unmasked = f"np.ma.compress_rows({name})" if value.ndim == 2 else f"{name}.compressed()"
        instead = f"{name}.filled(False)" if value.dtype.kind == "b" else unmasked
        raise InvalidTypeError(f"{name} must not be a masked array; pass {instead}")
    try:
        return np.asarray(value)
    except (TypeError, ValueError, OverflowError) as error:  # Rows of different lengths, say.
        raise InvalidArgumentError(
            f"{name} must be an array, or lists that make one; got {type_name(value)}: {error}"
        ) from error


def flag(name: str, value: bool) -> bool:
    """True or False, and not what merely counts as such."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidTypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def file_path(path: str | os.PathLike[str]) -> str:
    """A path as the system takes it."""
    try:
        text = os.fsdecode(path)
        os.fsencode(text)
    except TypeError:
        raise InvalidTypeError(f"path must be a str or os.PathLike; got {path!r}") from None
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"path must be one that can be encoded; got {path!r}") from None
    if "\0" in text:
        raise InvalidArgumentError(f"path must not contain a NUL character; got {text!r}")
    return text


def count(name: str, value: SupportsIndex, at_least: int = 0, at_most: int = MAX_COUNT) -> int:
    """A whole number within bounds."""
    if type(value) is int and at_least <= value <= at_most:
        return value  # What nearly always comes: no time for more.
    wrong_type = InvalidTypeError(f"{name} must be an integer; got {value!r}")
    if isinstance(value, (bool, np.bool_)):
        raise wrong_type
    try:
        number = operator.index(value)
    except TypeError:
        raise wrong_type from None
    if not at_least <= number <= at_most:
        raise InvalidArgumentError(f"{name} must be from {at_least} to {at_most}; got {number}")
    return number


def optional_count(name: str, value: SupportsIndex | None, at_least: int = 0) -> int | None:
    """The same, or None."""
    return None if value is None else count(name, value, at_least)


def choice(name: str, value: str, choices: Sequence[str]) -> str:
    """One of a few names."""
    if string(name, value) not in choices:
        raise InvalidArgumentError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def string(name: str, value: str) -> str:
    """A str."""
    if not isinstance(value, str):
        raise InvalidTypeError(f"{name} must be a string; got {value!r}")
    return value


def strings(name: str, values: Sequence[str]) -> list[str]:
    """Several str, and not the letters of one."""
    if isinstance(values, str):
        raise InvalidTypeError(
            f"{name} must be a list of strings; got {values!r}; pass [{values!r}]"
        )
    try:
        return [string(f"{name}[{i}]", value) for i, value in enumerate(values)]
    except TypeError as error:
        if isinstance(error, InvalidTypeError):
            raise
        raise InvalidTypeError(f"{name} must be a list of strings; got {values!r}") from None


def number(name: str, value: SupportsFloat) -> float:
    """A float that is not NaN; infinities are fine."""
    wrong_type = InvalidTypeError(f"{name} must be a number; got {value!r}")
    if isinstance(value, (str, bytes, bytearray, bool, np.bool_)):
        raise wrong_type
    try:
        converted = float(value)
    except (TypeError, ValueError):
        raise wrong_type from None
    except OverflowError:
        raise InvalidArgumentError(f"{name} must be a number that float can hold") from None
    if math.isnan(converted):
        raise InvalidArgumentError(f"{name} must be a number; got NaN")
    return converted


def checked_range(
    value: Sequence[SupportsFloat | None] | None,
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
        -math.inf if lower is None else _rounded_up(number("distance_range's lower bound", lower)),
        math.inf if upper is None else _rounded_up(number("distance_range's upper bound", upper)),
    )


def _rounded_up(bound: float) -> float:
    """The least float32 that is not below it: float32 distances compare alike with both."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.float32(bound)
        if float(rounded) < bound:
            rounded = np.nextafter(rounded, np.float32(np.inf))
    return float(rounded)


def _from_arrow(name: str, value: object, expected: str) -> npt.NDArray[Any]:
    """An Arrow array of integers or booleans as numpy. Null booleans are False."""
    import pyarrow as pa

    array = as_chunked(name, value)
    if pa.types.is_boolean(array.type):
        array = array.fill_null(False)
    elif not pa.types.is_integer(array.type):
        raise InvalidTypeError(f"{name} must be {expected}; got Arrow's {array.type}")
    elif array.null_count > 0:
        raise InvalidArgumentError(
            f"{name} must have no nulls; got {array.null_count} of {len(array)}; drop them first"
        )
    return np.asarray(array.to_numpy())


def _as_array(name: str, value: object, expected: str) -> npt.NDArray[Any]:
    """As numpy; `expected` says what it should hold. Lists must not mix booleans and integers."""
    if is_arrow(value):
        return _from_arrow(name, value, expected)
    array = to_numpy(name, value)
    if isinstance(value, (list, tuple)) and array.dtype.kind in "iu":
        mixed = next((x for x in value if isinstance(x, (bool, np.bool_))), None)
        if mixed is not None:
            raise InvalidTypeError(f"{name} must be {expected}; got {mixed} among integers")
    empty_list = array.size == 0 and not isinstance(value, np.ndarray)
    return array.astype(np.int64) if empty_list else array


def checked_positions(
    name: str, value: PositionsLike, num_rows: int | None = None
) -> npt.NDArray[np.uint64]:
    """One position for each row, as C-contiguous uint64; of any number if num_rows is None."""
    array = _as_array(name, value, "integers")
    if array.dtype.kind not in "iu":
        raise InvalidTypeError(f"{name} must be integers; got {describe(value, array)}")
    if array.ndim != 1 or (num_rows is not None and len(array) != num_rows):
        expected = "1-D" if num_rows is None else f"one for each of the {num_rows} rows"
        raise InvalidArgumentError(f"{name} must be {expected}; got {describe(array)}")
    if array.size > 0:
        for extreme in (int(array.min()), int(array.max())):
            if not 0 <= extreme <= MAX_POSITION:
                raise InvalidArgumentError(
                    f"{name} must be from 0 to 2^63 - 1; got {extreme}, in {describe(array)}"
                )
    return np.require(array, np.uint64, ["C", "A"])


class RowFilter:
    """Row positions that searches may return, prepared once for any number of searches.

    A search takes the same masks and arrays as they are; preparing one costs a pass over it, which
    this saves where many searches have the same filter.

    Parameters
    ----------
    rows : array_like or Arrow
        A boolean mask, in which element i is for row position i (positions beyond it are out, and
        so is null), or integer row positions in any order. It is copied.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError
        A shape, a dtype or a position is wrong.

    Notes
    -----
    Thread safety: immutable.
    """

    __slots__ = ("_mask", "_mask_size", "_positions")

    _mask: npt.NDArray[np.uint64] | None
    _mask_size: int
    _positions: npt.NDArray[np.uint64] | None

    def __init__(self, rows: AnyArray | Sequence[bool] | Sequence[int]) -> None:
        self._mask, self._mask_size, self._positions = None, 0, None
        expected = "a boolean mask by row position, or integer row positions"
        array = _as_array("filter", rows, expected)
        if array.dtype.kind != "b":
            if array.dtype.kind not in "iu":
                raise InvalidTypeError(f"filter must be {expected}; got {describe(rows, array)}")
            positions = checked_positions("filter", array)
            ascend = bool(np.all(positions[1:] > positions[:-1]))
            self._positions = positions.copy() if ascend else np.unique(positions)
            return
        if array.ndim != 1:
            raise InvalidArgumentError(f"filter must be 1-D; got {describe(array)}")
        words = np.zeros((len(array) + 63) // 64, dtype=np.uint64)
        bits = np.packbits(array, bitorder="little")
        words.view(np.uint8)[: len(bits)] = bits
        self._mask, self._mask_size = words, len(array)

    def for_core(
        self,
    ) -> tuple[npt.NDArray[np.uint64] | None, int, npt.NDArray[np.uint64] | None]:
        """Bits and their number, or ascending positions, as forebay._core takes them."""
        return self._mask, self._mask_size, self._positions

    def __repr__(self) -> str:
        if self._positions is not None:
            return f"RowFilter({len(self._positions):,} row positions)"
        return f"RowFilter(a mask of {self._mask_size:,})"


#: Which rows: booleans by row position, or row positions.
FilterLike: TypeAlias = RowFilter | Sequence[bool] | Sequence[int] | AnyArray


def row_filter(
    value: FilterLike | None,
) -> tuple[npt.NDArray[np.uint64] | None, int, npt.NDArray[np.uint64] | None]:
    """As forebay._core takes it."""
    if value is None:
        return None, 0, None
    prepared = value if isinstance(value, RowFilter) else RowFilter(value)
    return prepared.for_core()


def positions_of(given: SupportsIndex | PositionsLike | None, num_rows: int) -> object:
    """As forebay._core takes it: None, the first position, or one for each row."""
    if given is None:
        return None
    # The protocol is looked at last, as that takes longer than the insert of a row.
    if type(given) is int or (
        not isinstance(given, np.ndarray) and isinstance(given, SupportsIndex)
    ):
        return count("row_positions", given, at_most=MAX_POSITION)
    return checked_positions("row_positions", given, num_rows)
