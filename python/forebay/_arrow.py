"""Arrow in, through the PyCapsule protocol: from any library, of any version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from forebay._errors import InvalidArgumentError

if TYPE_CHECKING:
    import pyarrow as pa


class SupportsArrowArray(Protocol):
    """An Arrow array or record batch."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Capsules of the schema and the array."""


class SupportsArrowStream(Protocol):
    """Arrow in chunks: a chunked array, a table, a reader."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """A capsule of the stream."""


def is_arrow(value: object) -> bool:
    """Whether it speaks the protocol."""
    return hasattr(value, "__arrow_c_array__") or hasattr(value, "__arrow_c_stream__")


def as_chunked(name: str, value: object) -> pa.ChunkedArray:
    """What speaks the protocol, without a copy. Record batches and tables become structs."""
    import pyarrow as pa

    try:
        # Some libraries offer both, and then only the stream works for arrays of several chunks.
        if hasattr(value, "__arrow_c_stream__"):
            return pa.chunked_array(value)
        array = pa.array(value)
        return pa.chunked_array([array], type=array.type)
    except pa.ArrowException as error:
        raise InvalidArgumentError(f"{name} cannot be read as Arrow: {error}") from error
