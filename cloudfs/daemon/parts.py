"""Every object of a mount: made and connected here, the kernel mount last."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

import trio

from cloudfs.cache.disk import DiskCache
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Defaults, Merging, Stale
from cloudfs.daemon.boot import boot_id
from cloudfs.daemon.crash import CrashPoints
from cloudfs.daemon.inquiries import Inquiries
from cloudfs.daemon.pending import PendingWork
from cloudfs.daemon.request import MountRequest
from cloudfs.daemon.retention import Pruner
from cloudfs.daemon.status import Status
from cloudfs.daemon.tree import Tree
from cloudfs.daemon.upkeep import Upkeep
from cloudfs.daemon.usage import Sizes
from cloudfs.daemon.verify import Verifier
from cloudfs.fuse.notices import Notices
from cloudfs.fuse.operations import Operations
from cloudfs.fuse.reading import Reader
from cloudfs.fuse.session import Session
from cloudfs.stores.attributes.store import AttributesStore
from cloudfs.stores.base import Store
from cloudfs.vfs.attributes import AttributeChanges
from cloudfs.vfs.capacity import Capacity
from cloudfs.vfs.directories import Directories
from cloudfs.vfs.files import Files
from cloudfs.vfs.filesystem import FileSystem
from cloudfs.vfs.namespace import Namespace
from cloudfs.vfs.prefetcher import Prefetcher
from cloudfs.vfs.pulse import Pulse
from cloudfs.vfs.removal import Removal
from cloudfs.vfs.space import Space
from cloudfs.writeback.ahead import Ahead
from cloudfs.writeback.contents import Contents
from cloudfs.writeback.discard import Discard
from cloudfs.writeback.durability import Durability
from cloudfs.writeback.health import Health
from cloudfs.writeback.perform import Performer
from cloudfs.writeback.progress import Progress
from cloudfs.writeback.staging import Staging
from cloudfs.writeback.uploader import Uploader

_EXPLORING_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Parts:
    """Every object of a running mount."""

    catalog: Catalog
    cache: DiskCache
    staging: Staging
    durability: Durability
    directories: Directories
    prefetcher: Prefetcher
    files: Files
    capacity: Capacity
    uploader: Uploader
    ahead: Ahead | None
    status: Status
    notices: Notices
    session: Session
    inquiries: Inquiries
    upkeep: Upkeep


def build(request: MountRequest, catalog: Catalog, store: Store, nursery: trio.Nursery, crash: CrashPoints) -> Parts:
    """Make and connect everything; the last of it is the kernel mount."""
    options = request.options
    can = store.capabilities
    health = Health(read_only=options.read_only or getattr(store, "read_only", False))
    cache = DiskCache(request.cache_dir, options.cache_size, nursery)
    piece_size = store.pieces.size if store.pieces is not None else 0
    staging = Staging(request.state_dir / "staging", catalog.stagings, catalog.pieces, piece_size)
    durability = Durability(catalog, staging)
    durability.started(boot_id())
    contents = Contents(catalog, store, cache)
    merging = Merging(catalog, _defaults(request))
    notices = Notices()

    def stale(name: Stale) -> None:
        notices.stale(name.parent, name.name)

    progress = Progress()
    ahead = None
    if store.pieces is not None:
        ahead = Ahead(catalog, store.pieces, staging, contents, health, options.uploads, progress, crash.durable_step)
    performer = Performer(catalog, store, contents, staging, merging, stale, health, ahead)
    capacity = Capacity(store, health)
    pulse = Pulse()
    uploader = Uploader(
        catalog,
        performer,
        health,
        can,
        max(options.uploads, can.concurrency),
        lambda link: _quiet(catalog, files, directories, link),
        pulse.is_busy,
        progress,
    )
    space = Space(options.cache_size, staging, cache, [uploader, ahead] if ahead is not None else [uploader], progress)
    directories = Directories(catalog, store, merging, health, options.dir_cache_time, stale)
    prefetcher = Prefetcher(catalog, contents, directories.known)
    files = Files(
        catalog, contents, staging, space, health, can.max_size, uploader.kick, crash.durable_step, prefetcher
    )
    fs = FileSystem(
        catalog=catalog,
        directories=directories,
        namespace=Namespace(catalog, health, uploader.kick, record_groups=not can.hard_links),
        attributes=AttributeChanges(catalog, health, uploader.kick, xattrs=options.xattr),
        files=files,
        capacity=capacity,
        pulse=pulse,
    )
    status = Status(request, catalog, cache, staging, capacity, health, performer, uploader)
    reader = Reader()
    operations = Operations(fs, notices, reader, status.stored if options.sync == "remote" else None)
    files.recover()
    session = Session(operations, reader, request.mountpoint, _kernel_options(request))
    discard = Discard(catalog, store, staging, merging, stale)
    tree = Tree(catalog, directories)
    removal = Removal(catalog, health, uploader.kick, stale, staging.discard)
    inquiries = Inquiries(
        PendingWork(catalog, uploader, discard, performer.sending.__contains__),
        Verifier(catalog, store, tree, contents),
        Sizes(catalog, tree, store, capacity),
        Pruner(catalog, tree, removal, shared=can.hard_links, progressed=uploader.progressed),
    )
    return Parts(
        catalog,
        cache,
        staging,
        durability,
        directories,
        prefetcher,
        files,
        capacity,
        uploader,
        ahead,
        status,
        notices,
        session,
        inquiries,
        Upkeep(store, health, catalog.pending.count),
    )


def _quiet(catalog: Catalog, files: Files, directories: Directories, link: Link) -> float:
    """For how many seconds the uploader should leave a name alone."""
    if not link.doomed and catalog.may_have_unknown_names(catalog.nodes.get(link.ino).link_group):
        directories.explore()
        return _EXPLORING_SECONDS
    return files.quiet_for(link.ino, doomed=link.doomed)


def _kernel_options(request: MountRequest) -> list[str]:
    options = request.options
    words = [f"fsname={request.source.text.replace(',', chr(92) + ',')}", "subtype=cloudfs", *options.kernel]
    for wanted, word in (
        (options.allow_other, "allow_other"),
        (options.read_only, "ro"),
        (options.suid, "suid"),
        (options.dev, "dev"),
    ):
        if wanted:
            words.append(word)
    return words


def root_attributes(request: MountRequest) -> tuple[int, int, int]:
    defaults = _defaults(request)
    return stat.S_IFDIR | 0o777 & ~defaults.umask, defaults.uid, defaults.gid


def with_attributes(request: MountRequest, store: Store) -> Store:
    """A store that keeps whole attributes: ``store`` itself, or what keeps them for it, unless nobody wants that."""
    if store.capabilities.attributes or not request.options.attributes:
        return store
    return AttributesStore(store, _defaults(request).attributes)


def _defaults(request: MountRequest) -> Defaults:
    options = request.options
    return Defaults(
        uid=os.getuid() if options.uid is None else options.uid,
        gid=os.getgid() if options.gid is None else options.gid,
        umask=0o022 if options.umask is None else options.umask,
    )
