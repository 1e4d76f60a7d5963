"""The file systems to compare. One more joins by a class of its own in `SYSTEMS`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

START_TIMEOUT = 30.0
STOP_TIMEOUT = 600.0
CHECKOUT = Path(__file__).resolve().parent.parent


def _nothing_to_wait_for() -> None:
    """What is written is stored already."""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A file system in use. ``pid`` is its driver's, None if the kernel has no need of one."""

    path: Path
    pid: int | None
    wait_until_stored: Callable[[], None] = _nothing_to_wait_for


class System(Protocol):
    """Something that can be mounted: freshly and empty each time, below an empty directory that is ours."""

    name: str

    def mounted(self, place: Path) -> AbstractContextManager[Mounted]:
        """Usable inside the ``with``; unmounted and without processes after it, whatever happened inside."""
        ...


class Disk:
    """The disk below all the others, to see what the tools themselves need."""

    name = "disk"

    @contextlib.contextmanager
    def mounted(self, place: Path) -> Iterator[Mounted]:
        yield Mounted(place, None)


class Floor:
    """The empty file system of ``benchmarks/floor.py``."""

    name = "floor"

    @contextlib.contextmanager
    def mounted(self, place: Path) -> Iterator[Mounted]:
        mountpoint = place / "mount"
        mountpoint.mkdir()
        with driver([sys.executable, "-m", "benchmarks.floor", str(mountpoint)], mountpoint) as pid:
            yield Mounted(mountpoint, pid)
            run(["umount", str(mountpoint)])


class Cloudfs:
    """cloudfs over a directory of the same disk, with its default options."""

    name = "cloudfs-local"

    @contextlib.contextmanager
    def mounted(self, place: Path) -> Iterator[Mounted]:
        mountpoint, store = place / "mount", place / "store"
        mountpoint.mkdir()
        store.mkdir()
        command = [sys.executable, "-m", "cloudfs"]
        options = f"state_dir={place / 'state'},cache_dir={place / 'cache'}"
        mount = [*command, "mount", f"local:{store}", str(mountpoint), "-o", options, "--foreground"]
        with driver(mount, mountpoint) as pid:
            yield Mounted(mountpoint, pid, lambda: run([*command, "wait", str(mountpoint)]))
            run([*command, "umount", str(mountpoint)])


@contextlib.contextmanager
def driver(command: Sequence[str], mountpoint: Path, environment: Mapping[str, str] | None = None) -> Iterator[int]:
    """A driver in the foreground, from the moment its mount is there; whoever uses it unmounts."""
    process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, env=environment)
    try:
        _wait_for_mount(process, mountpoint)
        yield process.pid
        process.wait(START_TIMEOUT)
    finally:
        if process.poll() is None:
            subprocess.run(["umount", "--lazy", str(mountpoint)], timeout=START_TIMEOUT, check=False)
            process.kill()
            process.wait()


def _wait_for_mount(process: subprocess.Popen[bytes], mountpoint: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not os.path.ismount(mountpoint):
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with status {process.returncode} before it was mounted")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{process.args!r} did not mount within {START_TIMEOUT:.0f} seconds")
        time.sleep(0.02)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, cwd=CHECKOUT, check=True, timeout=STOP_TIMEOUT, env=environment)
