"""A store whose calls are made again when it is not available, as the uploader makes them: so they are idempotent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from cloudfs.errors import Unavailable
from cloudfs.stores.base import (
    NOTHING_KNOWN,
    Entry,
    Feed,
    Known,
    Location,
    Page,
    Pieces,
    Source,
    Store,
    Transfer,
    Usage,
    Walker,
)
from cloudfs.types import Attributes, Version

T = TypeVar("T")
ATTEMPTS = 8


async def again(call: Callable[[], Awaitable[T]]) -> T:
    for attempt in range(ATTEMPTS):
        try:
            return await call()
        except Unavailable:
            if attempt == ATTEMPTS - 1:
                raise
            await trio.lowlevel.checkpoint()
    raise AssertionError


class Once:
    """A `Transfer` that hears of the same bytes with each attempt, and tells of them once."""

    def __init__(self, transfer: Transfer) -> None:
        self.recall, self.remember = transfer.recall, transfer.remember
        self._transfer = transfer
        self._told = self._sent = 0

    def begin(self) -> None:
        self._sent = 0

    def advance(self, sent: int) -> None:
        self._sent += sent
        if self._sent > self._told:
            self._transfer.advance(self._sent - self._told)
            self._told = self._sent


class Insistent:
    """Implements `Store`. Facets are the inner store's own."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities
        self.pieces: Pieces | None = inner.pieces
        self.walker: Walker | None = inner.walker
        self.feed: Feed | None = inner.feed

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        return await again(lambda: self.inner.list(directory, cursor))

    async def stat(self, location: Location) -> Entry:
        return await again(lambda: self.inner.stat(location))

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        return await again(lambda: self.inner.read(location, version, start, stop))

    async def put(
        self,
        location: Location,
        source: Source,
        attributes: Attributes,
        *,
        replaces: Version | None,
        transfer: Transfer,
        known: Known = NOTHING_KNOWN,
    ) -> Entry:
        once = Once(transfer)

        def put() -> Awaitable[Entry]:
            once.begin()
            return self.inner.put(location, source, attributes, replaces=replaces, transfer=once, known=known)

        return await again(put)

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        return await again(lambda: self.inner.make_directory(location, attributes))

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        return await again(lambda: self.inner.set_attributes(location, version, attributes))

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        return await again(lambda: self.inner.move(source, target, replaces=replaces))

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        return await again(lambda: self.inner.copy(source, version, target, attributes, replaces=replaces))

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        return await again(lambda: self.inner.link(source, target, replaces=replaces))

    async def delete(self, location: Location, version: Version | None) -> None:
        await again(lambda: self.inner.delete(location, version))

    async def checksum(self, location: Location, version: Version) -> str:
        return await again(lambda: self.inner.checksum(location, version))

    async def digest(self, source: Source) -> str:
        return await self.inner.digest(source)

    async def usage(self) -> Usage:
        return await again(self.inner.usage)

    async def aclose(self) -> None:
        await self.inner.aclose()
