"""What an inner store says, with the attributes of the sidecars added and the sidecars themselves left out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import trio

from cloudfs.errors import StoreError
from cloudfs.stores.attributes.format import ITSELF, SIDECAR, key
from cloudfs.stores.attributes.sidecar import Sidecar, Sidecars
from cloudfs.stores.attributes.stand_ins import stands_in
from cloudfs.stores.base import Change, Changes, Entry, Feed, Listing, Location, Store, Walker
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
        return [dressed(sidecar, entry, entry) for entry in entries if not self.is_sidecar(entry.name)]

    async def changed(self, change: Change) -> Sequence[Change]:
        """What is to be said of one change; of a sidecar that somebody else wrote: all that it describes."""
        if change.entry is None:
            return [change]
        if not change.entry.name:
            root = Location(b"", change.identity)
            sidecar = self._sidecars.of(root)
            await sidecar.look()
            return [replace(change, entry=dressed(sidecar, change.entry, described(root, change.entry)))]
        directory = Location(b"?", change.parent_identity)  # the path means nothing where there are identities
        sidecar = self._sidecars.of(directory)
        if not self.is_sidecar(change.entry.name):
            await sidecar.look()
            return [replace(change, entry=dressed(sidecar, change.entry, change.entry))]
        if change.entry.version == sidecar.version:
            return []
        return [Change(entry.identity, change.parent_identity, entry) for entry in await self.listing(directory)]


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
        answers: dict[int, Listing] = {}
        failures: list[StoreError] = []

        async def dress(number: int, listing: Listing) -> None:
            try:
                entries = await self._view.dressed(listing.directory, listing.entries)
                answers[number] = Listing(listing.directory, entries)
            except StoreError as error:
                failures.append(error)

        async with trio.open_nursery() as nursery:
            for number, listing in enumerate(listings):
                nursery.start_soon(dress, number, listing)
        if failures:
            raise failures[0]
        return [answers[number] for number in range(len(listings))]


class ViewFeed:
    """A feed with attributes; those may change although the object does not."""

    def __init__(self, inner: Feed, view: View) -> None:
        self._inner = inner
        self._view = view

    async def changes(self, cursor: str | None) -> Changes:
        news = await self._inner.changes(cursor)
        told: list[Change] = []
        for change in news.changes:
            told += await self._view.changed(change)
        return replace(news, changes=told)
