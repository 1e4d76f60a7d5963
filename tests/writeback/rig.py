"""A mount without a kernel: every object of `cloudfs.daemon.mount` but the FUSE session, over a store in memory.

The tests speak to it as the kernel would, and can end it in the two ways a mount ends: `mounted` returns, or the
driver is killed (`Death`), and a copy of its directory made at that instant is all that is left.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from cloudfs.cache.disk import DiskCache
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Defaults, Merging, Stale
from cloudfs.catalog.nodes import Node
from cloudfs.errors import InvalidArgument, NotFound
from cloudfs.stores.base import Store
from cloudfs.stores.faults import FaultPlan, FaultyStore, Weather
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import ROOT
from cloudfs.vfs.attributes import AttributeChanges, Change
from cloudfs.vfs.capacity import Capacity
from cloudfs.vfs.directories import Directories
from cloudfs.vfs.files import Files
from cloudfs.vfs.filesystem import FileSystem
from cloudfs.vfs.namespace import Namespace, Owner
from cloudfs.vfs.prefetcher import Prefetcher
from cloudfs.vfs.pulse import Pulse
from cloudfs.vfs.space import Space
from cloudfs.writeback.ahead import Ahead
from cloudfs.writeback.contents import Contents
from cloudfs.writeback.health import Health
from cloudfs.writeback.perform import Performer
from cloudfs.writeback.progress import Progress
from cloudfs.writeback.staging import Staging
from cloudfs.writeback.uploader import Uploader

OWNER = Owner(1000, 1000)
DEFAULTS = Defaults(uid=1000, gid=1000, umask=0o022)
REGULAR = stat.S_IFREG | 0o644
DIRECTORY = stat.S_IFDIR | 0o755
SYMLINK = stat.S_IFLNK | 0o777
FIFO = stat.S_IFIFO | 0o600


class Stuck(AssertionError):
    """The uploader works and works, and does not come to an end."""


@dataclass
class Death:
    """Kills the driver after so many more durable steps, by taking a copy of what is on the disk at that instant.

    From then on the driver is a ghost: the store does not listen to it any more, and nobody looks at its directory.
    """

    home: Path
    heir: Path
    plan: FaultPlan
    countdown: int | None = None
    happened: bool = False
    steps: list[str] = field(default_factory=list)

    def durable_step(self, what: str) -> None:
        self.steps.append(what)
        if self.countdown is None or self.happened:
            return
        self.countdown -= 1
        if self.countdown <= 0:
            self.now()

    def now(self) -> None:
        if not self.happened:
            shutil.copytree(self.home / "state", self.heir / "state")
            self.happened = True
            self.plan.weather = Weather.OFFLINE


@dataclass(frozen=True, slots=True)
class Rig:
    """A running mount, with what a test wants to reach."""

    fs: FileSystem
    catalog: Catalog
    staging: Staging
    cache: DiskCache
    contents: Contents
    merging: Merging
    directories: Directories
    prefetcher: Prefetcher
    capacity: Capacity
    health: Health
    performer: Performer
    uploader: Uploader
    ahead: Ahead | None
    files: Files
    store: Store
    plan: FaultPlan
    death: Death
    stale: list[Stale]

    # --- as an application and the kernel would ----------------------------------------------------------------------

    async def resolve(self, path: bytes) -> Node:
        """Raises `NotFound`."""
        node = self.fs.node(ROOT)
        for name in filter(None, path.split(b"/")):
            found = await self.fs.lookup(node.ino, name)
            if found is None:
                raise NotFound(path.decode(errors="backslashreplace"))
            node = found
        return node

    async def place(self, path: bytes) -> tuple[int, bytes]:
        """The directory that a path is in, whose names are known, and the name there."""
        parent, _, name = path.rpartition(b"/")
        directory = (await self.resolve(parent)).ino
        await self.directories.known(directory)
        return directory, name

    async def make(self, path: bytes, mode: int = REGULAR, target: bytes | None = None) -> Node:
        return self.fs.namespace.make(*await self.place(path), mode, OWNER, target=target)

    async def mkdir(self, path: bytes) -> Node:
        return await self.make(path, DIRECTORY)

    async def regular(self, path: bytes) -> int:
        node = await self.resolve(path)
        if not node.is_regular:
            raise InvalidArgument("not a regular file")
        ino: int = node.ino
        return ino

    async def write(self, path: bytes, data: bytes, offset: int = 0, flags: int = 0) -> None:
        """Open, write and close."""
        handle = self.files.open(await self.regular(path), os.O_RDWR | flags)
        try:
            await self.write_handle(handle, offset, data)
            self.files.flush(handle)
        finally:
            self.files.release(handle)

    async def write_handle(self, handle: int, offset: int, data: bytes) -> None:
        """As the kernel's requests do."""
        if not self.files.write_nowait(handle, offset, data):
            await self.files.prepare_write(handle, offset, len(data))
            self.files.write(handle, offset, data)

    async def create(self, path: bytes, data: bytes = b"") -> Node:
        """A new file with content, closed."""
        node = await self.make(path)
        if data:
            await self.write(path, data)
        return node

    async def read(self, path: bytes) -> bytes:
        """The whole content. Raises store errors."""
        return await self.read_inode((await self.resolve(path)).ino)

    async def read_inode(self, ino: int) -> bytes:
        handle = self.files.open(ino, os.O_RDONLY)
        try:
            return await self.read_handle(handle)
        finally:
            self.files.release(handle)

    async def read_handle(self, handle: int) -> bytes:
        size = self.fs.node(self.files.inode_of(handle)).size
        data = self.files.read_nowait(handle, 0, size)
        return data if data is not None else await self.files.read(handle, 0, size)

    async def change(self, path: bytes, change: Change) -> None:
        await self.fs.set_attributes((await self.resolve(path)).ino, change, None, privileged=True)

    async def truncate(self, path: bytes, size: int) -> None:
        await self.fs.set_attributes(await self.regular(path), Change(), size, privileged=True)

    async def rename(self, old: bytes, new: bytes, flags: int = 0) -> None:
        await self.fs.rename(*await self.place(old), *await self.place(new), flags)
        self.forget()

    async def link(self, old: bytes, new: bytes) -> None:
        self.fs.namespace.link((await self.resolve(old)).ino, *await self.place(new))

    async def unlink(self, path: bytes) -> None:
        self.fs.namespace.unlink(*await self.place(path))
        self.forget()

    async def rmdir(self, path: bytes) -> None:
        await self.fs.rmdir(*await self.place(path))
        self.forget()

    async def names(self, path: bytes = b"") -> list[bytes]:
        """The directory as `ls` would show it, sorted."""
        ino = (await self.resolve(path)).ino
        await self.directories.known(ino)
        return sorted(name for _, name, _ in self.fs.catalog.links.children(ino, 0, 1 << 30))

    def forget(self) -> None:
        """The kernel forgets every inode that has no name, as soon as nobody has it open."""
        for (ino,) in self.catalog.database.execute("SELECT ino FROM nodes WHERE nlink = 0").fetchall():
            self.fs.forget(ino)

    # --- the uploader --------------------------------------------------------------------------------------------

    def hasten(self) -> None:
        """Nothing waits for its write-back delay any longer, or for its next attempt."""
        now = time.time_ns()
        self.catalog.pending.hasten_all(now)
        self.catalog.pending.retry_all(now)
        self.uploader.end_rest()
        self.uploader.hurry()

    async def drain(self, *, steps: int = 500) -> None:
        """Return when nothing is pending or being done, or the driver is dead.

        Raises `Stuck` after that many steps of the uploader.
        """
        for _ in range(steps):
            if self.death.happened:
                return
            if not self.catalog.pending.count():
                await self._finish_work()
                return
            self.hasten()
            with trio.move_on_after(1):
                await self.uploader.progressed()
        raise Stuck("\n".join(str(row) for row in self.pending()))

    async def _finish_work(self) -> None:
        """What was stored is put away, in a thread that does not know of virtual time."""
        while self.uploader.is_working():
            with trio.move_on_after(1):
                await self.uploader.progressed()

    def pending(self) -> list[Link]:
        """The rows that the uploader has still to deal with."""
        ids = self.catalog.database.execute("SELECT id FROM links WHERE pending IS NOT NULL").fetchall()
        return [link for (number,) in ids if (link := self.catalog.links.get(number)) is not None]

    def staged_files(self) -> list[str]:
        """Names of the files in the staging directory, less those that wait for the disk to be removed."""
        self.catalog.database.finish()
        return [path.name for path in (self.death.home / "state" / "staging").rglob("*") if path.is_file()]


