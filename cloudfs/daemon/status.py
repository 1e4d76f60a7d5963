"""What the daemon tells about itself: the shape of ``cloudfs status --json``, and waiting for the backlog."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from cloudfs.cache.contract import Cache
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.pending import Backlog
from cloudfs.daemon.request import MountRequest
from cloudfs.errors import NotFound
from cloudfs.types import ROOT
from cloudfs.vfs.capacity import Capacity
from cloudfs.writeback.health import Health
from cloudfs.writeback.perform import Performer
from cloudfs.writeback.staging import Staging
from cloudfs.writeback.uploader import Uploader

Report = Callable[[dict[str, Any]], Awaitable[None]]
_LISTED = 1000
"""At most so many parked files are named; the count is always right."""
_LOOK_SECONDS = 0.5


class Status:
    """Reads; changes nothing but the order in which the uploader works."""

    def __init__(
        self,
        request: MountRequest,
        catalog: Catalog,
        cache: Cache,
        staging: Staging,
        capacity: Capacity,
        health: Health,
        performer: Performer,
        uploader: Uploader,
    ) -> None:
        self._request = request
        self._catalog = catalog
        self._cache = cache
        self._staging = staging
        self._capacity = capacity
        self._health = health
        self._performer = performer
        self._uploader = uploader

    async def snapshot(self, path: str = "") -> dict[str, Any]:
        """Everything; sizes in bytes, times in seconds since the epoch. ``path``: what is pending there and below."""
        ino = self._resolve(path)
        pending = self._catalog.pending
        backlog, oldest, failing = await self._backlog(ino), await pending.oldest(), await pending.oldest_failure()
        parked = await self._parked([ino]) if backlog.parked else []
        usage = self._capacity.latest
        return {
            "mountpoint": os.fspath(self._request.mountpoint),
            "source": self._request.source.text,
            "state": str(self._health.state),
            "since": self._health.since,
            "until": self._health.until,
            "reason": self._health.reason,
            "pending": {"files": backlog.files, "bytes": backlog.bytes},
            "oldest": oldest,
            "sent": self._performer.meter.total,
            "speed": round(self._performer.meter.rate()),
            "uploading": self._sending(),
            "parked": parked,
            "failing": failing,
            "cache": {"used": self._cache.used, "limit": self._request.options.cache_size},
            "staged": {"used": self._staging.used},
            "store": {"used": usage.used if usage else None, "total": usage.total if usage else None},
            "pid": os.getpid(),
            "options": self._options(),
            "path": self._standing(path, ino) if path else None,
        }

    def _standing(self, path: str, ino: int) -> dict[str, Any]:
        """How one file or directory stands itself, whatever is inside it."""
        standing = self._catalog.pending.standing(ino)
        sent = any(self._performer.sending.get(link.id) for link in self._catalog.links.of_inode(ino))
        return {
            "path": path,
            "state": "uploading" if sent else str(standing.condition),
            "bytes": standing.bytes,
            "since": standing.since,
            "attempts": standing.attempts,
            "reason": standing.reason,
        }

    def summary(self) -> str:
        """One line, for systemd; cheap."""
        names = self._catalog.pending.count()
        left = f"{names} names to be stored" if names else "everything is stored"
        return f"{self._health.state}; {left}"

    def _options(self) -> dict[str, Any]:
        options = dataclasses.asdict(self._request.options)
        options |= {"state_dir": self._request.state_dir, "cache_dir": self._request.cache_dir}
        return {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}

    def _sending(self) -> list[dict[str, Any]]:
        return [
            {"path": os.fsdecode(sending.path), "done": sending.done, "size": sending.size}
            for sending in self._performer.sending.values()
        ]

    async def _parked(self, inodes: list[int]) -> list[dict[str, str]]:
        """What is parked at and below some of them."""
        wanted = None
        if ROOT not in inodes:
            wanted = {link for ino in inodes for link in await self._catalog.pending.under(ino)}
        return [
            {"path": os.fsdecode(self._catalog.links.path(link)), "reason": reason}
            for link_id, reason in self._catalog.pending.parked(_LISTED)
            if (wanted is None or link_id in wanted) and (link := self._catalog.links.get(link_id)) is not None
        ]

    async def _backlog(self, ino: int) -> Backlog:
        if ino == ROOT:
            return await self._catalog.pending.backlog()
        return await self._catalog.pending.backlog_under(ino)

    def _resolve(self, path: str) -> int:
        """The inode of a path relative to the mountpoint. Raises `NotFound`."""
        ino: int = ROOT
        for name in filter(None, os.fsencode(path).split(b"/")):
            found = self._catalog.links.lookup(ino, name)
            if found is None:
                raise NotFound(f"{path}: no such file or directory in the mount")
            ino = found
        return ino

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def wait(self, paths: list[str], timeout: float | None, report: Report) -> dict[str, Any]:
        """Return when all that is pending under ``paths`` is stored or parked, or after ``timeout`` seconds."""
        inodes = [self._resolve(path) for path in paths] or [int(ROOT)]
        with trio.move_on_after(timeout if timeout is not None else float("inf")):
            await self._drained(inodes, report)
        backlogs = [await self._backlog(ino) for ino in inodes]
        return {
            "parked": await self._parked(inodes) if any(backlog.parked for backlog in backlogs) else [],
            "pending": {
                "files": sum(backlog.open for backlog in backlogs),
                "bytes": sum(backlog.bytes for backlog in backlogs) if any(b.open for b in backlogs) else 0,
            },
        }

    async def _drained(self, inodes: list[int], report: Report) -> None:
        """Wait for each in turn, hastening what may be hastened whenever something new turns up."""
        for ino in inodes:
            progress = self._uploader.next_progress
            while (backlog := await self._backlog(ino)).open:
                await self.hasten(ino)
                await report({"files": backlog.open, "bytes": backlog.bytes, "uploading": self._sending()})
                await self._progressed(progress)
                progress = self._uploader.next_progress

    async def _progressed(self, progress: trio.Event) -> None:
        """Until the uploader has done something; then a moment longer, because counting costs more than waiting."""
        began = trio.current_time()
        with trio.move_on_after(_LOOK_SECONDS):
            await progress.wait()
        if self._catalog.pending.count() > _LISTED:
            await trio.sleep_until(began + _LOOK_SECONDS)

    async def stored(self, ino: int) -> None:
        """Return when an inode is stored. Raises `OSError` (EIO) if it is parked: the option ``sync=remote``."""
        while (backlog := self._catalog.pending.backlog_of(ino)).files:
            if backlog.parked:
                raise OSError(5, "not stored; see cloudfs status")
            for link in self._catalog.links.of_inode(ino):
                self._uploader.insist(link.id)
            with trio.move_on_after(_LOOK_SECONDS):
                await self._uploader.progressed()

    async def hasten(self, ino: int = ROOT) -> None:
        """What waits for its write-back delay is due now."""
        now = time.time_ns()
        if ino == ROOT:
            self._catalog.pending.hasten_all(now)
        else:
            for link in await self._catalog.pending.waiting_under(ino, now):
                self._catalog.pending.hasten(link, now)
        self._uploader.hurry()

    def retry(self) -> None:
        """What failed or is parked is tried again now."""
        self._catalog.pending.retry_all(time.time_ns())
        self._uploader.end_rest()
        self._uploader.hurry()
