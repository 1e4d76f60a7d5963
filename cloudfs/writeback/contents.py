"""Where the bytes of a file come from: staged, cached, or fetched from the store."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

import trio

from cloudfs.cache.contract import Cache, CachedContent, ContentKey
from cloudfs.cache.sums import Sums
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.pieces import SentPiece
from cloudfs.errors import Incomplete, NotFound, VersionMismatch
from cloudfs.stores.base import Store
from cloudfs.types import Extent, Inode
from cloudfs.writeback.staged import Staged

P = ParamSpec("P")
T = TypeVar("T")

ReadPiece = Callable[[SentPiece, int, int], Awaitable[bytes]]
"""Bytes ``[start, stop)`` of the file, which are in that piece."""

_INLINE = 256 << 10
"""To read and to sum so many staged bytes is cheaper than a thread: they are in the page cache."""

_MOVING_SECONDS = 0.02


class Revoked(Exception):
    """The file was written to while it was being sent: what was read so far must not be published."""


class Contents:
    """Opens the committed content of inodes: the bytes that the store has, through the cache."""

    def __init__(self, catalog: Catalog, store: Store, cache: Cache) -> None:
        self._catalog = catalog
        self._store = store
        self.cache = cache

    def key(self, ino: int, content: int, size: int) -> ContentKey:
        """Names the first ``size`` bytes of one generation of one inode for ever, also for another catalogue.

        Of a base that was cut off only so much is ever looked at, while others may still have all of it open.
        """
        return ContentKey(f"{self._catalog.uuid}-{ino}-{content}-{size}")

    def open(self, ino: Inode, content: int, size: int) -> CachedContent:
        return self.cache.open(self.key(ino, content, size), size, functools.partial(self._fetch, ino, content))

    async def read_piece(self, sent: SentPiece, start: int, stop: int) -> bytes:
        """Bytes of a file that left it before it was complete. Raises `NotFound` if nobody needs the piece by now."""
        content = self.cache.open(
            self._piece_key(sent), sent.stop - sent.start, functools.partial(self._fetch_piece, sent)
        )
        try:
            return await content.read(start - sent.start, stop - sent.start)
        finally:
            content.close()

    def forget_piece(self, sent: SentPiece) -> None:
        self.cache.forget(self._piece_key(sent))

    def _piece_key(self, sent: SentPiece) -> ContentKey:
        return ContentKey(f"{self._catalog.uuid}-p{sent.id}")

    async def _fetch_piece(self, sent: SentPiece, start: int, stop: int) -> bytes:
        pieces = self._store.pieces
        if pieces is None:
            raise NotFound("the store takes no pieces any more, and this is one of an unfinished file")
        return await pieces.read(sent.piece, start + sent.start, stop + sent.start)

    async def _fetch(self, ino: Inode, content: int, start: int, stop: int) -> bytes:
        """From wherever the store has it now; a rename of ours may happen in the middle."""
        links = self._catalog.links
        while True:
            since = links.tick
            link = self.holder(ino, content)
            location = links.location(link)
            try:
                return await self._store.read(location, link.version, start, stop)
            except (NotFound, VersionMismatch):
                again = self.holder(ino, content)
                unmoved = links.location(again) == location and again.version == link.version
                if unmoved and not links.may_have_moved(again, since):
                    raise
                await trio.sleep(_MOVING_SECONDS)

    def holder(self, ino: Inode, content: int) -> Link:
        """A name under which the store has this content. Raises `NotFound`."""
        for link in self._catalog.links.of_inode(ino):
            if link.stored and link.at_content == content:
                return link
        raise NotFound("the store no longer has this version of the file")


async def read_through(
    staged: Staged, base: CachedContent | None, read_piece: ReadPiece, start: int, stop: int
) -> bytes:
    """A range of a staged file: its own bytes, those that left it already, and its base that shows through."""
    if staged.holds(start, stop):
        return staged.read(start, stop)
    parts = []
    for extent, sent in list(staged.sent.split(start, stop)):
        if sent is not None:
            parts.append(await read_piece(sent, extent.start, extent.stop))
        else:
            parts.append(await _read_over(staged, base, extent.start, extent.stop))
    return b"".join(parts)


async def _read_over(staged: Staged, base: CachedContent | None, start: int, stop: int) -> bytes:
    if base is None:
        return staged.read(start, stop)
    parts = []
    for piece, ours in list(staged.extents.pieces(start, min(stop, staged.visible))):
        parts.append(staged.read(piece.start, piece.stop) if ours else await base.read(piece.start, piece.stop))
    if stop > staged.visible:
        parts.append(staged.read(max(start, staged.visible), stop))
    return b"".join(parts)


class StagedSource:
    """What the uploader sends of a staged file. Reading raises `Revoked` once the file has been written to.

    ``sums`` are of the blocks that were read: once the store has confirmed what it got, they are those of its version.
    """

    def __init__(self, staged: Staged, size: int, base: CachedContent | None, read_piece: ReadPiece) -> None:
        self.size = size
        self.sums = Sums(size)
        self.staged = staged
        self._base = base
        self._read_piece = read_piece
        self._revoked = False

    def revoke(self) -> None:
        self._revoked = True

    def extents(self) -> Sequence[Extent]:
        if self._base is not None:
            return [Extent(0, self.size)] if self.size else []
        return self.staged.data_extents(self.size)

    async def read(self, start: int, stop: int) -> bytes:
        self.check()
        if not self.staged.holds(start, stop):
            data = await self._read_elsewhere(start, stop)
            measured = await _spend(stop - start, self.sums.measure, start, data)
        else:
            data, measured = await _spend(stop - start, self._read_ours, start, stop)
        self.check()
        self.sums.note(*measured)
        return data

    async def _read_elsewhere(self, start: int, stop: int) -> bytes:
        try:
            return await read_through(self.staged, self._base, self._read_piece, start, stop)
        except NotFound as error:
            if self.staged.sent.punched(start, stop):
                raise Incomplete(f"a piece that the store had is gone from it: {error}") from error
            raise

    def _read_ours(self, start: int, stop: int) -> tuple[bytes, tuple[int, list[int]]]:
        data = self.staged.read(start, stop)
        return data, self.sums.measure(start, data)

    def check(self) -> None:
        """Raise `Revoked` if the file has been written to since it was claimed."""
        if self._revoked:
            raise Revoked


async def _spend(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do the work on ``size`` bytes that are at hand: in a thread, if they are many."""
    if size <= _INLINE:
        return work(*args, **kwargs)
    return await trio.to_thread.run_sync(functools.partial(work, *args, **kwargs))


class CommittedSource:
    """A content that the store has under another name, to be sent again (a store without server-side copy)."""

    def __init__(self, content: CachedContent) -> None:
        self.size = content.size
        self._content = content

    def extents(self) -> Sequence[Extent]:
        return [Extent(0, self.size)] if self.size else []

    async def read(self, start: int, stop: int) -> bytes:
        return await self._content.read(start, stop)


class EmptySource:
    """Symbolic links, FIFOs, sockets and devices have no bytes."""

    size = 0

    def extents(self) -> Sequence[Extent]:
        return []

    async def read(self, start: int, stop: int) -> bytes:
        return b""
