"""Which staged files a power cut would leave as they are, and what is done with those that it did not.

Closing a file promises nothing about power cuts, and waits for no disk. But what is not stored soon is synced in the
background, and the catalogue knows since when (`Safety`). After the machine has started again, a staged file that had
not come so far may be anything: old, short, full of holes. It is not published; a person sees it, parked, and whoever
writes it again heals it.
"""

from __future__ import annotations

import logging
import sqlite3

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.writeback.staging import Staging

_log = logging.getLogger(__name__)
INTERVAL = 10.0
"""Seconds between two looks. What was closed before the last one is synced, so most files are stored before that."""
_BOOT = "boot"


class Durability:
    """Owns no task: `follow` is run by the mount."""

    def __init__(self, catalog: Catalog, staging: Staging) -> None:
        self._catalog = catalog
        self._stagings = catalog.stagings
        self._staging = staging

    def started(self, boot: str) -> None:
        """The mount begins, on a machine that was started as ``boot``: another word each time."""
        if self._catalog.recall(_BOOT) != boot:
            with self._catalog:
                self._stagings.lose_unsynced()
                self._catalog.remember(_BOOT, boot)

    async def follow(self) -> None:
        """Sync what was closed some seconds ago and is still here, for ever."""
        while True:
            await trio.sleep(INTERVAL)
            try:
                await self.look()
            except (OSError, sqlite3.Error) as error:
                _log.warning("the disk of the state directory is full or broken: %s", error)

    async def look(self) -> None:
        """What was sealed before the last look is synced from here on."""
        if self._stagings.awaits_sync():
            await trio.to_thread.run_sync(self._staging.sync_all)
            self._stagings.synced()
        self._stagings.await_sync()

    def finish(self) -> None:
        """The mount ends in an orderly way: everything is synced. Blocks."""
        if self._stagings.await_sync() or self._stagings.awaits_sync():
            self._staging.sync_all()
            self._stagings.synced()
