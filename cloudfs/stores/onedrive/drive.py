"""One drive, and the mounted folder in it: addresses, items that are asked for and remembered, folders by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import cachetools
import trio

from cloudfs.errors import NameRefused, NotFound, VersionMismatch
from cloudfs.stores.base import Location
from cloudfs.stores.onedrive.batch import Batches
from cloudfs.stores.onedrive.graph import Ask, Graph, Json, segment
from cloudfs.stores.onedrive.items import Item, parse_item
from cloudfs.stores.onedrive.names import encode, encode_path
from cloudfs.types import Version

_REMEMBERED = 20_000
"""Items; about 1 KiB each, most of it the address of the content."""
_URL_SECONDS = 600.0
"""For which an address of content is used. They are good for up to an hour, or "a few minutes"."""
_VARIANTS = 1000
_UNMET = 2
"""Variants that may be missing before the name counts as not there, as long as nothing has the same letters."""
_GAP = 8
"""Variants that may be missing in a row behind one that has the same letters: they may have been deleted."""


@dataclass(frozen=True, slots=True)
class DriveFacts:
    """``kind`` is ``personal``, ``business`` or ``documentLibrary`` (SharePoint); ``base`` the path of the mounted
    folder in the drive, encoded and without slashes around; ``root`` that folder's id."""

    id: str
    kind: str
    base: str
    root: str


class Drive:
    """What is remembered may be old, and is never the ground for a change: every change names the tag it expects.

    Which drive it is, is asked when it is first needed (`ready`), because a mount has to start off line too.
    """

    def __init__(self, graph: Graph, batches: Batches, find_out: Callable[[], Awaitable[DriveFacts]]) -> None:
        self.graph = graph
        self._batches = batches
        self._find_out = find_out
        self._facts: DriveFacts | None = None
        self._turn = trio.Lock()
        self._items: cachetools.LRUCache[str, tuple[Item, float]] = cachetools.LRUCache(_REMEMBERED)

    async def ready(self) -> None:
        """Return once the drive is known; every method of a store begins with it. Raises as any request."""
        if self._facts is not None:
            return
        async with self._turn:
            if self._facts is None:
                self._facts = await self._find_out()

    @property
    def facts(self) -> DriveFacts:
        assert self._facts is not None, "ready() comes first"
        return self._facts

    @property
    def path(self) -> str:
        """Of the drive itself."""
        return f"/drives/{segment(self.facts.id)}"

    # --- addresses ---------------------------------------------------------------------------------------------------

    def by_id(self, item: str, action: str = "") -> str:
        return f"{self.path}/items/{segment(item)}" + (f"/{action}" if action else "")

    def by_name(self, location: Location, variant: int = 0, action: str = "") -> str:
        """Relative to the directory, if its id is known, else to the mounted root. Raises `NameRefused`."""
        encode_path(location, self.facts.base)
        parent, names = self.facts.root, location.path.split(b"/")
        if location.parent_identity:
            parent, names = location.parent_identity, names[-1:]
        encoded = [encode(name) for name in names[:-1]] + [encode(names[-1], variant)]
        tail = f":/{action}" if action else ""
        return f"{self.by_id(parent)}:/{'/'.join(segment(name) for name in encoded)}{tail}"

    async def parent_id(self, location: Location) -> str:
        """Of the directory that a location is in. Raises `NotFound`."""
        if location.parent_identity:
            return location.parent_identity
        if not location.parent_path:
            return self.facts.root
        parent = await self.find(Location(location.parent_path))
        if not parent.is_folder:
            raise NotFound(f"{location}: there is no such directory")
        return parent.id

    # --- items -------------------------------------------------------------------------------------------------------

    async def ask(self, ask: Ask) -> Json:
        """Together with others that are asked at the same time."""
        return await self._batches.call(ask)

    def learn(self, row: Json) -> Item:
        """An item as Graph describes it now."""
        item = parse_item(row)
        self._items[item.id] = item, trio.current_time()
        return item

    def known(self, identity: str) -> Item | None:
        """What was learned of it last."""
        found = self._items.get(identity)
        return found[0] if found else None

    def fresh_url(self, item: Item) -> str:
        """The address of its content, if it is probably still good."""
        found = self._items.get(item.id)
        return item.url if found and found[0] is item and trio.current_time() - found[1] < _URL_SECONDS else ""

    def forget(self, identity: str) -> None:
        self._items.pop(identity, None)

    async def look(self, identity: str, what: str = "", *, inside: bool = False) -> Item:
        """An item as it is now. Raises `NotFound`. ``inside`` is as for `Calls.send`."""
        try:
            if inside:
                return self.learn(await self.graph.get(self.by_id(identity), what, inside=True))
            return self.learn(await self.ask(Ask("GET", self.by_id(identity), what=what)))
        except NotFound:
            self.forget(identity)
            raise

    async def find(self, location: Location) -> Item:
        """What is at a location now: by its identity, or else by its name. Raises `NotFound`."""
        if location.identity or not location.path:
            return await self.look(location.identity or self.facts.root, str(location))
        return (await self.find_name(location))[0]

    async def find_name(self, location: Location) -> tuple[Item, int]:
        """What has a name, and which variant of it OneDrive keeps. Raises `NotFound`."""
        missing, most = 0, _UNMET
        for variant in variants(location):
            try:
                item = await self._look_by_name(location, variant)
            except NotFound:
                missing += 1
                if missing == most:
                    break
                continue
            if item.decoded == location.name:
                return item, variant
            missing, most = 0, _GAP
        raise NotFound(f"{location}: not found")

    async def claim(self, location: Location, version: Version) -> Item:
        """What has the name of a location, if it is a file of that version; else `VersionMismatch`."""
        known = self.known(location.identity) if location.identity else None
        if known is None or known.version != version or not await self._is_at(known, location):
            try:
                known = await self.find(location)
            except NotFound:
                raise VersionMismatch(f"{location}: it is gone") from None
        if known.is_folder or known.version != version or not await self._is_at(known, location):
            raise VersionMismatch(f"{location}: it is something else by now")
        return known

    async def _is_at(self, item: Item, location: Location) -> bool:
        return item.decoded == location.name and item.parent == await self.parent_id(location)

    async def taken(self, location: Location, variant: int) -> Item | None:
        """What has taken a name that we wanted, under whichever variant of it; None if nothing has: what is in the way
        differs in the case of letters, which OneDrive does not tell apart, and another variant may be free."""
        item = await self._look_by_name(location, variant)
        if item.decoded == location.name:
            return item
        if variant:
            return None  # That nothing has the name was found out when the first variant was taken.
        try:
            return (await self.find_name(location))[0]
        except NotFound:
            return None

    async def _look_by_name(self, location: Location, variant: int) -> Item:
        return self.learn(await self.ask(Ask("GET", self.by_name(location, variant), what=str(location))))


def variants(location: Location) -> Iterator[int]:
    """The variants of a name to be tried, one after the other; those that fit into a name. Raises `NameRefused`."""
    encode(location.name)
    for variant in range(_VARIANTS if _has_case(location.name) else 1):
        try:
            encode(location.name, variant)
        except NameRefused:
            return
        yield variant


def _has_case(name: bytes) -> bool:
    text = name.decode("utf-8", "replace")
    return text.casefold() != text or text.upper() != text
