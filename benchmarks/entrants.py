"""Who takes part: mounts, which do every work, and loops of requests, which do what can be done without a mount.

One more joins by a class of its own here or in ``systems.py`` (what needs no server) or ``peers.py`` (what does), and
a line in `ENTRANTS`.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks import bare
from benchmarks.patience import OutOfPatience, patience
from benchmarks.peers import CloudfsOverSwift, Peer, Rclone
from benchmarks.process import cpu_seconds, forget_peak, peak_resident_bytes
from benchmarks.results import FLOOR, LOOPS, Measurement
from benchmarks.s3fs import S3fs
from benchmarks.sources import Sources
from benchmarks.systems import Cloudfs, Disk, Floor, Mounted, System
from benchmarks.traffic import Traffic, traffic_of
from benchmarks.works import Scene, Start, Work
from tests.servers.swift import Swift


@dataclass(frozen=True, slots=True)
class Arena:
    """What a run takes place in. ``container`` and ``place`` (which is not there yet) are for this run alone."""

    line: str
    swift: Swift
    server: Swift
    """The same without the line."""
    sources: Sources
    container: str
    place: Path
    deadline: float
    """On the clock of `time.monotonic`."""
    patience: float
    """Seconds for one work."""

    def left(self) -> float:
        """Seconds that the next work may take."""
        return min(self.patience, self.deadline - time.monotonic())


class Entrant(Protocol):
    """``is_far`` says whether a line to the server makes a difference to it."""

    name: str
    is_far: bool

    def run(self, arena: Arena, works: Sequence[Work]) -> Iterator[Measurement]:
        """Do the works one after the other, as far as they apply and there is time."""
        ...


class Mount:
    """A file system."""

    def __init__(
        self, name: str, mounted: Callable[[Arena, str], AbstractContextManager[Mounted]], *, is_far: bool
    ) -> None:
        """``mounted(arena, container)``; what it keeps locally is in the arena's place."""
        self.name = name
        self.is_far = is_far
        self._mounted = mounted

    def run(self, arena: Arena, works: Sequence[Work]) -> Iterator[Measurement]:
        """A work that fails takes its mount with it: the next one starts cold."""
        done: set[str] = set()
        for remaining in _stages(works):
            if remaining[0].start is Start.COLD and not self.is_far:
                continue
            while remaining and arena.left() > 0:
                yield from self._stage(arena, remaining, done)

    def _stage(self, arena: Arena, works: list[Work], done: set[str]) -> Iterator[Measurement]:
        """Works on one mount; takes those out of the list that were tried."""
        fresh = works[0].start is Start.FRESH
        container = f"{arena.container}-fresh" if fresh else arena.container
        if os.path.ismount(arena.place / "mount"):
            raise RuntimeError(f"{self.name} is still mounted")
        shutil.rmtree(arena.place, ignore_errors=True)
        arena.place.mkdir(parents=True)
        try:
            with self._mounted(arena, container) as mounted:
                while works:
                    work = works.pop(0)
                    if work.needs and work.needs not in done:
                        continue
                    measurement = self._measure(arena, work, mounted)
                    yield measurement
                    if measurement.failure:
                        raise _GiveUp
                    done.add(work.name)
                if fresh:
                    raise _GiveUp
        except _GiveUp:
            return
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"{self.name} could not be mounted, or not unmounted: {error}", file=sys.stderr)
            for work in works:
                yield Measurement(arena.line, work.name, self.name, 0.0, 0.0, 0, 0, 0.0, 0.0, 0, failure="no mount")
            works.clear()

    def _measure(self, arena: Arena, work: Work, mounted: Mounted) -> Measurement:
        if mounted.pid is not None:
            forget_peak(mounted.pid)
        watch = Watch(arena, self.name, work.name, mounted.pid)
        limit = arena.left()
        try:
            with patience(limit):
                work.do(Scene(mounted.path, arena.sources))
                watch.returned()
                if work.writes:
                    mounted.wait_until_stored()
        except OutOfPatience as error:
            return watch.end(str(error) if limit == arena.patience else "no time left")
        except (OSError, subprocess.SubprocessError) as error:
            return watch.end(str(error))
        return watch.end()


