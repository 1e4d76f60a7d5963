"""A secret in memory, which does not get into logs, tracebacks, reports or other processes by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn

HIDDEN = "(hidden)"


class Secret:
    """A text that only `reveal` gives away: printed, formatted or put into a dataclass's repr it is ``(hidden)``.

    It cannot be pickled, nor copied by `copy`. Two secrets are compared in constant time.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself: to be handed to whoever needs it, and not to be kept."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __format__(self, specification: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogateescape"), other._value.encode("utf-8", "surrogateescape")
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret does not leave its process")