@asynccontextmanager
async def mounted(
    home: Path,
    store: Store,
    *,
    heir: Path | None = None,
    cache_size: int = 1 << 30,
    cache_time: float = 0.0,
    uploads: int = 4,
    uploading: bool = True,
) -> AsyncIterator[Rig]:
    """A mount with its state in ``home``; ``heir`` is where the state goes when the driver is killed.

    With the ``cache_time`` of 0 every listing is old at once. Without ``uploading`` nothing leaves.
    """
    (home / "state").mkdir(parents=True, exist_ok=True)
    plan = FaultPlan()
    death = Death(home, heir or home / "never", plan)
    catalog = Catalog(home / "state" / "catalog.db", "memory:", (DIRECTORY, 1000, 1000), death.durable_step)
    try:
        async with trio.open_nursery() as nursery:
            rig = _build(home, FaultyStore(store, plan), catalog, plan, death, nursery, cache_size, cache_time, uploads)
            try:
                await _start(rig, nursery, uploading=uploading)
                yield rig
            finally:
                with trio.CancelScope(shield=True):
                    await rig.cache.aclose()
                catalog.database.settle()
                nursery.cancel_scope.cancel()
        rig.staging.close()
    finally:
        catalog.close()


def _build(
    home: Path,
    store: Store,
    catalog: Catalog,
    plan: FaultPlan,
    death: Death,
    nursery: trio.Nursery,
    cache_size: int,
    cache_time: float,
    uploads: int,
) -> Rig:
    can = store.capabilities
    stale: list[Stale] = []
    health = Health(read_only=False)
    cache = DiskCache(home / "cache", cache_size, nursery)
    piece_size = store.pieces.size if store.pieces is not None else 0
    staging = Staging(home / "state" / "staging", catalog.stagings, catalog.pieces, piece_size)
    contents = Contents(catalog, store, cache)
    merging = Merging(catalog, DEFAULTS)
    progress = Progress()
    ahead = None
    if store.pieces is not None:
        ahead = Ahead(catalog, store.pieces, staging, contents, health, uploads, progress, death.durable_step)
    performer = Performer(catalog, store, contents, staging, merging, stale.append, health, ahead)
    capacity = Capacity(store, health)
    pulse = Pulse()

    def quiet(link: Link) -> float:
        if not link.doomed and catalog.may_have_unknown_names(catalog.nodes.get(link.ino).link_group):
            directories.explore()
            return 0.5
        return files.quiet_for(link.ino, doomed=link.doomed)

    uploader = Uploader(catalog, performer, health, can, uploads, quiet, pulse.is_busy, progress)
    space = Space(cache_size, staging, cache, [uploader, ahead] if ahead is not None else [uploader], progress)
    directories = Directories(catalog, store, merging, health, cache_time, stale.append)
    prefetcher = Prefetcher(catalog, contents, directories.known)
    files = Files(
        catalog, contents, staging, space, health, can.max_size, uploader.kick, death.durable_step, prefetcher
    )
    fs = FileSystem(
        catalog=catalog,
        directories=directories,
        namespace=Namespace(catalog, health, uploader.kick, record_groups=not can.hard_links),
        attributes=AttributeChanges(catalog, health, uploader.kick, xattrs=True),
        files=files,
        capacity=capacity,
        pulse=pulse,
    )
    return Rig(
        fs,
        catalog,
        staging,
        cache,
        contents,
        merging,
        directories,
        prefetcher,
        capacity,
        health,
        performer,
        uploader,
        ahead,
        files,
        store,
        plan,
        death,
        stale,
    )


async def _start(rig: Rig, nursery: trio.Nursery, *, uploading: bool) -> None:
    """As the daemon does, in the same order."""
    rig.files.recover()
    for ino in rig.catalog.nodes.orphans():
        with rig.catalog:
            rig.catalog.reap(ino)
    await rig.staging.sweep()
    await rig.directories.learn_root()
    nursery.start_soon(rig.catalog.database.settle_forever)
    nursery.start_soon(rig.catalog.database.sync_forever)
    nursery.start_soon(rig.directories.explore_forever)
    nursery.start_soon(rig.directories.walk_forever)
    nursery.start_soon(rig.directories.follow_changes)
    nursery.start_soon(rig.prefetcher.run)
    if uploading:
        nursery.start_soon(rig.uploader.run)
        if rig.ahead is not None:
            nursery.start_soon(rig.ahead.run)


def memory(tree: MemoryTree | None = None) -> MemoryStore:
    """A store that can do everything."""
    return MemoryStore(tree or MemoryTree(), EVERYTHING)
