"""Arrow in, through the PyCapsule protocol: from any library, of any version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from forebay._errors import FileError, InvalidArgumentError, OutOfMemoryError

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
    """What speaks the protocol, without a copy. Record batches and tables become structs.

    What a reader's own Python code raises is raised as it is.
    """
    import pyarrow as pa

    if isinstance(value, pa.RecordBatchReader):
        return value.read_all().to_struct_array()
    try:
        # Some libraries offer both, and then only the stream works for arrays of several chunks.
        if hasattr(value, "__arrow_c_stream__"):
            return pa.chunked_array(value)
        array = pa.array(value)
        return pa.chunked_array([array], type=array.type)
    except MemoryError as error:
        raise OutOfMemoryError(f"no memory to read {name} from Arrow: {error}") from error
    except OSError as error:
        raise FileError(f"{name} cannot be read as Arrow: {error}") from error
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidArgumentError(f"{name} cannot be read as Arrow: {error}") from error
