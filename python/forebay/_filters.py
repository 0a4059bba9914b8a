"""Filters: pyarrow expressions, handed to C++ in the form in which pyarrow pickles them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forebay import _core
from forebay._arguments import type_name
from forebay._errors import InvalidArgumentError, InvalidTypeError

if TYPE_CHECKING:
    import pyarrow.compute as pc


def as_filter(expression: pc.Expression) -> _core.Filter:
    """As forebay._core takes it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(expression, pc.Expression):
        raise InvalidTypeError(
            "filter must be a pyarrow.compute.Expression, such as "
            f'pc.field("n") > 3; got {type_name(expression)}'
        )
    try:
        _, (content,) = expression.__reduce__()
    except pa.ArrowException as error:
        raise InvalidArgumentError(
            f"the filter {expression} cannot be used: {error}; name the columns it is over"
        ) from error
    return _core.Filter.parse(content.to_pybytes())


def optional_filter(expression: pc.Expression | None) -> _core.Filter | None:
    """The same, or None."""
    return None if expression is None else as_filter(expression)
