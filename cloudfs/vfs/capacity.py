"""What ``df`` shows: the store's own numbers, asked for now and then."""

from __future__ import annotations

import logging

import trio

from cloudfs.errors import StoreError
from cloudfs.stores.base import Store, Usage
from cloudfs.writeback.health import Health

_log = logging.getLogger(__name__)
_REFRESH_SECONDS = 30.0
_PATIENCE = 5.0


class Capacity:
    """The last known use of the store. ``latest`` is None until the store has answered once."""

    def __init__(self, store: Store, health: Health) -> None:
        self._store = store
        self._health = health
        self.latest: Usage | None = None
        self._asked = trio.Event()

    async def usage(self) -> Usage | None:
        """The last known numbers; who asks first waits a little for them, and nobody after that."""
        if self.latest is None:
            with trio.move_on_after(_PATIENCE):
                await self._asked.wait()
            self._asked.set()
        return self.latest

    async def follow(self) -> None:
        """Keep the numbers fresh, for ever."""
        while True:
            try:
                self.latest = await self._store.usage()
                self._health.answered()
            except StoreError as error:
                self._health.failed(error)
                _log.debug("the store does not tell its use: %s", error)
            self._asked.set()
            await trio.sleep(_REFRESH_SECONDS)
