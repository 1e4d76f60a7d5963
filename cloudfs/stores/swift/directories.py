"""Directories, of which Swift has none: an empty object of the name marks one, and anything below it implies one."""

from __future__ import annotations

import logging

import trio

from cloudfs.errors import DirectoryNotEmpty, NotFound, VersionMismatch
from cloudfs.http.message import Headers
from cloudfs.stores.base import Entry, Location
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.attributes import DIRECTORY, foreign_metadata, is_directory_type, object_headers
from cloudfs.stores.swift.container import Head, SwiftContainer
from cloudfs.stores.swift.listing import SwiftListing
from cloudfs.stores.swift.locks import Locks
from cloudfs.stores.swift.marks import Marks
from cloudfs.stores.swift.names import Names
from cloudfs.stores.swift.root import root_headers
from cloudfs.stores.swift.rows import directory_entry
from cloudfs.stores.unbroken import unbroken
from cloudfs.types import Attributes

_log = logging.getLogger(__name__)
_REMEMBERED = 30.0
"""Seconds for which a directory that was there is taken to be still there, when something is put into it."""
_LOOK = 100
"""Rows of a directory to be deleted that are looked at together: a listing may show what is gone."""


class SwiftDirectories:
    """Makes, deletes and remembers them."""

    def __init__(self, container: SwiftContainer, names: Names, listing: SwiftListing, marks: Marks) -> None:
        self._container = container
        self._marks = marks
        self._names = names
        self._listing = listing
        self._seen: dict[bytes, float] = {}
        self._asking = Locks()

    async def require_parent(self, location: Location) -> None:
        """`NotFound` unless the directory that something shall be put into exists."""
        parent = Location(location.parent_path)
        if self._is_there(parent.path):
            return
        async with self._asking.hold([str(parent)]):  # hundreds of files are put into it at once: one of them asks
            if not self._is_there(parent.path):
                await self._require_parent(location, parent)

    def _is_there(self, path: bytes) -> bool:
        """Without asking anybody."""
        return not path or self._seen.get(path, 0.0) > trio.current_time()

    async def _require_parent(self, location: Location, parent: Location) -> None:
        self._seen.pop(parent.path, None)
        try:
            entry = await self._listing.stat(parent)
        except NotFound:
            raise NotFound(f"{location}: there is no such directory") from None
        if not entry.is_directory:
            raise NotFound(f"{location}: its parent is not a directory")
        self._remember(parent.path)

    async def make(self, location: Location, attributes: Attributes) -> Entry:
        if not location.path:
            await self._mark_root(location, attributes)
            return directory_entry(b"", attributes)
        await self.require_parent(location)
        try:
            await self._mark(location, attributes, None)
        except VersionMismatch:
            await self._mark_again(location, attributes)
        self._remember(location.path)
        return directory_entry(location.name, attributes)

    async def set_attributes(self, location: Location, attributes: Attributes) -> Entry:
        """`NotFound`; `VersionMismatch` if it is not a directory."""
        if not location.path:
            return await self.make(location, attributes)
        head = await self._container.head(self._names.of(location))
        marked = head is not None and is_directory_type(head.headers.get("content-type", ""))
        if not marked and not (await self._listing.stat(location)).is_directory:
            raise VersionMismatch(f"{location}: there is something else than a directory")
        await self._mark(location, attributes, head or _NOTHING)
        return directory_entry(location.name, attributes)

    async def delete(self, location: Location) -> None:
        """Gone already is success. `DirectoryNotEmpty`; `VersionMismatch` if it is not a directory."""
        try:
            entry = await self._listing.stat(location)
        except NotFound:
            return
        if not entry.is_directory:
            raise VersionMismatch(f"{location}: it is something else by now")
        self._seen.pop(location.path, None)
        inside = self._names.inside(location)
        has_marker = await self._require_empty(location, inside)
        if has_marker:
            await unbroken(lambda: self._container.delete(inside))
        name = self._names.of(location)
        try:
            await unbroken(lambda: self._container.delete(name))
        finally:
            self._marks.removed(name)

    async def _require_empty(self, location: Location, inside: str) -> bool:
        """Whether the directory is marked by ``name/`` as well. What is listed but gone does not count."""
        after, has_marker = "", False
        while True:
            rows = await self._container.rows(inside, after=after, limit=_LOOK)
            names = [str(row["name"]) for row in rows]
            has_marker = has_marker or inside in names
            heads = await in_parallel(self._container.head, [name for name in names if name != inside])
            if any(head is not None for head in heads):
                raise DirectoryNotEmpty(f"{location}: the directory has entries")
            if len(rows) < _LOOK:
                return has_marker
            after = names[-1]

    async def _mark_again(self, location: Location, attributes: Attributes) -> None:
        """There is an object of this name already."""
        head = await self._container.head(self._names.of(location))
        if head is not None and not is_directory_type(head.headers.get("content-type", "")):
            entry = await self._listing.stat(location)
            if not entry.is_directory:
                raise VersionMismatch(f"{location}: there is something else than a directory")
        await self._mark(location, attributes, head or _NOTHING)

    async def _mark(self, location: Location, attributes: Attributes, there: Head | None) -> None:
        """Make the object that marks it, or change it. None: there should be nothing, else `VersionMismatch`."""
        name = self._names.of(location)
        headers = object_headers(location, attributes)
        try:
            if there is None or there is _NOTHING:
                await unbroken(lambda: self._container.put(name, b"", headers, exclusive=there is None))
            else:
                kept = foreign_metadata(there.headers)
                await unbroken(lambda: self._container.post(name, {**kept, **headers}))
        finally:
            if location.path:  # which is in no listing
                self._marks.changed(name)

    async def _mark_root(self, location: Location, attributes: Attributes) -> None:
        name = self._names.of(location)
        if not name:
            await self._container.create()
            await self._container.post_facts(root_headers(attributes))
            return
        head = await self._container.head(name)
        if head is not None and not is_directory_type(head.headers.get("content-type", "")):
            raise VersionMismatch(f"{name}: there is something else than a directory")
        await self._mark(location, attributes, head or _NOTHING)

    def _remember(self, path: bytes) -> None:
        if len(self._seen) > 100_000:
            self._seen.clear()
        self._seen[path] = trio.current_time() + _REMEMBERED


_NOTHING = Head("", 0, Headers([(b"content-type", DIRECTORY.encode())]))
"""Of a directory that exists only because something is in it."""
