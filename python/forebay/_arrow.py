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


class SupportsArrowSchema(Protocol):
    """An Arrow schema."""

    def __arrow_c_schema__(self) -> object:
        """A capsule of the schema."""


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


def in_one_piece(name: str, array: pa.ChunkedArray) -> pa.Array:
    """The chunks of an array together."""
    import pyarrow as pa

    # Empty ones that came through the protocol with an offset cannot be combined.
    chunks = [chunk for chunk in array.chunks if len(chunk) > 0]
    if len(chunks) == 1:
        return chunks[0]
    try:
        return pa.chunked_array(chunks, type=array.type).combine_chunks()
    except MemoryError as error:
        raise OutOfMemoryError(f"no memory to put {name} in one piece: {error}") from error
    except pa.ArrowException as error:  # Text of 2 GiB and more, say.
        raise InvalidArgumentError(
            f"{name} cannot be put in one piece: {error}; give it in smaller ones"
        ) from error
