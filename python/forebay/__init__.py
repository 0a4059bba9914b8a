"""Forebay: vectors are searchable as soon as they are written.

>>> model = forebay.train(vectors)
>>> index = forebay.Index(model)
>>> index.insert(more_vectors)
>>> distances, rows = index.search(queries, k=10, refine_factor=10)

>>> table = forebay.Table.create("words", schema, vector="embedding", primary_key="word")
>>> table.put(batch)  # durable, and found by the next search
>>> hits = table.search(queries, k=10)
"""

try:
    from forebay._core import version as __version__
except ImportError:  # pyarrow is in another folder than this package, so its libarrow comes first.
    import pyarrow as _pyarrow  # noqa: ICN001

    try:
        from forebay._core import version as __version__
    except ImportError as error:
        raise ImportError(
            "forebay was built with the Arrow library of pyarrow 26.0; found that of "
            f"{_pyarrow.__version__} ({error}); do pip install 'pyarrow==26.0.*'"
        ) from error

from forebay._arguments import RowFilter
from forebay._errors import (
    CapacityExceededError,
    CorruptionError,
    Error,
    FailedPreconditionError,
    FileError,
    InvalidArgumentError,
    InvalidTypeError,
    MissingFileError,
    OutOfMemoryError,
    UnsupportedError,
)
from forebay._index import Index
from forebay._model import Model
from forebay._results import IndexStats, InsertReport, MemoryUsage
from forebay._table import Table
from forebay._table_results import (
    GenerationStats,
    PutReport,
    RecoveryReport,
    SourceStats,
    TableStats,
    VerifyReport,
)
from forebay._training import train

__all__ = [
    "CapacityExceededError",
    "CorruptionError",
    "Error",
    "FailedPreconditionError",
    "FileError",
    "GenerationStats",
    "Index",
    "IndexStats",
    "InsertReport",
    "InvalidArgumentError",
    "InvalidTypeError",
    "MemoryUsage",
    "MissingFileError",
    "Model",
    "OutOfMemoryError",
    "PutReport",
    "RecoveryReport",
    "RowFilter",
    "SourceStats",
    "Table",
    "TableStats",
    "UnsupportedError",
    "VerifyReport",
    "__version__",
    "train",
]
