"""Forebay: vectors are searchable as soon as they are written.

>>> model = forebay.train(vectors)
>>> index = forebay.Index(model)
>>> index.insert(more_vectors)
>>> distances, rows = index.search(queries, k=10, refine_factor=10)
"""

try:
    from forebay._core import version as __version__
except ImportError:  # pyarrow is in another folder than this package, so its libarrow comes first.
    import pyarrow as _pyarrow  # noqa: F401, ICN001

    from forebay._core import version as __version__

from forebay._errors import (
    CancelledError,
    CapacityExceededError,
    CorruptionError,
    Error,
    FailedPreconditionError,
    FileError,
    InvalidArgumentError,
    InvalidTypeError,
    OutOfMemoryError,
    UnsupportedError,
)
from forebay._index import Index
from forebay._model import Model
from forebay._results import IndexStats, InsertReport, MemoryUsage
from forebay._training import train

__all__ = [
    "CancelledError",
    "CapacityExceededError",
    "CorruptionError",
    "Error",
    "FailedPreconditionError",
    "FileError",
    "Index",
    "IndexStats",
    "InsertReport",
    "InvalidArgumentError",
    "InvalidTypeError",
    "MemoryUsage",
    "Model",
    "OutOfMemoryError",
    "UnsupportedError",
    "__version__",
    "train",
]
