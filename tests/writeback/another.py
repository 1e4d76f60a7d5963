"""Another client of the same account: what other people and programs do to the store meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from cloudfs.errors import NotFound
from cloudfs.stores.base import Location
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import Attributes
from tests.stores.sources import BytesSource, Progress

FILE = Attributes(mode=0o100600, uid=5, gid=5, mtime_ns=111)
DIRECTORY = Attributes(mode=0o040700, uid=5, gid=5, mtime_ns=222)


@dataclass(frozen=True, slots=True)
class AnotherClient:
    """Changes the tree behind the back of the mount."""

    tree: MemoryTree

    @property
    def _store(self) -> MemoryStore:
        return MemoryStore(self.tree, EVERYTHING)

    async def put(self, path: bytes, data: bytes, attributes: Attributes = FILE) -> None:
        """Make or replace a file."""
        store, place = self._store, Location(path)
        try:
            replaces = (await store.stat(place)).version
        except NotFound:
            replaces = None
        await store.put(place, BytesSource(data), attributes, replaces=replaces, transfer=Progress())

    async def mkdir(self, path: bytes) -> None:
        await self._store.make_directory(Location(path), DIRECTORY)

    async def delete(self, path: bytes) -> None:
        entry = await self._store.stat(Location(path))
        await self._store.delete(Location(path), None if entry.is_directory else entry.version)

    async def move(self, old: bytes, new: bytes) -> None:
        await self._store.move(Location(old), Location(new))

    async def change(self, path: bytes, attributes: Attributes) -> None:
        entry = await self._store.stat(Location(path))
        await self._store.set_attributes(Location(path), entry.version, attributes)
