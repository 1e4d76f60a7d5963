"""Where the bytes of a file come from: staged, cached, or fetched from the store."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import ParamSpec, Protocol, TypeVar

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

Measured = tuple[int, list[int]]
"""What `Sums.measure` found."""

_BASE_IS_GONE = (
    "the file was changed or deleted elsewhere, and the bytes of it that were not written here are gone with that;"
    " write all of it again, or discard it"
)
_INLINE = 256 << 10
"""To read and to sum so many staged bytes is cheaper than a thread: they are in the page cache."""

_PATIENCE = 30.0
"""Seconds for what is to be read to turn up, when an upload or a move of ours may have replaced it."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


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
        """From wherever the store has it now; a rename or an upload of ours may happen in the middle."""
        links = self._catalog.links
        # Not for ever: it may be an upload of ours that waits here, and nobody else will move anything before it ends.
        deadline = trio.current_time() + _PATIENCE
        pause = _FIRST_PAUSE
        while True:
            since = links.tick
            link = self.holder(ino, content)
            location = links.location(link)
            try:
                return await self._store.read(location, link.version, start, stop)
            except (NotFound, VersionMismatch):
                again = self.holder(ino, content)
                unmoved = links.location(again) == location and again.version == link.version
                if unmoved and (trio.current_time() >= deadline or not links.may_have_moved(again, since)):
                    raise
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def has(self, ino: Inode, content: int) -> bool:
        """Whether the store has this content, as far as we know."""
        try:
            self.holder(ino, content)
        except NotFound:
            return False
        return True

    def holder(self, ino: Inode, content: int) -> Link:
        """A name under which the store has this content. Raises `NotFound`."""
        for link in self._catalog.links.of_inode(ino):
            if link.stored and link.at_content == content:
                return link
        raise NotFound("the store no longer has this version of the file")


class Opener(Protocol):
    """What a staged file is made of besides its own bytes; `Contents`."""

    def open(self, ino: Inode, content: int, size: int) -> CachedContent: ...

    def has(self, ino: Inode, content: int) -> bool: ...

    async def read_piece(self, sent: SentPiece, start: int, stop: int) -> bytes: ...


class StagedReader:
    """All bytes of a staged file: its own, those that have left it already, and its base that shows through.

    Where a byte is may change whenever the reader waits: a piece is punched out, or an upload is confirmed and becomes
    the base. So it looks again for each part, and never reads two of them on the strength of one look.
    """

    def __init__(self, staged: Staged, opener: Opener) -> None:
        self.staged = staged
        self._opener = opener
        self._base: CachedContent | None = None
        self._base_of = 0

    async def read(self, start: int, stop: int) -> bytes:
        """Raises store errors; `NotFound` also if the file is staged no longer, and its bytes are elsewhere."""
        parts = []
        while start < stop:
            data = await self._read_some(start, stop)
            parts.append(data)
            start += len(data)
        return b"".join(parts)

    def close(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    async def _read_some(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` on that are in one place."""
        staged = self.staged
        if staged.gone:
            raise NotFound("these bytes are no longer staged")
        extent, sent = next(staged.sent.split(start, stop))
        if sent is not None:
            return await self._opener.read_piece(sent, extent.start, extent.stop)
        if not staged.base or start >= staged.visible:
            return staged.read(start, extent.stop)
        piece, ours = next(staged.extents.pieces(start, min(extent.stop, staged.visible)))
        if ours:
            return staged.read(start, piece.stop)
        base = staged.base
        try:
            return await self._opened(base).read(start, piece.stop)
        except (NotFound, VersionMismatch):
            if staged.base == base:
                raise
            return b""  # another one shows through by now

    def _opened(self, base: int) -> CachedContent:
        if self._base is None or self._base_of != base:
            self.close()
            self._base = self._opener.open(self.staged.ino, base, self.staged.visible)
            self._base_of = base
        return self._base


class StagedSource:
    """What the uploader sends of a staged file. Reading raises `Revoked` once the file has been written to.

    ``sums`` are of the blocks that were read: once the store has confirmed what it got, they are those of its version.
    """

    def __init__(self, staged: Staged, size: int, opener: Opener) -> None:
        self.size = size
        self.sums = Sums(size)
        self.staged = staged
        self._opener = opener
        self._reader = StagedReader(staged, opener)
        self.is_revoked = False
        """The file has been written to since it was claimed."""

    def close(self) -> None:
        self._reader.close()

    def revoke(self) -> None:
        self.is_revoked = True

    def extents(self) -> Sequence[Extent]:
        if self.staged.base:
            return [Extent(0, self.size)] if self.size else []
        return self.staged.data_extents(self.size)

    async def read(self, start: int, stop: int) -> bytes:
        self.check()
        found = await self._read_here(start, stop)
        if found is None:
            data = await self._read_elsewhere(start, stop)
            found = data, await _spend(stop - start, self.sums.measure, start, data)
        self.check()
        data, measured = found
        self.sums.note(*measured)
        return data

    async def _read_here(self, start: int, stop: int) -> tuple[bytes, Measured] | None:
        """Our own bytes with their sums; None if they are not all here, or left while a thread was reading them."""
        if not self.staged.holds(start, stop):
            return None
        found = await _spend(stop - start, self._read_ours, start, stop)
        return found if self.staged.holds(start, stop) else None

    async def _read_elsewhere(self, start: int, stop: int) -> bytes:
        try:
            return await self._reader.read(start, stop)
        except NotFound as error:
            if self.staged.sent.punched(start, stop):
                raise Incomplete(f"a piece that the store had is gone from it: {error}") from error
            if not self._opener.has(self.staged.ino, self.staged.base):
                raise Incomplete(_BASE_IS_GONE) from error
            raise

    def _read_ours(self, start: int, stop: int) -> tuple[bytes, Measured]:
        data = self.staged.read(start, stop)
        return data, self.sums.measure(start, data)

    def check(self) -> None:
        """Raise `Revoked` if the file has been written to since it was claimed."""
        if self.is_revoked:
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
