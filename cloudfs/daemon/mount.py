"""A mount from its start to its end: owns the lock, the store and the nursery, and orders start and shutdown."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import logging
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.daemon.commands import handlers
from cloudfs.daemon.control import ControlServer
from cloudfs.daemon.crash import CrashPoints
from cloudfs.daemon.mountinfo import mounted_at, read_mounts
from cloudfs.daemon.parts import Parts, build, root_attributes
from cloudfs.daemon.registry import Registry
from cloudfs.daemon.request import MountRequest
from cloudfs.daemon.stores import open_store
from cloudfs.errors import StateInUse
from cloudfs.fuse.session import Session

_log = logging.getLogger(__name__)
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
        request.state_dir / "catalog.db", request.source.text, root_attributes(request), crash.durable_step
    )
    try:
        store = await open_store(request.source)
        try:
            async with trio.open_nursery() as nursery:
                parts = build(request, catalog, store, nursery, crash)
                await _run(request, parts, ready, nursery)
                nursery.cancel_scope.cancel()
            parts.staging.close()
        finally:
            await store.aclose()
    finally:
        catalog.close()


async def _run(request: MountRequest, parts: Parts, ready: Callable[[], None], nursery: trio.Nursery) -> None:
    """Serve until the mount is gone. What is not stored by then stays queued for the next mount."""
    registry = Registry()
    record = registry.register(request.mountpoint, request.source.text)
    unmount = True
    try:
        await parts.directories.learn_root()
        await nursery.start(ControlServer(record.socket, handlers(parts)).serve)
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


async def _sweep(parts: Parts) -> None:
    """Remove what a crash left without an owner."""
    catalog = parts.catalog
    for ino in catalog.nodes.orphans():
        with catalog:
            catalog.reap(ino)
    await parts.staging.sweep()
