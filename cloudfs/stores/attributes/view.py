"""What an inner store says, with the attributes of the sidecars added and the sidecars themselves left out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from cloudfs.errors import NotFound
from cloudfs.stores.attributes.format import ITSELF, SIDECAR, key
from cloudfs.stores.attributes.sidecar import Sidecar, Sidecars
from cloudfs.stores.attributes.stand_ins import stands_in
from cloudfs.stores.base import Change, Changes, Entry, Feed, Listing, Location, Store, Walker
from cloudfs.stores.parallel import in_parallel
from cloudfs.types import Attributes

_TOGETHER = 16
"""Directories whose sidecars are read at a time while a tree is walked."""


def described(location: Location, entry: Entry) -> Entry:
    """An object as it is recorded: the root has neither a name nor a directory to be recorded in."""
    return entry if location.path else replace(entry, name=ITSELF, identity="")


def dressed(sidecar: Sidecar, entry: Entry, recorded_as: Entry) -> Entry:
    """``entry`` with its attributes, if there are any."""
    record = sidecar.find(recorded_as)
    return entry if record is None else with_attributes(entry, record.attributes)


def with_attributes(entry: Entry, attributes: Attributes) -> Entry:
    size = 0 if stands_in(attributes) else entry.size
    return replace(entry, attributes=attributes, mtime_ns=attributes.mtime_ns, size=size)


class View:
    """Whole listings."""

    def __init__(self, inner: Store, sidecars: Sidecars) -> None:
        self._inner = inner
        self._sidecars = sidecars

    def is_sidecar(self, name: bytes) -> bool:
        return name == SIDECAR or (not self._inner.capabilities.case_sensitive and name.lower() == SIDECAR)

    async def all_entries(self, directory: Location) -> Sequence[Entry]:
        """By the inner store, as they are."""
        page = await self._inner.list(directory)
        entries = [*page.entries]
        while page.cursor is not None:
            page = await self._inner.list(directory, page.cursor)
            entries += page.entries
        return entries

    async def listing(self, directory: Location) -> Sequence[Entry]:
        """All entries. What was recorded before and is not there any more leaves the sidecar some time."""
        sidecar = self._sidecars.of(directory)
        before = dict(sidecar.records)
        found = await self.all_entries(directory)
        entries = await self.dressed(directory, found)
        present = {key(entry.name, entry.identity) for entry in found if sidecar.find(entry) is not None}
        for record in before.values():
            if record.key not in present and record.name != ITSELF:
                sidecar.forget_exactly(record)
        return entries

    async def dressed(self, directory: Location, entries: Sequence[Entry]) -> Sequence[Entry]:
        """What the inner store listed just now."""
        sidecar = self._sidecars.of(directory)
        await sidecar.follow(next((entry for entry in entries if self.is_sidecar(entry.name)), None))
        sidecar.is_news = False
        return [dressed(sidecar, entry, entry) for entry in entries if not self.is_sidecar(entry.name)]

    async def changed(self, changes: Sequence[Change]) -> Sequence[Change]:
        """What is to be said of changes; of a sidecar that somebody else wrote: all that it describes.

        Each directory is asked about once, however many of its objects changed.
        """
        concerned = {_directory(change).identity: _directory(change) for change in changes if change.entry is not None}
        await in_parallel(lambda directory: self._sidecars.of(directory).look(), concerned.values(), _TOGETHER)
        told: list[Change] = []
        for change in changes:
            told += await self._told(change)
        return told

    async def _told(self, change: Change) -> Sequence[Change]:
        entry = change.entry
        if entry is None:
            return [change]
        directory = _directory(change)
        sidecar = self._sidecars.of(directory)
        if not entry.name:
            return [replace(change, entry=dressed(sidecar, entry, described(Location(b""), entry)))]
        if not self.is_sidecar(entry.name):
            return [replace(change, entry=dressed(sidecar, entry, entry))]
        if not sidecar.is_news:
            return []
        try:
            entries = await self.listing(directory)
        except NotFound:  # the directory is gone by now, which the feed tells by itself
            return []
        return [Change(entry.identity, directory.identity, entry) for entry in entries]


def _directory(change: Change) -> Location:
    """Whose sidecar describes what changed. The path means nothing where there are identities."""
    assert change.entry is not None
    return Location(b"?", change.parent_identity) if change.entry.name else Location(b"", change.identity)


class ViewWalker:
    """A walker with attributes."""

    def __init__(self, inner: Walker, view: View) -> None:
        self._inner = inner
        self._view = view

    async def walk(self, directory: Location) -> AsyncGenerator[Listing]:
        found: list[Listing] = []
        async with aclosing(self._inner.walk(directory)) as listings:
            async for listing in listings:
                found.append(listing)
                if len(found) == _TOGETHER:
                    for complete in await self._dressed(found):
                        yield complete
                    found = []
        for complete in await self._dressed(found):
            yield complete

    async def _dressed(self, listings: Sequence[Listing]) -> Sequence[Listing]:
        async def dress(listing: Listing) -> Listing:
            return Listing(listing.directory, await self._view.dressed(listing.directory, listing.entries))

        return await in_parallel(dress, listings)


class ViewFeed:
    """A feed with attributes; those may change although the object does not."""

    def __init__(self, inner: Feed, view: View) -> None:
        self._inner = inner
        self._view = view

    async def changes(self, cursor: str | None) -> Changes:
        news = await self._inner.changes(cursor)
        return replace(news, changes=await self._view.changed(news.changes))
