"""A mount from its start to its end: owns the lock, the store and the nursery, and orders start and shutdown."""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import resource
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.daemon.commands import handlers
from cloudfs.daemon.control import ControlServer
from cloudfs.daemon.crash import CrashPoints
from cloudfs.daemon.ending import Ending
from cloudfs.daemon.lasting import lasting
from cloudfs.daemon.lock import locked
from cloudfs.daemon.memory import give_back_large_buffers
from cloudfs.daemon.mountinfo import mounted_at, read_mounts
from cloudfs.daemon.notify import Notifier
from cloudfs.daemon.parts import Parts, build, root_attributes, with_attributes
from cloudfs.daemon.privacy import keep_private
from cloudfs.daemon.registry import Registry
from cloudfs.daemon.request import MountRequest
from cloudfs.daemon.stores import open_store
from cloudfs.fuse.session import Session

_log = logging.getLogger(__name__)


def serve(request: MountRequest, ready: Callable[[], None]) -> None:
    """Mount, call ``ready`` once it is usable, and serve until it is unmounted. Raises `UsageError`."""
    keep_private()
    with locked(request.state_dir, request.mountpoint):
        # What was imported lives for ever, and requests leave little behind: collecting seldom saves CPU.
        gc.freeze()
        _allow_many_files()
        give_back_large_buffers()
        gc.set_threshold(20_000, 20, 50)
        trio.run(_serve, request, ready)


def _allow_many_files() -> None:
    """Every open file of the mount needs a descriptor or two here."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(request: MountRequest, ready: Callable[[], None]) -> None:
    crash = CrashPoints.from_environment()
    catalog = Catalog(
        request.state_dir / "catalog.db", request.source.text, root_attributes(request), crash.durable_step
    )
    try:
        store = with_attributes(request, await open_store(request.source))
        try:
            async with trio.open_nursery() as nursery:
                parts = build(request, catalog, store, nursery, crash)
                await _run(request, parts, ready, nursery)
                nursery.cancel_scope.cancel()
            with contextlib.suppress(OSError):
                parts.durability.finish()
                catalog.database.finish()
            parts.staging.close()
            await parts.upkeep.finish()
        finally:
            await store.aclose()
    finally:
        catalog.close()


async def _run(request: MountRequest, parts: Parts, ready: Callable[[], None], nursery: trio.Nursery) -> None:
    """Serve until the mount is gone. What is not stored by then stays queued for the next mount."""
    notifier = Notifier.from_environment()
    ending = Ending(request.mountpoint, parts.status, notifier, parts.session.stop, request.options.umount_timeout)
    registry = Registry()
    record = registry.register(request.mountpoint, request.source.text)
    try:
        with _kernel_mount(request.mountpoint, parts.session):
            await parts.directories.learn_root()
            await nursery.start(ControlServer(record.socket, handlers(parts, ending)).serve)
            for task in _background(request, parts, ending):
                nursery.start_soon(lasting, task)
            nursery.start_soon(_announce, request, parts, notifier, ready)
            await parts.session.run()
        parts.files.let_go_of_all()
        await ending.finish()
        _log.info("unmounted; %d names are not stored yet", parts.catalog.pending.count())
    finally:
        with trio.CancelScope(shield=True):
            await parts.cache.aclose()
        registry.unregister(record)


def _background(request: MountRequest, parts: Parts, ending: Ending) -> Iterator[Callable[[], Awaitable[object]]]:
    """What goes on while the mount answers requests. Each can be begun again at any time."""
    yield from (
        parts.catalog.database.settle_forever,
        parts.catalog.database.sync_forever,
        parts.catalog.database.checkpoint_forever,
        parts.staging.prepare_forever,
        parts.durability.follow,
        parts.directories.learn_root_later,
        parts.directories.follow,
        parts.directories.follow_changes,
        parts.directories.walk_forever,
        parts.prefetcher.run,
        parts.directories.explore_forever,
        parts.capacity.follow,
        parts.upkeep.follow,
        parts.uploader.run,
        ending.follow_signals,
        functools.partial(parts.inquiries.pruner.follow, request.retention),
        functools.partial(_sweep, parts),
        functools.partial(parts.notices.deliver_forever, parts.session.forget_name),
    )
    if parts.ahead is not None:
        yield parts.ahead.run


@contextlib.contextmanager
def _kernel_mount(mountpoint: Path, session: Session) -> Iterator[None]:
    """Closes the session at the end, and takes the mount away if it is still there: nobody would answer for it."""
    present = mounted_at(mountpoint, read_mounts())
    try:
        yield
    finally:
        # Somebody may have unmounted it, and mounted something else meanwhile.
        now = mounted_at(mountpoint, read_mounts())
        session.close(unmount=now is not None and present is not None and now.device == present.device)


async def _announce(request: MountRequest, parts: Parts, notifier: Notifier, ready: Callable[[], None]) -> None:
    """Say that the mount is usable once it has answered a request."""
    await parts.session.widen_read_ahead()
    waiting = parts.catalog.pending.count()
    _log.info("%s is mounted on %s; %d names are not stored yet", request.source.text, request.mountpoint, waiting)
    ready()
    notifier.ready()
    await lasting(functools.partial(notifier.report_forever, parts.status.summary))


async def _sweep(parts: Parts) -> None:
    """Remove what a crash left without an owner."""
    catalog = parts.catalog
    for ino in catalog.nodes.orphans():
        with catalog:
            catalog.reap(ino)
    await parts.staging.sweep()
