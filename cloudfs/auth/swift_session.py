"""Signing in to a Swift account with a name and a key: once, for everybody who waits for it, and again when refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import trio

from cloudfs.auth.storage import Access
from cloudfs.errors import SignInRequired, UsageError

_log = logging.getLogger(__name__)
_MARGIN = 120.0
"""Seconds before the end of a token at which it is replaced."""
_REST = 5.0
"""Seconds in which wrong credentials are not tried again: providers lock accounts out."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What signing in gives. ``life`` is in seconds; None if the provider does not say."""

    url: str
    token: str = field(repr=False)
    life: float | None = None


class SignIn(Protocol):
    """One way to sign in: `cloudfs.auth.tempauth`, `cloudfs.auth.keystone`."""

    async def sign_in(self) -> Grant:
        """`SignInRequired` for wrong credentials, `Unavailable` if the provider does not answer."""
        ...


class SwiftSession:
    """A `cloudfs.auth.storage.StorageAuth`. ``now`` is a clock in seconds that only has to advance."""

    def __init__(self, sign_in: SignIn, now: Callable[[], float]) -> None:
        self._sign_in = sign_in
        self._now = now
        self._access: Access | None = None
        self._ends = 0.0
        self._refusal: SignInRequired | None = None
        self._rests_until = 0.0
        self._turn = trio.Lock()

    async def access(self, refused: str = "") -> Access:
        if (known := self._good(refused)) is not None:
            return known
        async with self._turn:
            if (known := self._good(refused)) is not None:
                return known
            return await self._renew()

    def _good(self, refused: str) -> Access | None:
        if self._refusal is not None and self._now() < self._rests_until:
            raise SignInRequired(str(self._refusal))
        known = self._access
        if known is None or known.token == refused or self._now() >= self._ends:
            return None
        return known

    async def _renew(self) -> Access:
        try:
            grant = await self._sign_in.sign_in()
        except SignInRequired as error:
            self._refusal, self._rests_until = error, self._now() + _REST
            raise
        except UsageError as error:
            # A key that cannot be read any more: what was mounted waits for somebody to put it back.
            if self._access is None:
                raise
            raise SignInRequired(str(error)) from None
        self._refusal = None
        life = grant.life if grant.life is not None else float("inf")
        self._ends = self._now() + max(life - _MARGIN, life / 2)
        self._access = Access(grant.url.rstrip("/"), grant.token)
        _log.debug("signed in to %s", grant.url)
        return self._access
