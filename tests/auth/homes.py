"""Homes of tokens for tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import trio

from cloudfs.auth.tokens import Token


class MemoryHome:
    """A `TokenHome` of one process."""

    def __init__(self, token: Token | None = None) -> None:
        self.token = token
        self.saved = 0
        self._lock = trio.Lock()

    async def load(self) -> Token | None:
        await trio.lowlevel.checkpoint()
        return self.token

    async def save(self, token: Token) -> None:
        await trio.lowlevel.checkpoint()
        self.token = token
        self.saved += 1

    async def erase(self) -> None:
        self.token = None
        self.saved += 1

    def stamp(self) -> object:
        return self.saved

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        async with self._lock:
            yield


async def never(token: Token) -> Token:
    """For tests in which nothing should be renewed."""
    raise AssertionError("the token was renewed")
