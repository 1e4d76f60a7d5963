"""The local store: a directory that keeps plain files.

What is where:

* ``local_tree`` opens paths that cannot leave the directory, and says who may change what when; ``local_parts`` names
  what is not finished, which is hidden in the root until then;
* ``local_listing`` lists; ``local_content`` holds the bytes, ``local_attributes`` everything else of a file;
* ``local_files`` stores and copies whole files, ``local_changes`` makes all other changes, each in one blocking call;
* here, these calls are taken to threads, and long ones cut into steps between which they can be cancelled.

The version of a file is its identity (inode number and generation), size and mtime: it stays when a name, owner or
permission changes. A small file is stored in one trip to a thread. Being durable costs two ``fsync`` a file, of its
bytes before it has a name and of the directory after; many at a time share the commits of the file system's journal
(ext4: 0.32 ms for a file and one ``fsync``, 0.17 ms with 8 at a time, 0.09 ms without). ``syncfs`` for a batch of files
was tried: it is slower, and writes back what everybody else on that disk has in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import trio

from cloudfs.errors import TooLarge, Unavailable
from cloudfs.stores.base import (
    NOTHING_KNOWN,
    Capabilities,
    Entry,
    Feed,
    Known,
    Location,
    Page,
    Pieces,
    Source,
    Transfer,
    Usage,
    Walker,
)
from cloudfs.stores.local.attributes import LocalAttributes
from cloudfs.stores.local.changes import LocalChanges
from cloudfs.stores.local.content import Steps
from cloudfs.stores.local.errors import mapped
from cloudfs.stores.local.files import LocalFiles, largest_file
from cloudfs.stores.local.listing import LocalListing
from cloudfs.stores.local.parts import Maker
from cloudfs.stores.local.tree import LocalTree
from cloudfs.stores.sparse import ALGORITHM, batches, read_batch, source_digest
from cloudfs.types import NAME_MAX, Attributes, Extent, Version

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 16
"""Enough to share the commits of a journal, and to keep a slow disk's queue filled."""


class LocalStore:
    """A directory as a store. Made where blocking is allowed: it looks at the file system, and clears away there what
    earlier processes could not finish. Used in the process that made it.

    With ``durable`` what was stored survives a power cut. ``unnamed_drafts`` lets unfinished files have no name where
    the file system can do that, instead of a hidden one. A listing comes in pages of ``page`` entries.
    """

    pieces: Pieces | None = None
    walker: Walker | None = None
    feed: Feed | None = None

    def __init__(self, root: Path, *, durable: bool = True, unnamed_drafts: bool = True, page: int = 10_000) -> None:
        """Raises `StoreError` if the directory cannot be used. It may come later; until then all is `Unavailable`."""
        self._tree = tree = LocalTree(os.fsencode(root.absolute()))
        attributes = LocalAttributes(os.geteuid())
        maker = Maker.this_process()
        self._listing = LocalListing(tree, attributes, maker, page)
        self._changes = LocalChanges(tree, attributes, maker, self._listing, durable=durable)
        self._files = LocalFiles(tree, attributes, maker, self._changes, durable=durable, unnamed_drafts=unnamed_drafts)
        self._listing.clear_root()
        self._threads = trio.CapacityLimiter(_THREADS)
        self.capabilities = Capabilities(
            directory_move=True,
            server_copy=True,
            hard_links=True,
            attributes=True,
            max_name=NAME_MAX,
            max_size=largest_file(tree),
            checksum=ALGORITHM,
        )

    @property
    def read_only(self) -> bool:
        """Whether nothing can be stored: a read-only file system, or a directory of somebody else. Blocks shortly.

        As long as the directory is not there, nobody knows: False.
        """
        with mapped(Location(b"")):
            try:
                return self._tree.read_only()
            except Unavailable:
                return False

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        return await self._run(directory, self._listing.page, directory, cursor)

    async def stat(self, location: Location) -> Entry:
        return await self._run(location, self._changes.stat, location)

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        return await self._run(location, self._files.read, location, version, start, stop)

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
        if not attributes.is_regular:
            return await self._run(location, self._files.put_special, location, attributes, replaces)
        if self.capabilities.max_size is not None and source.size > self.capabilities.max_size:
            raise TooLarge(f"{location}: {source.size} bytes are more than the file system takes in one file")
        data = list(batches(source.extents(), source.size))
        if len(data) > 1:
            return await self._put_in_steps(location, source, data, attributes, replaces, transfer)
        pieces = await read_batch(source, data[0]) if data else []
        entry = await self._run(location, self._files.put, location, source.size, pieces, attributes, replaces)
        transfer.advance(source.size)
        return entry

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        return await self._run(location, self._changes.make_directory, location, attributes)

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        return await self._run(location, self._changes.set_attributes, location, version, attributes)

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        return await self._run(target, self._changes.move, source, target, replaces)

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        if not attributes.is_regular:
            return await self._run(target, self._files.copy_special, source, version, target, attributes, replaces)
        return await self._run_steps(target, self._files.copy(source, version, target, attributes, replaces))

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        return await self._run(target, self._changes.link, source, target, replaces)

    async def delete(self, location: Location, version: Version | None) -> None:
        await self._run(location, self._changes.delete, location, version)

    async def checksum(self, location: Location, version: Version) -> str:
        return await self._run_steps(location, self._files.checksum(location, version))

    async def digest(self, source: Source) -> str:
        return await source_digest(source, self._threads)

    async def usage(self) -> Usage:
        status = await self._run(Location(b""), self._tree.space)
        unit = status.f_frsize
        used = (status.f_blocks - status.f_bfree) * unit
        return Usage(used=used, total=status.f_blocks * unit, free=status.f_bavail * unit)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    async def _put_in_steps(
        self,
        location: Location,
        source: Source,
        data: Sequence[Sequence[Extent]],
        attributes: Attributes,
        replaces: Version | None,
        transfer: Transfer,
    ) -> Entry:
        draft = await self._run(location, self._files.draft, location, source.size)
        sent = 0
        try:
            for batch in data:
                await self._run(location, draft.write, await read_batch(source, batch))
                transfer.advance(batch[-1].stop - sent)
                sent = batch[-1].stop
            await self._run_steps(location, draft.verify())
            entry = await self._run(location, self._files.finish, draft, location, attributes, replaces)
        finally:
            with trio.CancelScope(shield=True):
                await self._run(location, self._files.drop, draft)
        transfer.advance(source.size - sent)
        return entry

    async def _run(self, location: Location, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function`` in a thread; it happens whole or, if cancelled, not at all."""
        with mapped(location):
            return await trio.to_thread.run_sync(lambda: function(*args, **kwargs), limiter=self._threads)

    async def _run_steps(self, location: Location, steps: Steps[T]) -> T:
        """Call it in threads, step by step; can be cancelled in between."""
        done: tuple[T] | None = None
        try:
            while done is None:
                done = await self._run(location, _step, steps)
        finally:
            if done is None:
                with trio.CancelScope(shield=True):
                    await self._run(location, steps.close)
        return done[0]


def _step(steps: Steps[T]) -> tuple[T] | None:
    """One step, and the result if it was the last."""
    try:
        next(steps)
    except StopIteration as stop:
        return (stop.value,)
    return None
