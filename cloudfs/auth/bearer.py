"""An access token that is always good: renewed in time, by one process at a time, noticed when somebody signs in."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

import trio

from cloudfs.auth.tokens import Token, TokenHome
from cloudfs.errors import SignInRequired, Unavailable

_log = logging.getLogger(__name__)
_MARGIN = 300.0
"""Seconds before the end of an access token at which it is renewed."""

Renew = Callable[[Token], Awaitable[Token]]
"""Trade a token for a newer one; raises `SignInRequired` or `Unavailable`."""


class Bearer:
    """The access token for one remote's requests. `token` may be called concurrently, before every request."""

    def __init__(self, name: str, home: TokenHome, renew: Renew, clock: Callable[[], float] = time.time) -> None:
        """``name`` is that of the remote, for messages; ``home`` is shared with other processes."""
        self._name = name
        self._home = home
        self._renew = renew
        self._clock = clock
        self._token: Token | None = None
        self._stamp: object = None
        self._dead = ""
        self._turn = trio.Lock()

    async def token(self, refused: str = "") -> str:
        """An access token; other than ``refused``, which the provider did not accept.

        `SignInRequired` until a person signs in again, which is noticed at the next call; `Unavailable` if the token
        has to be renewed and the provider does not answer.
        """
        known = self._token
        if known is not None and self._stamp == self._home.stamp() and self._is_good(known, refused):
            return known.access
        async with self._turn:
            found = await self._load()
            if self._is_good(found, refused):
                return found.access
            return (await self._renewed(found, refused)).access

    async def facts(self) -> dict[str, str]:
        """What the sign-in found out (`Token.facts`). Raises `SignInRequired`."""
        async with self._turn:
            return dict((await self._load()).facts)

    def _is_good(self, token: Token, refused: str) -> bool:
        return token.access != refused and token.refresh != self._dead and token.expires_at - self._clock() > _MARGIN

    async def _load(self) -> Token:
        stamp = self._home.stamp()
        if self._token is None or stamp != self._stamp:
            self._token = await self._home.load()
            self._stamp = stamp
        if self._token is None:
            raise SignInRequired(f"nobody is signed in; run: cloudfs login {self._name}")
        return self._token

    async def _renewed(self, old: Token, refused: str) -> Token:
        """Renew under the lock that all processes share; who had to wait for it finds the work done."""
        async with self._home.locked():
            found = await self._load()
            if found.access != old.access and self._is_good(found, refused):
                return found
            if found.refresh == self._dead:
                raise self._died()
            return await self._exchange(found, refused)

    async def _exchange(self, old: Token, refused: str) -> Token:
        try:
            new = await self._renew_and_save(old)
        except SignInRequired as error:
            self._dead = old.refresh
            _log.warning("the sign-in of %s has ended: %s", self._name, error)
            raise self._died() from None
        except Unavailable:
            if old.access != refused and old.expires_at > self._clock():
                return old
            raise
        self._token, self._stamp = new, self._home.stamp()
        return new

    async def _renew_and_save(self, old: Token) -> Token:
        new = old
        # The old refresh token may be void as soon as the request is out, so what it brings has to be kept.
        with trio.CancelScope(shield=True):
            new = await self._renew(old)
            await self._home.save(new)
        return new

    def _died(self) -> SignInRequired:
        return SignInRequired(f"the sign-in has ended (revoked, or too old); run: cloudfs login {self._name}")
