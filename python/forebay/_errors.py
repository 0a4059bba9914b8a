"""The exceptions of the package: one for each way in which a call can fail."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Error(Exception):
    """Base of everything that forebay raises of itself."""


class InvalidArgumentError(Error, ValueError):
    """An argument's value, shape or content is wrong; the same call can never succeed."""


class InvalidTypeError(Error, TypeError):
    """An argument's type or dtype is wrong."""


class FailedPreconditionError(Error, RuntimeError):
    """Not in a state for this call: another insert is running, say."""


class CapacityExceededError(Error, RuntimeError):
    """A fixed limit would be exceeded; nothing was changed."""


class CorruptionError(Error, ValueError):
    """Stored bytes are truncated, altered, or of another format."""


class FileError(Error, OSError):
    """The operating system refused a file operation; `errno` and `filename` say which."""

    def __str__(self) -> str:
        """The message, which names file and reason already."""
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        """To be pickled, for other processes."""
        return _restore, (type(self), self.args, self.errno, self.filename)


class MissingFileError(FileError, FileNotFoundError):
    """There is no such file, or no such directory to write it to."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed; nothing was changed."""


class UnsupportedError(Error, RuntimeError):
    """This CPU or build lacks what the call needs."""


def _restore(
    kind: type[FileError], args: tuple[object, ...], number: int | None, filename: str | None
) -> FileError:
    error = kind(*args)
    error.errno, error.filename = number, filename
    return error


def file_error(message: str, number: int) -> FileError:
    """For forebay._core: the exception for an errno."""
    error = (MissingFileError if number == errno.ENOENT else FileError)(message)
    error.errno = number
    return error


@contextmanager
def naming(path: str) -> Iterator[str]:
    """Gives errors of the operating system their file's name."""
    try:
        yield path
    except FileError as error:
        error.filename = path
        raise
