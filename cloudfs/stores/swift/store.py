"""A container of an OpenStack Swift account, or what is below a prefix in it, as a store. The format of what it stores
is in docs/reference/swift.md; the protocol's facts are those of OpenStack Swift 2.38 and its API reference.

Files are plain objects under their path. Swift names objects and nothing else: a directory is an empty object and what
follows it in the alphabet, a move is a copy and a deletion, and there is no compare and swap.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from cloudfs.stores.base import (
    NOTHING_KNOWN,
    Capabilities,
    Entry,
    Feed,
    Known,
    Location,
    Page,
    Piece,
    Pieces,
    Source,
    Transfer,
    Usage,
    Walker,
)
from cloudfs.stores.swift.account import Offer, SwiftAccount, refused
from cloudfs.stores.swift.batches import Batches
from cloudfs.stores.swift.bulk import delete_many
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.content import md5_of_range
from cloudfs.stores.swift.directories import SwiftDirectories
from cloudfs.stores.swift.files import SwiftFiles
from cloudfs.stores.swift.large import LargeObjects
from cloudfs.stores.swift.listing import SwiftListing
from cloudfs.stores.swift.manifest import Segment, manifest_etag
from cloudfs.stores.swift.names import Names
from cloudfs.stores.swift.notes import Notes
from cloudfs.stores.swift.segments import SwiftSegments
from cloudfs.types import Attributes, Version

ALGORITHM = "swift-md5"
"""The MD5 of the content; of a large object, that of its segments' MD5s."""
BATCH_AFTER = 16
"""Small requests under way before more are combined."""
_CONCURRENCY = 1024
"""Calls in flight: many more than connections, so that there is something to combine."""


class SwiftStore:
    """One client of a container. The account is its own, and closed with it."""

    feed: Feed | None = None

    def __init__(
        self,
        account: SwiftAccount,
        offer: Offer,
        container: str,
        prefix: str = "",
        *,
        segment_size: int,
        segments: bool = True,
        page: int | None = None,
        batch_after: int = BATCH_AFTER,
        space: Callable[[], Awaitable[Usage]] | None = None,
    ) -> None:
        """``offer`` is what the provider can do, and ``segments`` whether it knows large objects of any kind.

        ``space`` asks somebody who knows better than the account's headers how much is used.

        ``page`` is how many rows of a listing are asked for at once; ``batch_after`` how many small requests are under
        way before more are combined.
        """
        self._account = account
        self._space = space
        self._segment_size = min(segment_size, offer.max_object)
        self._container = SwiftContainer(account, container)
        names = Names(prefix, offer.max_name)
        dynamic = segments and not offer.static_large_objects
        aside = SwiftContainer(account, f"{container}_segments")
        self._notes = Notes(self._container, aside, prefix)
        rows = min(page or offer.page, offer.page)
        self._listing = SwiftListing(
            self._container, names, self._notes, rows, manifests=dynamic, full_pages=offer.full_pages
        )
        self._directories = SwiftDirectories(self._container, names, self._listing, self._notes.marks)
        self._segments = SwiftSegments(aside, self._segment_size)

        async def delete(owner: SwiftContainer, doomed: Sequence[str]) -> None:
            await delete_many(account, owner, doomed, offer.bulk_delete)

        self._large = LargeObjects(self._container, names, self._segments, offer, delete) if segments else None
        batches = Batches(self._container, offer, batch_after)
        largest = None if segments else offer.max_object
        self._files = SwiftFiles(self._container, names, self._directories, self._large, batches, largest)
        self.pieces: Pieces | None = self._segments if segments else None
        self.walker: Walker | None = self._listing
        self.capabilities = Capabilities(
            server_copy=True,
            attributes=True,
            max_path=names.longest_path,
            max_size=largest,
            checksum=ALGORITHM,
            concurrency=_CONCURRENCY,
            round_trip=account.round_trip,
        )

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        return await self._listing.list_page(directory, cursor)

    async def stat(self, location: Location) -> Entry:
        return await self._listing.stat(location)

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        return await self._files.read(location, version, start, stop)

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
        return await self._files.put(location, source, attributes, replaces, transfer, known)

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        return await self._directories.make(location, attributes)

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        if attributes.is_directory:
            return await self._directories.set_attributes(location, attributes)
        return await self._files.set_attributes(location, version, attributes)

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        return await self._files.move(source, target, replaces)

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        return await self._files.copy(source, version, target, attributes, replaces)

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        raise NotImplementedError("this store cannot link")

    async def delete(self, location: Location, version: Version | None) -> None:
        if version is None:
            await self._directories.delete(location)
        else:
            await self._files.delete(location, version)

    async def checksum(self, location: Location, version: Version) -> str:
        return await self._files.etag(location, version)

    async def digest(self, source: Source) -> str:
        """What the checksum is if the whole content is sent at once; one that was patched is not recognised."""
        if self.pieces is None or source.size <= self._segment_size:
            return await md5_of_range(source, 0, source.size)
        segments = []
        for start in range(0, source.size, self._segment_size):
            stop = min(start + self._segment_size, source.size)
            segments.append(Segment.whole("", await md5_of_range(source, start, stop), stop - start))
        return manifest_etag(segments)

    async def usage(self) -> Usage:
        """Of the account; the container's own quota counts if it has one."""
        facts = await self._container.facts()
        if facts is not None and (quota := _number(facts, "x-container-meta-quota-bytes")) is not None:
            return _usage(_number(facts, "x-container-bytes-used") or 0, quota)
        if self._space is not None:
            return await self._space()
        answer = await self._account.send("HEAD", "")
        if not answer.succeeded:
            raise refused("account", answer)
        used = _number(answer.headers, "x-account-bytes-used") or 0
        return _usage(used, _number(answer.headers, "x-account-meta-quota-bytes"))

    async def leftovers(self, known: Callable[[], Iterable[Piece]]) -> Sequence[str]:
        return await self._large.leftovers(known) if self._large is not None else ()

    async def settle(self, *, busy: bool = False, last: bool = False) -> None:
        await self._notes.settle(busy=busy, last=last)

    async def aclose(self) -> None:
        await self._account.aclose()


def _usage(used: int, total: int | None) -> Usage:
    return Usage(used, total, max(0, total - used) if total is not None else None)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isdecimal() else None
