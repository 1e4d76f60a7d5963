"""What the tests of a store need to say things shortly: paths instead of locations, bytes instead of sources."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import trio

from cloudfs.errors import VersionMismatch
from cloudfs.stores.base import Capabilities, Entry, Location, Source, Store
from cloudfs.types import Attributes, Version
from tests.stores.sources import BytesSource, Progress

MTIME = 1_234_567_890_123_456_789
LARGE = 9 << 20
"""Bytes; more than a store reads at once."""


OWNER = int(os.environ.get("CLOUDFS_TEST_OWNER", os.geteuid()))
"""Whoever runs the tests; or will, once privileges have been dropped (``tests/stores/unprivileged.py``)."""


def of_type(kind: int, permissions: int, **others: object) -> Attributes:
    """Attributes of an object that belongs to whoever runs the tests (and to the group of that number)."""
    plain = Attributes(mode=kind | permissions, uid=OWNER, gid=OWNER, mtime_ns=MTIME)
    return replace(plain, **others)  # type: ignore[arg-type]


FILE = of_type(stat.S_IFREG, 0o640)
DIRECTORY = of_type(stat.S_IFDIR, 0o750)


def content(size: int) -> bytes:
    """Bytes without a pattern, the same each time."""
    return random.Random(size).randbytes(size)


@dataclass
class Bench:
    """A store with nothing in it, and another client of the same account, both called with all a caller has to give."""

    store: Store
    other: Store
    progress: Progress = field(default_factory=Progress)
    stride: int = 1
    """Of the many points at which a long call can be interrupted, only these are tried (networks are slow)."""

    swaps: bool = True
    """Of two clients that give the same name at the same instant one loses; else only of two tasks of one client."""

    hasty: Store | None = None
    """One more client, which gives up soon what the others try again for half a minute."""

    @classmethod
    def of(
        cls, client: Callable[[], Store], stride: int = 1, *, swaps: bool = True, hasty: Store | None = None
    ) -> Bench:
        """Of two clients of one account."""
        return cls(client(), client(), stride=stride, swaps=swaps, hasty=hasty)

    @property
    def can(self) -> Capabilities:
        return self.store.capabilities

    def kept(self, mtime_ns: int) -> int:
        """A time as the store keeps it."""
        return mtime_ns // self.can.time_unit_ns * self.can.time_unit_ns

    async def at(self, path: bytes) -> Location:
        """The location of an object, with its identities as far as it exists."""
        if not self.can.stable_identities:
            return Location(path)
        place = Location(b"")
        for component in path.split(b"/") if path else ():
            inner = b"%b/%b" % (place.path, component) if place.path else component
            found = [entry for entry in await self.entries(place) if entry.name == component]
            place = Location(inner, found[0].identity if found else "", place.identity)
            if not found and inner != path:
                return Location(path)
        return place

    async def entries(self, directory: Location) -> list[Entry]:
        """A whole listing."""
        page = await self.store.list(directory)
        found = [*page.entries]
        while page.cursor is not None:
            page = await self.store.list(directory, page.cursor)
            found += page.entries
        return found

    async def names(self, path: bytes = b"") -> list[bytes]:
        return sorted(entry.name for entry in await self.entries(await self.at(path)))

    async def stat(self, path: bytes) -> Entry:
        return await self.store.stat(await self.at(path))

    async def put(
        self,
        path: bytes,
        source: bytes | Source = b"",
        attributes: Attributes = FILE,
        replaces: Version | None = None,
    ) -> Entry:
        source = BytesSource(source) if isinstance(source, bytes) else source
        location = await self.at(path)
        return await self.store.put(location, source, attributes, replaces=replaces, transfer=self.progress)

    async def put_at_once(self, paths: Iterable[bytes], data: bytes) -> list[bytes]:
        """The same bytes under many names; those that were taken, sorted."""
        refused: list[bytes] = []

        async def put(path: bytes) -> None:
            try:
                await self.put(path, data)
            except VersionMismatch:
                refused.append(path)

        async with trio.open_nursery() as nursery:
            for path in paths:
                nursery.start_soon(put, path)
        return sorted(refused)

    async def make_directory(self, path: bytes, attributes: Attributes = DIRECTORY) -> Entry:
        return await self.store.make_directory(await self.at(path), attributes)

    async def read(self, path: bytes, start: int = 0, stop: int | None = None) -> bytes:
        """Of the version that is there."""
        location = await self.at(path)
        entry = await self.store.stat(location)
        return await self.store.read(location, entry.version, start, entry.size if stop is None else stop)

    async def set_attributes(self, path: bytes, version: Version, attributes: Attributes) -> Entry:
        return await self.store.set_attributes(await self.at(path), version, attributes)

    async def move(self, source: bytes, target: bytes, replaces: Version | None = None) -> Entry:
        return await self.store.move(await self.at(source), await self.at(target), replaces=replaces)

    async def link(self, source: bytes, target: bytes, replaces: Version | None = None) -> Entry:
        return await self.store.link(await self.at(source), await self.at(target), replaces=replaces)

    async def copy(
        self, source: bytes, target: bytes, attributes: Attributes, replaces: Version | None = None
    ) -> Entry:
        version = (await self.stat(source)).version
        places = await self.at(source), await self.at(target)
        return await self.store.copy(places[0], version, places[1], attributes, replaces=replaces)

    async def delete(self, path: bytes, version: Version | None = None) -> None:
        await self.store.delete(await self.at(path), version)

    async def aclose(self) -> None:
        """Close every client."""
        for store in (self.store, self.other, self.hasty):
            if store is not None:
                await store.aclose()

    def through(self, store: Store) -> Bench:
        """The same, with another store around or beside this one."""
        return Bench(store, self.other)
