"""Ubuntu One Files: a tree of names and bytes, in a volume of one account.

The service keeps neither modification times nor permissions nor links, so `cloudfs.stores.attributes` goes around it.
It compares and swaps nothing, and its calls do more than one wants: a move deletes what is in its way, a delete takes
whole trees, an upload makes missing parents. So this store looks before every change. Between the look and the change
another client may come first, by milliseconds; the service has no way to exclude that.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace

import trio
from cachetools import TTLCache

from cloudfs.errors import BrokenAnswer, DirectoryNotEmpty, NameRefused, NotFound, VersionMismatch
from cloudfs.stores.base import (
    NOTHING_KNOWN,
    Capabilities,
    Entry,
    Feed,
    Known,
    Listing,
    Location,
    Page,
    Pieces,
    Source,
    Transfer,
    Usage,
    Walker,
    valid_name,
)
from cloudfs.stores.swift.names import escape, unescape
from cloudfs.stores.ubuntuone.api import ALGORITHM, Node, UbuntuOneApi
from cloudfs.stores.ubuntuone.content import Hashes, Reader, Stored, Upload, hashes
from cloudfs.stores.ubuntuone.turns import Turns
from cloudfs.stores.unbroken import GRACE, unbroken
from cloudfs.types import Attributes, Version

_WORTH_ASKING = 64 << 10
"""Bytes of a file from which on it pays to ask whether the server has them already."""
_DRAFT = ".cloudfs-draft-"
"""Names that never show: copies on their way to a name that is taken."""
_KNOWN_SECONDS = 5.0
"""How long a directory that was just seen is believed to be there."""


class UbuntuOneStore:
    """The directory ``root`` of the volume of ``api``: a path in it without slashes at its ends, ``""`` for all.

    `prepare` comes first, and `aclose` closes what ``close`` does.
    """

    capabilities = Capabilities(directory_move=True, server_copy=True, checksum=ALGORITHM, round_trip=0.1)
    pieces: Pieces | None = None
    feed: Feed | None = None

    def __init__(self, api: UbuntuOneApi, root: str) -> None:
        self.walker: Walker | None = self
        self._api = api
        self._root = f"/{root}" if root else ""
        self._reader = Reader(api)
        self._turns = Turns()
        """Between a look and its change no other change of ours gets at the name."""
        self._seen: TTLCache[str, bool] = TTLCache(4096, _KNOWN_SECONDS, timer=trio.current_time)

    async def prepare(self) -> None:
        """Make the volume and the directory, if they are missing."""
        await self._api.make_volume()
        if self._root and not (await self._api.make_directory(self._root)).is_directory:
            raise NotFound(f"{self._api.volume}{self._root} is not a directory")

    # --- asking ------------------------------------------------------------------------------------------------------

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        """All in one page, as the service gives it."""
        children = await self._api.children(self._path(directory))
        self._seen[self._path(directory)] = True
        return Page([entry for node in children if (entry := _entry(node)) is not None])

    async def walk(self, directory: Location) -> AsyncGenerator[Listing, None]:
        """From one answer for the whole volume, which has what is gone as well."""
        top = self._path(directory)
        await self._require_directory(directory)
        found: dict[str, list[Entry]] = {top or "/": []}
        live = [node for node in await self._api.everything() if node.is_live and _is_below(node.path, top)]
        # A directory comes before what is in it; what is left of a tree that was deleted has no directory.
        for node in sorted(live, key=lambda node: node.path.split("/")):
            siblings, entry = found.get(node.path.rpartition("/")[0] or "/"), _entry(node)
            if siblings is None or entry is None:
                continue
            siblings.append(entry)
            if node.is_directory:
                found[node.path] = []
        for path, entries in found.items():
            inside = path.removeprefix(self._root).strip("/")
            yield Listing(Location(unescape(inside)), entries)

    async def stat(self, location: Location) -> Entry:
        return self._named(location, await self._api.node(self._path(location)))

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        return await self._reader.read(self._path(location), location, version, start, stop)

    async def checksum(self, location: Location, version: Version) -> str:
        return (await self._expect(location, version)).version

    async def digest(self, source: Source) -> str:
        return (await hashes(source)).version

    async def usage(self) -> Usage:
        used, total = await self._api.usage()
        return Usage(used, total or None, max(0, total - used) if total else None)

    async def aclose(self) -> None:
        self._reader.close()
        await self._api.aclose()

    # --- content -----------------------------------------------------------------------------------------------------

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
        path = self._new_path(location)
        wanted = await hashes(source)
        upload = Upload(source, transfer)
        async with self._turns.of(path):
            return await unbroken(
                lambda: self._put(location, path, wanted, replaces, upload),
                grace=lambda: 0.0 if upload.is_under_way else GRACE,
            )

    async def _put(
        self, location: Location, path: str, wanted: Hashes, replaces: Version | None, upload: Upload
    ) -> Entry:
        node = await self._look(path)
        if node is None or node.version != wanted.version:
            await self._check_replaced(location, node, replaces)
            node = await self._api.reuse(path, wanted.version, wanted.magic) if upload.size >= _WORTH_ASKING else None
            node = node or await self._api.upload(path, upload)
        # A file that had this content already is what an earlier call, whose answer got lost, has made.
        if node.is_directory or node.version != wanted.version or node.path != path:
            raise BrokenAnswer(f"{location}: the server has stored something else")
        upload.reached(upload.size)
        return self._named(location, node)

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        path = self._new_path(target)
        async with self._turns.of(path):
            original, present = await self._expect(source, version), await self._look(path)
            if present is not None and not present.is_directory and present.version == version:
                return self._named(target, present)
            await self._check_replaced(target, present, replaces)
            duplicate = self._duplicate if present is None else self._duplicate_over
            return self._named(target, await unbroken(lambda: duplicate(source, original, path)))

    async def _duplicate_over(self, source: Location, original: Node, path: str) -> Node:
        """Under another name first, for a name that is taken must not be without content."""
        draft = f"{path.rpartition('/')[0]}/{_DRAFT}{secrets.token_hex(8)}"
        try:
            await self._duplicate(source, original, draft)
            return await self._api.move(draft, path)
        except BaseException:
            with trio.CancelScope(shield=True), trio.move_on_after(5), suppress(NotFound):
                await self._api.delete(draft)
            raise

    async def _duplicate(self, source: Location, original: Node, path: str) -> Node:
        """The content of ``original`` under a name that is free: reused by the server, or else sent by us."""
        node = await self._api.reuse(path, original.version)
        if node is None:
            stored = Stored(self._reader, original.path, source, original.version, original.size)
            node = await self._api.upload(path, stored)
        if node.is_directory or node.version != original.version:
            raise BrokenAnswer(f"{source}: the copy is something else")
        return node

    # --- the tree ----------------------------------------------------------------------------------------------------

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        path = self._path(location)
        async with self._turns.of(path):
            present = await self._look(path)
            if present is None:
                await self._require_directory(_parent(location))
                new = self._new_path(location)
                present = await unbroken(lambda: self._api.make_directory(new))
        if not present.is_directory or present.path != (path or "/"):
            raise VersionMismatch(f"{location}: there is something else than a directory")
        self._seen[path] = True
        return self._named(location, present)

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        """Nothing can be set; but whether the object is still the same is told."""
        return self._named(location, await self._expect(location, version))

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        old, new = self._path(source), self._new_path(target)
        if new.startswith(f"{old}/"):
            raise NameRefused(f"{target}: is in the directory that would be moved")
        async with self._turns.of(old, new):
            moving, present = await self._look(old), await self._look(new)
            if moving is None:
                if present is None or (replaces is not None and present.version == replaces):
                    raise NotFound(f"{source}: not found")
                return self._named(target, present)
            if old != new:
                await self._check_replaced(target, present, None if moving.is_directory else replaces)
                self._seen.clear()
                moving = await unbroken(lambda: self._api.move(old, new))
            return self._named(target, moving)

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        raise NotImplementedError("this store cannot link")

    async def delete(self, location: Location, version: Version | None) -> None:
        path = self._new_path(location)
        async with self._turns.of(path):
            node = await self._look(path)
            if node is None:
                return
            if node.is_directory != (version is None) or node.version != (version or ""):
                raise VersionMismatch(f"{location}: it is something else by now")
            # What the mount cannot show would be lost as well; only drafts are nobody's.
            if node.is_directory and node.has_children and not all(map(_is_draft, await self._api.children(path))):
                raise DirectoryNotEmpty(f"{location}: the directory has entries")
            self._seen.pop(path, None)
            with suppress(NotFound):
                await unbroken(lambda: self._api.delete(path))

    # --- looking first -----------------------------------------------------------------------------------------------

    async def _look(self, path: str) -> Node | None:
        try:
            return await self._api.node(path)
        except NotFound:
            return None

    async def _expect(self, location: Location, version: Version) -> Node:
        node = await self._api.node(self._path(location))
        if node.version != version:
            raise VersionMismatch(f"{location}: the content is another by now")
        return node

    async def _check_replaced(self, location: Location, present: Node | None, replaces: Version | None) -> None:
        """What is there is what was expected. If nothing is, then at least the directory has to be there."""
        if present is None:
            await self._require_directory(_parent(location))
        if (present is None) != (replaces is None) or (
            present is not None and (present.is_directory or present.version != replaces)
        ):
            raise VersionMismatch(f"{location}: something else is there than was known")

    async def _require_directory(self, directory: Location) -> None:
        """The server would make it, and if a file is in the way, under another name."""
        path = self._path(directory)
        if path in self._seen:
            return
        if not (await self._api.node(path)).is_directory:
            raise NotFound(f"{directory}: not a directory")
        self._seen[path] = True

    # --- names -------------------------------------------------------------------------------------------------------

    def _path(self, location: Location) -> str:
        """In the volume."""
        return f"{self._root}/{escape(location.path)}" if location.path else self._root

    def _new_path(self, location: Location) -> str:
        if not all(valid_name(part) for part in location.path.split(b"/")) or location.name.startswith(_DRAFT.encode()):
            raise NameRefused(f"{location}: nothing can have this name here")
        return self._path(location)

    @staticmethod
    def _named(location: Location, node: Node) -> Entry:
        entry = _of(node)
        return replace(entry, name=location.name)


def _of(node: Node) -> Entry:
    return Entry(
        name=unescape(node.path.rpartition("/")[2]),
        is_directory=node.is_directory,
        size=node.size,
        version=node.version,
        mtime_ns=node.changed_ns,
    )


def _entry(node: Node) -> Entry | None:
    """None for what has no name that the mount could show, or shall show."""
    name = node.path.rpartition("/")[2]
    entry = _of(node)
    if _is_draft(node) or not valid_name(entry.name) or escape(entry.name) != name:
        return None
    return entry


def _is_draft(node: Node) -> bool:
    return node.path.rpartition("/")[2].startswith(_DRAFT)


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(f"{directory}/")


def _parent(location: Location) -> Location:
    return Location(location.parent_path, location.parent_identity)
