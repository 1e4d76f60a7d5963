"""Follows what others do at a store that tells its changes: then directories need not be listed again and again."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.merging import Stale
from cloudfs.catalog.news import News
from cloudfs.errors import DISK_ERRORS, NotFound, StoreError
from cloudfs.stores.base import Feed, Store
from cloudfs.types import ROOT
from cloudfs.writeback.health import Health

_log = logging.getLogger(__name__)
_CURSOR = "feed cursor"
_SINCE = "feed since"


class ChangeFollower:
    """Asks a feed for news, and remembers in the catalogue how far it got. Owns no task: `run` is run by the mount."""

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        feed: Feed,
        news: News,
        health: Health,
        interval: float,
        stale: Callable[[Stale], None],
    ) -> None:
        """``interval`` in seconds; ``stale`` is told of every name that the kernel should forget."""
        self._catalog = catalog
        self._store = store
        self._feed = feed
        self._news = news
        self._health = health
        self._interval = interval
        self._stale = stale
        self._asking = trio.Lock()
        self._answered = -math.inf
        self._since_ns = int(catalog.recall(_SINCE) or 0)

    def is_following(self, patience: float) -> bool:
        """Whether the last news are not older than ``patience`` seconds."""
        return trio.current_time() - self._answered <= patience

    def covers(self, listed_ns: int) -> bool:
        """Whether everything that happened to a directory since it was listed has been told, up to the last news."""
        return listed_ns > self._since_ns

    async def run(self) -> None:
        """Ask every ``interval`` seconds, for ever."""
        while True:
            try:
                await self.ask()
            except StoreError as error:
                self._health.failed(error)
                _log.debug("no news from the store: %s", error)
            except DISK_ERRORS as error:
                _log.debug("the news from the store could not be noted: %s", error)
            await trio.sleep(self._interval)

    async def ask(self) -> None:
        """Learn all there is to know. Raises store errors."""
        asked = trio.current_time()
        async with self._asking:
            if self._answered > asked:
                return
            if not self._catalog.links.directory(ROOT).identity:
                self._identify_root((await self._store.stat(self._catalog.links.place(0, b""))).identity)
            more = True
            while more:
                more = await self._ask_once()
            self._answered = trio.current_time()
            self._health.answered()

    def _identify_root(self, identity: str) -> None:
        with self._catalog:
            self._catalog.links.identify(ROOT, identity)

    async def _ask_once(self) -> bool:
        """One question; whether there is more to be asked at once."""
        cursor = self._catalog.recall(_CURSOR)
        since = self._catalog.links.tick
        try:
            answer = await self._feed.changes(cursor)
        except NotFound:
            if cursor is None:
                raise
            _log.info("the store does not know any more what changed; all directories will be listed again")
            with self._catalog:
                self._catalog.remember(_CURSOR, None)
            return True
        with self._catalog:
            if cursor is None:
                self._since_ns = time.time_ns()
                self._catalog.remember(_SINCE, str(self._since_ns))
            stale = self._news.apply(answer.changes, since)
            self._catalog.remember(_CURSOR, answer.cursor)
        for name in stale:
            self._stale(name)
        return answer.more
