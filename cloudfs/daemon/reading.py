"""The bytes of a stored object, read from the store and not from the cache: for ``cloudfs verify``."""

from __future__ import annotations

from collections.abc import Sequence

from cloudfs.cache.contract import CachedContent
from cloudfs.stores.base import Location, Store
from cloudfs.types import Extent, Version

_PIECE = 4 << 20


class AsStored:
    """A `Source` of one version at the store, that compares what it reads with what is cached of it."""

    def __init__(self, store: Store, location: Location, version: Version, size: int, cached: CachedContent) -> None:
        self.size = size
        self.disagrees = False
        """Some bytes are others than those that are cached, whose checksums are right."""
        self._store = store
        self._location = location
        self._version = version
        self._cached = cached
        self._was_read = False

    def extents(self) -> Sequence[Extent]:
        return [Extent(0, self.size)] if self.size else []

    async def read(self, start: int, stop: int) -> bytes:
        self._was_read = True
        data = await self._store.read(self._location, self._version, start, stop)
        cached = self._cached.read_nowait(start, stop)
        if cached is not None and cached != data:
            self.disagrees = True
        return data

    async def read_all(self) -> None:
        """Unless it was read already: a store without a checksum had no reason to."""
        if not self._was_read:
            for start in range(0, self.size, _PIECE):
                await self.read(start, min(start + _PIECE, self.size))
