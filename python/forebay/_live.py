"""Objects that stand for something live: memory that is written, open files."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from forebay._errors import InvalidTypeError


class LiveObject:
    """Cannot be copied or pickled."""

    __slots__ = ()

    #: Why not, and what to do instead.
    _instead: ClassVar[str]

    def _refuse(self, what: str) -> NoReturn:
        kind = type(self).__name__
        article = "an" if kind[0] in "AEIOU" else "a"
        raise InvalidTypeError(f"{article} {kind} cannot be {what}: {self._instead}")

    def __copy__(self) -> NoReturn:
        self._refuse("copied")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self._refuse("copied")

    def __reduce__(self) -> NoReturn:
        self._refuse("pickled")
