"""A store around one that keeps bytes and little else: whole attributes, in a sidecar for each directory.

What the inner store says of an object (its size and version) is recorded beside the attributes, so they hold only as
long as nobody else wrote the object. Content is published first and its attributes follow at once; a call returns
when both are stored. If the driver dies in between, the object has no attributes, and whoever finds that out sets
them (`cloudfs.writeback.resolve`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import trio

from cloudfs.errors import DirectoryNotEmpty, NameRefused, NotFound, VersionMismatch
from cloudfs.stores.attributes.format import Record, key
from cloudfs.stores.attributes.sidecar import Sidecar, Sidecars
from cloudfs.stores.attributes.stand_ins import stored_attributes, stored_source
from cloudfs.stores.attributes.view import View, ViewFeed, ViewWalker, described, dressed, with_attributes
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
from cloudfs.stores.unbroken import unbroken
from cloudfs.types import Attributes, Version

_AT_ONCE = 8
"""Requests in flight, where the inner store does not say."""
_WAITING = 128
"""Calls that are worth having in flight at once: most of them wait to be recorded with others."""
_SECOND = 1_000_000_000


class AttributesStore:
    """``inner``, which has no `Capabilities.attributes`, as a store that has them.

    ``defaults`` says what the mount shows for an object without attributes: those need not be recorded, and are None.
    """

    def __init__(self, inner: Store, defaults: Callable[[Entry], Attributes], at_once: int = _AT_ONCE) -> None:
        self.capabilities = replace(
            inner.capabilities, attributes=True, hard_links=False, time_unit_ns=1, concurrency=_WAITING
        )
        self.pieces: Pieces | None = inner.pieces
        self._inner = inner
        self._defaults = defaults
        self._slots = trio.CapacityLimiter(inner.capabilities.concurrency or at_once)
        self._sidecars = Sidecars(inner, self._slots)
        self._view = View(inner, self._sidecars)
        self.walker: Walker | None = inner.walker and ViewWalker(inner.walker, self._view)
        self.feed: Feed | None = inner.feed and ViewFeed(inner.feed, self._view)

    # --- asking --------------------------------------------------------------------------------------------------

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        """All in one page, because the sidecar may be on the last one of the inner store."""
        return Page(await self._view.listing(directory))

    async def stat(self, location: Location) -> Entry:
        if self._view.is_sidecar(location.name):
            raise NotFound(f"{location}: not found")
        entry = await self._inner.stat(location)
        sidecar = self._sidecars.around(location)
        await sidecar.look()
        return dressed(sidecar, entry, described(location, entry))

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        return await self._inner.read(location, version, start, stop)

    async def checksum(self, location: Location, version: Version) -> str:
        return await self._inner.checksum(location, version)

    async def digest(self, source: Source) -> str:
        return await self._inner.digest(source)

    async def usage(self) -> Usage:
        return await self._inner.usage()

    async def aclose(self) -> None:
        await self._inner.aclose()

    # --- changing ------------------------------------------------------------------------------------------------

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
        self._check_name(location)
        sidecar = self._sidecars.around(location)
        sent, plain = stored_source(source, attributes), stored_attributes(attributes)
        with sidecar.expecting():
            async with self._slots:
                entry = await self._inner.put(location, sent, plain, replaces=replaces, transfer=transfer, known=known)
        return await unbroken(lambda: self._record(sidecar, location, entry, attributes), begun=True)

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        self._check_name(location)
        sidecar = self._sidecars.around(location)

        async def make() -> Entry:
            with sidecar.expecting():
                async with self._slots:
                    entry = await self._inner.make_directory(location, stored_attributes(attributes))
            return await self._record(sidecar, location, entry, attributes)

        return await unbroken(make)

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        sidecar = self._sidecars.around(location)

        async def change() -> Entry:
            with sidecar.expecting():
                async with self._slots:
                    entry = await self._set_time(sidecar, location, version, attributes)
            return await self._record(sidecar, location, entry, attributes)

        return await unbroken(change)

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        self._check_name(target)
        origin, goal = self._sidecars.around(source), self._sidecars.around(target)
        await origin.look()

        async def move() -> Entry:
            with goal.expecting():
                async with self._slots:
                    entry = await self._inner.move(source, target, replaces=replaces)
            if entry.is_directory and not entry.identity:
                self._sidecars.forget(source)
            left = origin.find(replace(entry, name=source.name))
            record = left or goal.find(entry)
            if record is None:
                return entry
            answer = await self._record(goal, target, entry, record.attributes)
            if left is not None and (origin is not goal or left.key != key(entry.name, entry.identity)):
                origin.forget_exactly(left)
            return answer

        return await unbroken(move)

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        self._check_name(target)
        sidecar, plain = self._sidecars.around(target), stored_attributes(attributes)
        with sidecar.expecting():
            async with self._slots:
                entry = await self._inner.copy(source, version, target, plain, replaces=replaces)
        return await unbroken(lambda: self._record(sidecar, target, entry, attributes), begun=True)

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        raise NotImplementedError("attributes of several names of one object cannot change together here")

    async def delete(self, location: Location, version: Version | None) -> None:
        if self._view.is_sidecar(location.name):
            return
        if version is None:
            await unbroken(lambda: self._delete_directory(location))
        else:
            async with self._slots:
                await self._inner.delete(location, version)
        self._sidecars.around(location).forget(location.name, location.identity)

    # --- the rest of a change ------------------------------------------------------------------------------------

    async def _record(self, sidecar: Sidecar, location: Location, entry: Entry, attributes: Attributes) -> Entry:
        """Keep the attributes of an object that the inner store has just told of; return it with them."""
        mine = described(location, entry)
        known = key(mine.name, mine.identity) in sidecar.records
        if known or attributes != self._defaults(entry):
            await sidecar.commit(Record.of(mine, attributes))
        return with_attributes(entry, attributes)

    async def _set_time(self, sidecar: Sidecar, location: Location, version: Version, attributes: Attributes) -> Entry:
        """Tell the inner store when the object was changed, unless it knows: some make a new version of that."""
        entry = await self._inner.stat(location)
        if entry.version != version:
            raise VersionMismatch(f"{location}: the content is another by now")
        known = sidecar.find(described(location, entry))
        if known is not None and known.attributes.mtime_ns // _SECOND == attributes.mtime_ns // _SECOND:
            return entry
        return await self._inner.set_attributes(location, version, stored_attributes(attributes))

    async def _delete_directory(self, directory: Location) -> None:
        async with self._slots:
            try:
                await self._inner.delete(directory, None)
            except DirectoryNotEmpty:
                await self._delete_with_sidecar(directory)
        self._sidecars.forget(directory)

    async def _delete_with_sidecar(self, directory: Location) -> None:
        """A directory that was found not to be empty; `DirectoryNotEmpty` if it has more than a sidecar."""
        for entry in sorted(
            await self._view.all_entries(directory), key=lambda entry: self._view.is_sidecar(entry.name)
        ):
            if entry.is_directory or not self._view.is_sidecar(entry.name):
                raise DirectoryNotEmpty(f"{directory}: the directory has entries")
            try:
                await self._sidecars.of(directory).remove(entry)
            except VersionMismatch as error:
                raise DirectoryNotEmpty(f"{directory}: somebody else is changing the directory") from error
        await self._inner.delete(directory, None)

    def _check_name(self, location: Location) -> None:
        if self._view.is_sidecar(location.name):
            raise NameRefused(f"{location}: cloudfs keeps attributes under this name")
