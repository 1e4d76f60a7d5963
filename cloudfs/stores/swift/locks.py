"""Locks by name, for what Swift cannot compare and swap: of two tasks of this process, one looks after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import trio


class Locks:
    """One lock for each name that somebody holds or waits for. Several are taken in order, so that nobody is stuck."""

    def __init__(self) -> None:
        self._locks: dict[str, trio.Lock] = {}

    @asynccontextmanager
    async def hold(self, names: Iterable[str]) -> AsyncIterator[None]:
        held: list[str] = []
        try:
            for name in sorted(set(names)):
                await self._locks.setdefault(name, trio.Lock()).acquire()
                held.append(name)
            yield
        finally:
            for name in held:
                self._release(name)

    def _release(self, name: str) -> None:
        lock = self._locks[name]
        lock.release()
        if not lock.locked():
            del self._locks[name]