class Loops:
    """No file system: requests, many at a time."""

    name = LOOPS
    is_far = True

    def run(self, arena: Arena, works: Sequence[Work]) -> Iterator[Measurement]:
        account = bare.Account(arena.swift)
        bare.make_container(account, arena.container)
        for work in works:
            loop = _LOOPS.get(work.name)
            if loop is not None and arena.left() > 0:
                watch = Watch(arena, self.name, work.name, os.getpid())
                try:
                    loop(account, arena.container, arena.sources)
                except (OSError, http.client.HTTPException) as error:
                    yield watch.end(str(error))
                else:
                    watch.returned()
                    yield watch.end()


class Watch:
    """Keeps time from the moment it exists, and knows what the server and the driver did meanwhile."""

    def __init__(self, arena: Arena, system: str, work: str, pid: int | None) -> None:
        """``pid`` is the driver's, None if there is none."""
        self._arena = arena
        self._system = system
        self._work = work
        self._pid = pid
        self._traffic = traffic_of(arena.server)
        self._cpu = self._used()
        self._cpu_returned = 0.0
        self._began = time.monotonic()
        self._returned: float | None = None

    def returned(self) -> None:
        """The tool is done."""
        self._returned = time.monotonic()
        self._cpu_returned = self._used() - self._cpu

    def end(self, failure: str = "") -> Measurement:
        """Everything is stored; or not, and why."""
        now = time.monotonic()
        returned = self._returned or now
        pid = self._driver()
        traffic: Traffic = traffic_of(self._arena.server) - self._traffic
        return Measurement(
            line=self._arena.line,
            work=self._work,
            system=self._system,
            seconds=returned - self._began,
            stored_seconds=now - returned,
            requests=traffic.requests,
            sent_bytes=traffic.sent,
            cpu_seconds=max(self._used() - self._cpu, 0.0),
            cpu_returned_seconds=self._cpu_returned,
            peak_bytes=peak_resident_bytes(pid) if pid else 0,
            failure=failure,
        )

    def _used(self) -> float:
        pid = self._driver()
        return cpu_seconds(pid) if pid else 0.0

    def _driver(self) -> int | None:
        """Its process, as long as there is one."""
        return self._pid if self._pid and Path(f"/proc/{self._pid}").exists() else None


class _GiveUp(Exception):
    """The mount is of no more use, and there is nothing to wait for."""


def _stages(works: Sequence[Work]) -> Iterator[list[Work]]:
    """The works that share a mount."""
    stage: list[Work] = []
    for work in works:
        if stage and work.start is not Start.HERE:
            yield stage
            stage = []
        stage.append(work)
    if stage:
        yield stage


def _local(system: System) -> Mount:
    return Mount(system.name, lambda arena, _container: system.mounted(arena.place), is_far=False)


def _remote(peer: Peer) -> Mount:
    return Mount(peer.name, lambda arena, container: peer.mounted(arena.swift, container, arena.place), is_far=True)


def _put_tree(account: bare.Account, container: str, sources: Sources) -> None:
    bare.put_tree(account, container, sources.tree)


def _get_tree(account: bare.Account, container: str, sources: Sources) -> None:
    bare.get_tree(account, container, sources.tree)


def _put_big(account: bare.Account, container: str, sources: Sources) -> None:
    bare.put_big(account, container, "big", sources.big)


def _get_big(account: bare.Account, container: str, sources: Sources) -> None:
    bare.get_big(account, container, "big", sources.sizes.big)


_LOOPS: Mapping[str, Callable[[bare.Account, str, Sources], None]] = {
    "big tar": _put_big,
    "rsync of the tree": _put_tree,
    "tree read, cold": _get_tree,
    "big read, cold": _get_big,
}

ENTRANTS: Mapping[str, Entrant] = {
    entrant.name: entrant
    for entrant in (
        _local(Disk()),
        _local(Floor()),
        _local(Cloudfs()),
        _remote(CloudfsOverSwift()),
        Loops(),
        _remote(Rclone()),
        _remote(S3fs()),
    )
}
DEFAULT = (FLOOR, "cloudfs", LOOPS, "rclone", "s3fs")
