"""Files: put, read, copied, moved, deleted. Swift cannot compare and swap, so every change looks first."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import replace

from cloudfs.errors import BrokenAnswer, NotFound, TooLarge, VersionMismatch
from cloudfs.stores.base import Entry, Known, Location, Source, Transfer
from cloudfs.stores.swift.attributes import foreign_metadata, is_directory_type, object_headers, split_type
from cloudfs.stores.swift.batches import Batches, NewFile
from cloudfs.stores.swift.container import Head, SwiftContainer
from cloudfs.stores.swift.content import Content, prepare
from cloudfs.stores.swift.directories import SwiftDirectories
from cloudfs.stores.swift.large import Assembly, LargeObjects
from cloudfs.stores.swift.layouts import LayoutReader
from cloudfs.stores.swift.locks import Locks
from cloudfs.stores.swift.manifest import Segment
from cloudfs.stores.swift.names import Names
from cloudfs.stores.swift.rows import entry_from_head, etag_in, file_entry, version_of
from cloudfs.stores.unbroken import unbroken
from cloudfs.types import Attributes, Version


class SwiftFiles:
    """``largest`` is in bytes, of one file; None if segments make any size possible."""

    def __init__(
        self,
        container: SwiftContainer,
        names: Names,
        directories: SwiftDirectories,
        large: LargeObjects | None,
        batches: Batches,
        largest: int | None,
    ) -> None:
        self._container = container
        self._names = names
        self._directories = directories
        self._large = large
        self._batches = batches
        self._largest = largest
        self._reader = LayoutReader(container)
        self._locks = Locks()

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        name = self._names.of(location)
        if start < stop:
            return await self._reader.read(name, etag_in(version), start, stop)
        await self._require(location, version)
        return b""

    async def put(
        self,
        location: Location,
        source: Source,
        attributes: Attributes,
        replaces: Version | None,
        transfer: Transfer,
        known: Known,
    ) -> Entry:
        self._names.of(location)
        if self._largest is not None and source.size > self._largest:
            raise TooLarge(f"{location}: {source.size} bytes are more than this store takes in one file")
        if self._large is not None and attributes.is_regular and self._large.is_wanted(source.size, known):
            return await self._put_large(self._large, location, source, attributes, replaces, transfer, known)
        async with self._locks.hold([self._names.of(location)]):
            await self._directories.require_parent(location)
            if replaces is None:
                etag = await self._put_new(location, source, attributes)
            else:
                etag = await self._put_over(location, source, attributes, replaces)
        transfer.advance(source.size)
        return file_entry(location.name, etag, source.size, attributes)

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        async with self._locks.hold([self._names.of(location)]):
            return await self._set_attributes(location, version, attributes)

    async def _set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        head = await self._require(location, version)
        media, _ = split_type(head.headers.get("content-type", ""))
        ours = object_headers(location, attributes, media, unlisted=head.is_dynamic)
        headers = {**foreign_metadata(head.headers), **ours}
        await unbroken(lambda: self._container.post(self._names.of(location), headers))
        return file_entry(location.name, head.etag, head.size, attributes)

    async def copy(
        self, source: Location, version: Version, target: Location, attributes: Attributes, replaces: Version | None
    ) -> Entry:
        async with self._locks.hold([self._names.of(target)]):
            return await self._copy_to(source, version, target, attributes, replaces)

    async def _copy_to(
        self, source: Location, version: Version, target: Location, attributes: Attributes, replaces: Version | None
    ) -> Entry:
        head = await self._require(source, version)
        await self._directories.require_parent(target)
        there = await self._container.head(self._names.of(target))
        entry = file_entry(target.name, head.etag, head.size, attributes)
        if there is None or entry_from_head(target.name, there) != entry:
            _check_replaced(target, there, replaces)
            media, _ = split_type(head.headers.get("content-type", ""))
            ours = object_headers(target, attributes, media, unlisted=head.is_dynamic)
            headers = {**foreign_metadata(head.headers), **ours}
            await self._copy(source, head, target, there, {**headers, "X-Fresh-Metadata": "true"})
        return entry

    async def move(self, source: Location, target: Location, replaces: Version | None) -> Entry:
        """By a copy that the server makes. Both names are there for a moment, and after a crash in it."""
        if source.path == target.path:
            return entry_from_head(target.name, await self._require(target, None))
        async with self._locks.hold([self._names.of(source), self._names.of(target)]):
            return await self._move(source, target, replaces)

    async def _move(self, source: Location, target: Location, replaces: Version | None) -> Entry:
        name = self._names.of(source)
        head = await self._container.head(name)
        await self._directories.require_parent(target)
        there = await self._container.head(self._names.of(target))
        if head is None:
            return _moved_before(source, target, there, replaces)
        if is_directory_type(head.headers.get("content-type", "")):
            raise NotImplementedError("this store cannot move directories")
        entry = replace(entry_from_head(source.name, head), name=target.name)
        if there is None or entry_from_head(target.name, there) != entry:
            _check_replaced(target, there, replaces)
            await unbroken(lambda: self._copy_and_delete(source, head, target, there))
        else:
            await unbroken(lambda: self._container.delete(name))
        return entry

    async def delete(self, location: Location, version: Version) -> None:
        async with self._locks.hold([self._names.of(location)]):
            await self._delete(location, version)

    async def _delete(self, location: Location, version: Version) -> None:
        name = self._names.of(location)
        head = await self._container.head(name)
        if head is None:
            await self._require_no_directory(location)
            return
        if _version_of(head) != version:
            raise VersionMismatch(f"{location}: it is something else by now")
        segments = await self._segments(name, head)
        await unbroken(lambda: self._batches.delete(name))
        await self._release(name, segments)

    async def etag(self, location: Location, version: Version) -> str:
        """Of the version that is known, if it is there; what Swift made of its content."""
        return (await self._require(location, version)).etag

    # --- putting ---------------------------------------------------------------------------------------------------

    async def _put_new(self, location: Location, source: Source, attributes: Attributes) -> str:
        """The etag."""
        name = self._names.of(location)

        async def content() -> Content:
            prepared = await prepare(location, source, attributes)
            await self._directories.require_parent(location)  # it may have gone while this waited, or was read
            return prepared

        try:
            return await self._batches.put_new(NewFile(name, content), source.size)
        except VersionMismatch:
            etag = (await prepare(location, source, attributes)).md5
            await self._accept_own(location, await self._container.head(name), etag, attributes)
            return etag

    async def _put_over(self, location: Location, source: Source, attributes: Attributes, replaces: Version) -> str:
        name = self._names.of(location)
        content = await prepare(location, source, attributes)
        there = await self._container.head(name)
        try:
            _check_replaced(location, there, replaces)
        except VersionMismatch:
            await self._accept_own(location, there, content.md5, attributes)
            return content.md5
        segments = await self._segments(name, there)
        await unbroken(lambda: self._container.put(name, content.body, content.headers, md5=content.md5))
        await self._release(name, segments)
        return content.md5

    async def _put_large(
        self,
        large: LargeObjects,
        location: Location,
        source: Source,
        attributes: Attributes,
        replaces: Version | None,
        transfer: Transfer,
        known: Known,
    ) -> Entry:
        with large.sending() as group:
            assembly = await large.assemble(group, source, known, transfer)
            async with self._locks.hold([self._names.of(location)]):
                try:
                    await self._publish(large, location, assembly, attributes, replaces)
                except (VersionMismatch, NotFound, BrokenAnswer):
                    await large.discard(location, assembly)
                    raise
        return file_entry(location.name, assembly.etag, source.size, attributes)

    async def _publish(
        self,
        large: LargeObjects,
        location: Location,
        assembly: Assembly,
        attributes: Attributes,
        replaces: Version | None,
    ) -> None:
        name = self._names.of(location)
        await self._directories.require_parent(location)
        there = await self._container.head(name)
        headers = object_headers(location, attributes, unlisted=large.makes_dynamic)
        try:
            _check_replaced(location, there, replaces)
            segments = await self._segments(name, there)
            await unbroken(lambda: large.publish(location, assembly, headers, exclusive=replaces is None))
        except VersionMismatch:
            # Perhaps it is ours, and the answer was lost: what is there may be made of these segments, or of others.
            await self._accept_own(location, await self._container.head(name), assembly.etag, attributes)
            await large.discard(location, assembly)
        else:
            await large.release(name, segments, assembly.all)

    async def _accept_own(self, location: Location, there: Head | None, etag: str, attributes: Attributes) -> None:
        """Success if what is there is what an earlier call made, whose answer was lost; else `VersionMismatch`."""
        if there is None or there.etag != etag:
            raise VersionMismatch(f"{location}: something else is there than was known")
        theirs = entry_from_head(location.name, there).attributes
        if theirs is None or not _is_alike(theirs, attributes):
            raise VersionMismatch(f"{location}: something else is there than was known")
        if theirs != attributes:
            await self._set_attributes(location, version_of(etag, theirs), attributes)

    # --- copying ---------------------------------------------------------------------------------------------------

    async def _copy_and_delete(self, source: Location, head: Head, target: Location, there: Head | None) -> None:
        await self._copy(source, head, target, there, {})
        name = self._names.of(source)
        await self._container.delete(name)
        if head.is_large and self._large is not None:
            await self._large.forget(name, self._names.of(target))

    async def _copy(
        self, source: Location, head: Head, target: Location, there: Head | None, headers: dict[str, str]
    ) -> None:
        name, copied = self._names.of(source), self._names.of(target)
        replaced = await self._segments(copied, there)
        if head.is_large and self._large is not None:
            etag = await unbroken(lambda: self._large_copy(name, head, copied, headers))
        else:
            etag = await unbroken(lambda: self._container.copy(name, copied, headers))
        if etag != head.etag:
            await self._container.delete(copied)
            raise BrokenAnswer(f"{source}: the copy is not what it should be")
        await self._release(copied, replaced)

    async def _large_copy(self, name: str, head: Head, copied: str, headers: dict[str, str]) -> str:
        assert self._large is not None
        return await self._large.copy(name, head, copied, headers)

    # --- looking ---------------------------------------------------------------------------------------------------

    async def _require(self, location: Location, version: Version | None) -> Head:
        """The object, if it has that version, or with None any file."""
        head = await self._container.head(self._names.of(location))
        if head is None:
            raise NotFound(f"{location}: not found")
        if is_directory_type(head.headers.get("content-type", "")) or version not in (None, _version_of(head)):
            raise VersionMismatch(f"{location}: the content is another by now")
        return head

    async def _require_no_directory(self, location: Location) -> None:
        rows: Sequence[object] = await self._container.rows(self._names.inside(location), limit=1)
        if rows:
            raise VersionMismatch(f"{location}: it is something else by now")

    async def _segments(self, name: str, head: Head | None) -> list[Segment]:
        if head is None or self._large is None or not head.is_large:
            return []
        return await self._large.segments(name, head)

    async def _release(self, name: str, segments: Sequence[Segment]) -> None:
        if segments and self._large is not None:
            await self._large.release(name, segments)


def _check_replaced(location: Location, there: Head | None, replaces: Version | None) -> None:
    found = None if there is None else _version_of(there)
    if found != replaces or (there is not None and not found):
        raise VersionMismatch(f"{location}: something else is there than was known")


def _version_of(head: Head) -> Version:
    """Empty for directories."""
    return entry_from_head(b"", head).version


def _moved_before(source: Location, target: Location, there: Head | None, replaces: Version | None) -> Entry:
    """What a move whose answer was lost has made; `NotFound` if there was none."""
    entry = entry_from_head(target.name, there) if there is not None else None
    if entry is None or entry.is_directory or entry.version == replaces:
        raise NotFound(f"{source}: not found")
    return entry


def _is_alike(theirs: Attributes, ours: Attributes) -> bool:
    """Whether they may well be attributes of the same file."""
    return (theirs.mtime_ns, theirs.target, theirs.rdev, stat.S_IFMT(theirs.mode)) == (
        ours.mtime_ns,
        ours.target,
        ours.rdev,
        stat.S_IFMT(ours.mode),
    )
