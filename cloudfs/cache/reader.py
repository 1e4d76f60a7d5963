"""A handle on one cached version: what `Cache.open` returns."""

from __future__ import annotations

import logging

import trio

from cloudfs.cache.blocks import blocks_of
from cloudfs.cache.content import Content
from cloudfs.cache.contract import Fetch
from cloudfs.cache.readahead import Window, observe

log = logging.getLogger(__name__)


class Reader:
    """Implements `CachedContent`. Fetches what comes next in ``nursery``, at most ``widest`` bytes ahead.

    What is read ahead in vain stops at `close`. Its errors are nobody's: the read that needs those bytes will see them.
    """

    def __init__(self, content: Content, fetch: Fetch, nursery: trio.Nursery, widest: int) -> None:
        content.hold()
        self.size = content.size
        self._content = content
        self._shelf = content.shelf
        self._fetch = fetch
        self._nursery = nursery
        self._widest = widest
        self._window = Window()
        self._ahead: set[trio.CancelScope] = set()
        self._closed = False

    def read_nowait(self, start: int, stop: int) -> bytes | None:
        if stop > self.size:
            stop = self.size
        if start >= stop:
            return b""
        data = self._shelf.read(start, stop)
        if data is not None and not self._shelf.blocks.whole:
            self._look_ahead(start, stop)
        return data

    async def read(self, start: int, stop: int) -> bytes:
        data = self.read_nowait(start, stop)
        if data is not None:
            await trio.lowlevel.checkpoint()
            return data
        stop = min(stop, self.size)
        self._look_ahead(start, stop)
        self._content.hold()
        try:
            return await self._content.read(start, stop, self._fetch)
        finally:
            self._content.let_go()

    async def bring(self, start: int, stop: int) -> None:
        await self._content.bring(*blocks_of(start, min(stop, self.size)), self._fetch)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for scope in self._ahead:
            scope.cancel()
        self._content.let_go()

    def _look_ahead(self, start: int, stop: int) -> None:
        self._window, extent = observe(self._window, start, stop, self._widest)
        if extent is not None and extent.start < self.size:
            first, last = blocks_of(extent.start, min(extent.stop, self.size))
            if not self._shelf.blocks.present.covers(first, last):
                self._nursery.start_soon(self._bring, first, last)

    async def _bring(self, first: int, last: int) -> None:
        if self._closed:
            return
        self._content.hold()
        scope = trio.CancelScope()
        self._ahead.add(scope)
        try:
            with scope:
                await self._content.bring(first, last, self._fetch)
        except Exception as error:
            log.debug("reading ahead failed: %s", error)
        finally:
            self._ahead.discard(scope)
            self._content.let_go()
