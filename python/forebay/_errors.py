"""The exceptions of the package: one for each way in which a call can fail."""


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
    """The operating system refused a file operation."""


class CancelledError(Error, RuntimeError):
    """A training was cancelled."""


class OutOfMemoryError(Error, MemoryError):
    """An allocation failed; nothing was changed."""


class UnsupportedError(Error, RuntimeError):
    """This CPU or build lacks what the call needs."""
