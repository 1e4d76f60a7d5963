"""The composition root: builds every object of a mount, owns the nursery, orders start and shutdown."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import logging
import os
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trio

from cloudfs.cache.disk import DiskCache
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Defaults, Merging, Stale
from cloudfs.daemon.control import ControlServer, Handler
from cloudfs.daemon.crash import CrashPoints
from cloudfs.daemon.mountinfo import mounted_at, read_mounts
from cloudfs.daemon.registry import Registry
from cloudfs.daemon.request import MountRequest
from cloudfs.daemon.status import Report, Status
from cloudfs.daemon.stores import open_store
from cloudfs.errors import StateInUse
from cloudfs.fuse.notices import Notices
from cloudfs.fuse.operations import Operations
from cloudfs.fuse.reading import Reader
from cloudfs.fuse.session import Session
from cloudfs.stores.base import Store
from cloudfs.vfs.attributes import AttributeChanges
from cloudfs.vfs.capacity import Capacity
from cloudfs.vfs.directories import Directories
from cloudfs.vfs.files import Files
from cloudfs.vfs.filesystem import FileSystem
from cloudfs.vfs.namespace import Namespace
from cloudfs.vfs.pulse import Pulse
from cloudfs.vfs.space import Space
from cloudfs.writeback.contents import Contents
from cloudfs.writeback.health import Health
from cloudfs.writeback.perform import Performer
from cloudfs.writeback.staging import Staging
from cloudfs.writeback.uploader import Uploader

_log = logging.getLogger(__name__)
_EXPLORING_SECONDS = 0.5
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(request: MountRequest, ready: Callable[[], None]) -> None:
    """Mount, call ``ready`` once it is usable, and serve until it is unmounted. Raises `UsageError`."""
    with _locked(request.state_dir):
        # What was imported lives for ever, and requests leave little behind: collecting seldom saves CPU.
        gc.freeze()
        _allow_many_files()
        gc.set_threshold(20_000, 20, 50)
        trio.run(_serve, request, ready)


def _allow_many_files() -> None:
    """Every open file of the mount needs a descriptor or two here."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    """The state directory is ours alone."""
    fd = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(fd, 64, 0).decode(errors="replace").strip() or "unknown"
            raise StateInUse(
                f"the state directory {state_dir} is in use by another mount (process {owner}); "
                "unmount that one first, or give this one a state_dir of its own"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


async def _serve(request: MountRequest, ready: Callable[[], None]) -> None:
    crash = CrashPoints.from_environment()
    catalog = Catalog(
        request.state_dir / "catalog.db", request.source.text, _root_attributes(request), crash.durable_step
    )
    try:
        store = await open_store(request.source)
        try:
            async with trio.open_nursery() as nursery:
                parts = _build(request, catalog, store, nursery, crash)
                await _run(request, parts, ready, nursery)
                nursery.cancel_scope.cancel()
            parts.staging.close()
        finally:
            await store.aclose()
    finally:
        catalog.close()


def _root_attributes(request: MountRequest) -> tuple[int, int, int]:
    defaults = _defaults(request)
    return stat.S_IFDIR | 0o777 & ~defaults.umask, defaults.uid, defaults.gid


def _defaults(request: MountRequest) -> Defaults:
    options = request.options
    return Defaults(
        uid=os.getuid() if options.uid is None else options.uid,
        gid=os.getgid() if options.gid is None else options.gid,
        umask=0o022 if options.umask is None else options.umask,
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """Every object of a running mount."""

    catalog: Catalog
    cache: DiskCache
    staging: Staging
    directories: Directories
    files: Files
    capacity: Capacity
    uploader: Uploader
    status: Status
    notices: Notices
    session: Session


def _build(request: MountRequest, catalog: Catalog, store: Store, nursery: trio.Nursery, crash: CrashPoints) -> _Parts:
    """Make and connect everything; the last of it is the kernel mount."""
    options = request.options
    can = store.capabilities
    health = Health(read_only=options.read_only or getattr(store, "read_only", False))
    cache = DiskCache(request.cache_dir, options.cache_size, nursery)
    staging = Staging(request.state_dir / "staging", catalog.stagings)
    contents = Contents(catalog, store, cache)
    merging = Merging(catalog, _defaults(request))
    notices = Notices()

    def stale(name: Stale) -> None:
        notices.stale(name.parent, name.name)

    performer = Performer(catalog, store, contents, staging, merging, stale)
    capacity = Capacity(store, health)
    pulse = Pulse()
    uploader = Uploader(
        catalog,
        performer,
        health,
        can,
        options.uploads,
        lambda link: _quiet(catalog, files, directories, link),
        pulse.is_busy,
    )
    space = Space(options.cache_size, staging, cache, uploader)
    files = Files(catalog, contents, staging, space, health, can.max_size, uploader.kick, crash.durable_step)
    directories = Directories(catalog, store, merging, health, options.dir_cache_time, stale)
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
    return _Parts(catalog, cache, staging, directories, files, capacity, uploader, status, notices, session)


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


async def _run(request: MountRequest, parts: _Parts, ready: Callable[[], None], nursery: trio.Nursery) -> None:
    """Serve until the mount is gone. What is not stored by then stays queued for the next mount."""
    registry = Registry()
    record = registry.register(request.mountpoint, request.source.text)
    unmount = True
    try:
        await parts.directories.learn_root()
        await nursery.start(ControlServer(record.socket, _handlers(parts)).serve)
        for task in (
            parts.catalog.database.settle_forever,
            parts.catalog.database.checkpoint_forever,
            parts.staging.prepare_forever,
            parts.directories.follow,
            parts.directories.explore_forever,
            parts.capacity.follow,
            parts.uploader.run,
            functools.partial(_stop_on_signal, parts.session),
            functools.partial(_sweep, parts),
            functools.partial(parts.notices.deliver_forever, parts.session.forget_name),
            functools.partial(_announce, parts.session, ready),
        ):
            nursery.start_soon(task)
        await parts.session.run()
        unmount = False
        _log.info("unmounted; %d names are not stored yet", parts.catalog.pending.count())
    finally:
        parts.session.close(unmount=unmount or _still_mounted(request.mountpoint))
        with trio.CancelScope(shield=True):
            await parts.cache.aclose()
        registry.unregister(record)


def _still_mounted(mountpoint: Path) -> bool:
    """Whether the loop ended for another reason than unmounting (a signal)."""
    return mounted_at(mountpoint, read_mounts()) is not None


async def _announce(session: Session, ready: Callable[[], None]) -> None:
    """Say that the mount is usable once it has answered a request."""
    await session.widen_read_ahead()
    ready()


async def _stop_on_signal(session: Session) -> None:
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async for number in signals:
            _log.info("stopping on %s", signal.Signals(number).name)
            session.stop()


async def _sweep(parts: _Parts) -> None:
    """Remove what a crash left without an owner."""
    catalog = parts.catalog
    for ino in catalog.nodes.orphans():
        with catalog:
            catalog.reap(ino)
    await parts.staging.sweep()


def _handlers(parts: _Parts) -> dict[str, Handler]:
    status = parts.status

    async def show(arguments: dict[str, Any], report: Report) -> object:
        return status.snapshot(str(arguments.get("path") or ""))

    async def wait(arguments: dict[str, Any], report: Report) -> object:
        return await status.wait([str(path) for path in arguments["paths"]], arguments.get("timeout"), report)

    async def flush(arguments: dict[str, Any], report: Report) -> object:
        status.hasten()
        return {}

    async def retry(arguments: dict[str, Any], report: Report) -> object:
        status.retry()
        return {}

    async def stop(arguments: dict[str, Any], report: Report) -> object:
        parts.session.stop()
        return {}

    return {"status": show, "wait": wait, "flush": flush, "retry": retry, "stop": stop}
