"""Listings: of one folder in pages, and of trees, whose folders are asked for together."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Sequence

from cloudfs.errors import NotFound
from cloudfs.stores.base import Entry, Listing, Location, Page, valid_name
from cloudfs.stores.onedrive.drive import Drive
from cloudfs.stores.onedrive.graph import Ask, Json
from cloudfs.stores.onedrive.items import Item
from cloudfs.stores.parallel import in_parallel

_TOGETHER = 80
"""Folders of a tree that are asked for at a time: several batches."""
_LARGE = 2000
"""Entries of a folder for which there is nothing to be gained, as its pages come one after the other."""


class Listings:
    """Those of one drive, in pages of ``page`` entries. Implements `Walker`."""

    def __init__(self, drive: Drive, page: int) -> None:
        self._drive = drive
        self._page = page

    async def page_of(self, directory: Location, cursor: str | None) -> Page:
        """As `cloudfs.stores.base.Store.list`."""
        await self._drive.ready()
        if cursor is not None:
            return self._said(await self._drive.graph.follow(cursor, str(directory)))
        folder = directory.identity or (await self._drive.find(directory)).id
        ask = self._first(folder, directory)
        found = await self._drive.graph.get(ask.path, ask.what)
        if not found.get("value") and not (await self._drive.look(folder, str(directory))).is_folder:
            raise NotFound(f"{directory}: not a directory")
        return self._said(found)

    async def walk(self, directory: Location) -> AsyncGenerator[Listing, None]:
        """As `cloudfs.stores.base.Walker.walk`. Large folders, and what is in them, are left out."""
        await self._drive.ready()
        top = await self._drive.find(directory)
        if not top.is_folder:
            raise NotFound(f"{directory}: not a directory")
        ahead = deque([(directory, top)])
        while ahead:
            wave = [ahead.popleft() for _ in range(min(_TOGETHER, len(ahead)))]
            for place, entries in await in_parallel(self._whole, [at for at, item in wave if item.children <= _LARGE]):
                if entries is None:
                    continue
                yield Listing(place, entries)
                ahead.extend(self._inside(place, entries))

    async def _whole(self, place: Location) -> tuple[Location, Sequence[Entry] | None]:
        """All entries of a folder, in one request with others unless it has grown; None if it is gone."""
        try:
            page = self._said(await self._drive.ask(self._first(place.identity or self._drive.facts.root, place)))
            entries = [*page.entries]
            while page.cursor is not None:
                page = await self.page_of(place, page.cursor)
                entries += page.entries
        except NotFound:
            return place, None
        return place, entries

    def _inside(self, place: Location, entries: Sequence[Entry]) -> list[tuple[Location, Item]]:
        """The folders in a folder that was just listed."""
        found: list[tuple[Location, Item]] = []
        for entry in entries:
            item = self._drive.known(entry.identity) if entry.is_directory else None
            if item is not None:
                path = b"%b/%b" % (place.path, entry.name) if place.path else entry.name
                found.append((Location(path, entry.identity, place.identity), item))
        return found

    def _first(self, folder: str, directory: Location) -> Ask:
        return Ask("GET", f"{self._drive.by_id(folder, 'children')}?$top={self._page}", what=str(directory))

    def _said(self, found: Json) -> Page:
        items = [self._drive.learn(row) for row in found.get("value", [])]
        return Page([item.entry() for item in items if _is_shown(item)], found.get("@odata.nextLink"))


def _is_shown(item: Item) -> bool:
    return not item.is_hidden and valid_name(item.decoded)
