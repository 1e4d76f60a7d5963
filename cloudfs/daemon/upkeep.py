"""Lets the store put itself in order while a mount lives, and at its end."""

from __future__ import annotations

from collections.abc import Callable

import trio

from cloudfs.stores.base import Settling, Store
from cloudfs.writeback.health import Health

_PAUSE = 5.0


class Upkeep:
    """``waiting()`` is how many names are not stored yet. Does nothing for stores that need no upkeep."""

    def __init__(self, store: Store, health: Health, waiting: Callable[[], int]) -> None:
        self._store = store if isinstance(store, Settling) else None
        self._health = health
        self._waiting = waiting

    async def follow(self) -> None:
        """While the mount lives, for ever."""
        while self._store is not None:
            await trio.sleep(_PAUSE)
            if self._may_write:
                await self._store.settle(busy=self._waiting() > 0)

    async def finish(self) -> None:
        """The last time. The caller closes the store afterwards."""
        if self._store is not None and self._may_write:
            await self._store.settle(last=True)

    @property
    def _may_write(self) -> bool:
        return not (self._health.read_only or self._health.away)
