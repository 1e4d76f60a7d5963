"""Lists trees of a `MemoryTree` the way a flat store does: all names in order, so a directory after what is in it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

from cloudfs.errors import NotFound
from cloudfs.stores.base import Entry, Listing, Location
from cloudfs.stores.memory.tree import Node


class MemoryWalker:
    """Implements `Walker`. ``begin`` stands for a request, of which each gets ``page`` names; ``entry`` is a row."""

    def __init__(
        self,
        find: Callable[[Location], Node],
        entry: Callable[[bytes, Node], Entry],
        begin: Callable[[str], Awaitable[None]],
        page: int,
    ) -> None:
        self._find = find
        self._entry = entry
        self._begin = begin
        self._page = page

    async def walk(self, directory: Location) -> AsyncGenerator[Listing, None]:
        await self._begin("walk")
        node = self._find(directory)
        if not node.is_directory:
            raise NotFound(f"{directory}: not a directory")
        taken = 0
        for listing in self._listings(directory, node):
            taken += len(listing.entries)
            while taken >= self._page:
                await self._begin("walk")
                taken -= self._page
            yield listing

    def _listings(self, place: Location, node: Node) -> Iterator[Listing]:
        children = sorted(node.children.items())
        entries = [self._entry(name, child) for name, child in children]
        for entry, (name, child) in zip(entries, children, strict=True):
            if child.is_directory:
                path = b"%b/%b" % (place.path, name) if place.path else name
                yield from self._listings(Location(path, entry.identity, place.identity), child)
        yield Listing(place, entries)
