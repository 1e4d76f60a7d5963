"""What signing in leaves behind: a `Token`, and the places that keep it.

Whoever has a token has the account, so a token never appears in a log, an argument, a status or a ``repr``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from cloudfs.errors import SignInRequired


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what renews it. ``expires_at`` is in seconds since the epoch, as this machine counts them.

    ``facts`` is what else a sign-in found out and a mount needs (an account's name, a chosen drive); nothing secret.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float
    scope: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class TokenHome(Protocol):
    """Where the token of one remote lives, shared by all processes that use it."""

    async def load(self) -> Token | None:
        """The token as it is now; None if nobody has signed in. `SignInRequired` if it cannot be used."""
        ...

    async def save(self, token: Token) -> None:
        """Replace the token; when this returns, it survives a power cut."""
        ...

    async def erase(self) -> None:
        """Forget the token; none there is success."""
        ...

    def stamp(self) -> object:
        """Equal as long as nobody saves or erases; cheap enough to ask before every request."""
        ...

    def locked(self) -> AbstractAsyncContextManager[None]:
        """The right to replace the token, which one task of one process on this machine has at a time."""
        ...


def to_json(token: Token) -> str:
    return json.dumps(
        {
            "access_token": token.access,
            "refresh_token": token.refresh,
            "expires_at": token.expires_at,
            "scope": token.scope,
            "facts": dict(token.facts),
        }
    )


def from_json(text: str) -> Token:
    """Raises `SignInRequired` for what `to_json` did not write."""
    try:
        found = json.loads(text)
        facts = {str(name): str(value) for name, value in found.get("facts", {}).items()}
        return Token(
            str(found["access_token"]),
            str(found["refresh_token"]),
            float(found["expires_at"]),
            str(found.get("scope", "")),
            facts,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SignInRequired("the stored sign-in is damaged") from None
