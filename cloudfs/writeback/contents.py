"""Where the bytes of a file come from: staged, cached, or fetched from the store."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

import trio

from cloudfs.cache.contract import Cache, CachedContent, ContentKey
from cloudfs.cache.sums import Sums
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.errors import NotFound, VersionMismatch
from cloudfs.stores.base import Store
from cloudfs.types import Extent, Inode
from cloudfs.writeback.staging import Staged

P = ParamSpec("P")
T = TypeVar("T")

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

    def key(self, ino: int, content: int) -> ContentKey:
        """Names one generation of one inode for ever, also after the catalogue was made anew."""
        return ContentKey(f"{self._catalog.uuid}-{ino}-{content}")

    def open(self, ino: Inode, content: int, size: int) -> CachedContent:
        return self.cache.open(self.key(ino, content), size, functools.partial(self._fetch, ino, content))

    async def _fetch(self, ino: Inode, content: int, start: int, stop: int) -> bytes:
        """From wherever the store has it now; a rename of ours may happen in the middle."""
        links = self._catalog.links
        while True:
            since = links.tick
            link = self._holder(ino, content)
            location = links.location(link)
            try:
                return await self._store.read(location, link.version, start, stop)
            except (NotFound, VersionMismatch):
                again = self._holder(ino, content)
                unmoved = links.location(again) == location and again.version == link.version
                if unmoved and not links.may_have_moved(again, since):
                    raise
                await trio.sleep(_MOVING_SECONDS)

    def _holder(self, ino: Inode, content: int) -> Link:
        for link in self._catalog.links.of_inode(ino):
            if link.stored and link.at_content == content:
                return link
        raise NotFound("the store no longer has this version of the file")


async def read_through(staged: Staged, base: CachedContent | None, start: int, stop: int) -> bytes:
    """A range of a staged file, with its base showing through the holes."""
    if base is None or staged.holds(start, stop):
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

    def __init__(self, staged: Staged, size: int, base: CachedContent | None) -> None:
        self.size = size
        self.sums = Sums(size)
        self._staged = staged
        self._base = base
        self._revoked = False

    def revoke(self) -> None:
        self._revoked = True

    def extents(self) -> Sequence[Extent]:
        if self._base is not None:
            return [Extent(0, self.size)] if self.size else []
        return self._staged.data_extents(self.size)

    async def read(self, start: int, stop: int) -> bytes:
        self.check()
        if self._base is not None:
            data = await read_through(self._staged, self._base, start, stop)
            measured = await _spend(stop - start, self.sums.measure, start, data)
        else:
            data, measured = await _spend(stop - start, self._read_ours, start, stop)
        self.check()
        self.sums.note(*measured)
        return data

    def _read_ours(self, start: int, stop: int) -> tuple[bytes, tuple[int, list[int]]]:
        data = self._staged.read(start, stop)
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
