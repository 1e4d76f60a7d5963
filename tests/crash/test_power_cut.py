"""The power goes: what ``fsync`` had promised is there when it comes back, with data, name and attributes.

The state directory is on a disk of its own, which is copied at the moment of the cut, together with all that the store
has by then. Many copies are made of one run; each is mounted, and the driver resumes from it. ``CLOUDFS_TEST_CUTS`` is
their number.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.disk import Disk, can_be_used, stopped
from tests.crash.promises import CLOSED, State, holds, state_of
from tests.mount.driver import Mount, workspace
from tests.property.tree import Tree

CUTS = int(os.environ.get("CLOUDFS_TEST_CUTS", "5"))
CUTS_IN_A_RUN = 5
REPOSITORY = Path(__file__).parents[2]
OPTIONS = ("allow_other", "suid", "dev")
MEMORY = Path("/dev/shm")

pytestmark = pytest.mark.skipif(not can_be_used(), reason="needs root, loop devices and e2fsprogs")


@dataclass(frozen=True)
class Cut:
    """A moment: images of the disk and of the cloud, and what had been promised."""

    disk: Path
    cloud: Path
    promises: Mapping[str, list[State]]

    def remove(self) -> None:
        self.disk.unlink()
        self.cloud.unlink()


class Promises:
    """What a running `tests.crash.promises` has said so far."""

    def __init__(self, root: Path, seed: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.promises", str(root), str(seed)], stdout=subprocess.PIPE, cwd=REPOSITORY
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._rest = b""
        self._promises: dict[str, list[State]] = {}

    @property
    def promises(self) -> dict[str, list[State]]:
        return dict(self._promises)

    def listen(self, seconds: float) -> None:
        """Take in what is said for a while; with 0, what was said until now."""
        deadline = time.monotonic() + seconds
        while select.select([self._output], [], [], max(deadline - time.monotonic(), 0))[0]:
            data = os.read(self._output, 1 << 16)
            assert data, f"the program ended with status {self._process.wait(10)}"
            *lines, self._rest = (self._rest + data).split(b"\n")
            for name, states in map(json.loads, lines):
                self._promises[name] = states

    def end(self) -> None:
        self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait(30)


@pytest.fixture
def home() -> Iterator[Path]:
    with workspace(MEMORY if MEMORY.is_dir() else None) as directory:
        yield directory


class Machine:
    """A computer with a disk for the driver's state, and a cloud, which has power of its own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._disk = Disk(home / "disk")
        self._cloud = Disk(home / "store")

    @contextlib.contextmanager
    def running(self, disk: Path, cloud: Path, boot: str) -> Iterator[Mount]:
        """The driver is started, and ends in some way."""
        with self._disk.mounted(disk), self._cloud.mounted(cloud):
            state, cache = self._disk.path / "state", self._disk.path / "cache"
            mount = Mount(self._home, OPTIONS, state=state, cache=cache, environment={"CLOUDFS_BOOT_ID": boot})
            try:
                mount.start()
                yield mount
            finally:
                mount.dispose()

    def run_and_cut(self, seed: int) -> list[Cut]:
        """One run of the program, copied at some moments."""
        disk, cloud = self._home / "disk.img", self._home / "store.img"
        Disk.format(disk)
        Disk.format(cloud)
        dice = random.Random(seed)
        cuts: list[Cut] = []
        with self.running(disk, cloud, "first") as mount:
            pid = int(mount.status()["pid"])
            program = Promises(mount.path, seed)
            try:
                for number in range(CUTS_IN_A_RUN):
                    program.listen(dice.uniform(0.3, 2.5))
                    with stopped(pid):
                        program.listen(0)
                        cut = Cut(self._home / f"disk-{number}", self._home / f"store-{number}", program.promises)
                        self._cloud.sync()
                        self._cloud.copy(cloud, cut.cloud)
                        self._disk.copy(disk, cut.disk)
                        cuts.append(cut)
            finally:
                mount.abort()
                program.end()
        return cuts

    def resume(self, cut: Cut) -> None:
        """Power is back: everything promised is in the mount, and gets to the store."""
        with self.running(cut.disk, cut.cloud, "second") as mount:
            parked = self._store_all(mount)
            assert all(path in CLOSED for path in parked), parked
            assert broken(cut, mount.path, but=parked) == []
            assert broken(cut, mount.store, only=CLOSED) == []
            if not parked:
                assert Tree(mount.store).contents() == Tree(mount.path).contents()

    @staticmethod
    def _store_all(mount: Mount) -> set[str]:
        """All but what cannot be stored; returns that."""
        stored = mount.command("wait", str(mount.path), "--timeout", "60", limit=70)
        parked = {str(each["path"]).lstrip("/") for each in mount.status()["parked"]}
        assert parked or stored.returncode == 0, stored.stderr
        return parked


def broken(cut: Cut, root: Path, *, only: Collection[str] = (), but: Collection[str] = ()) -> list[str]:
    """The promises that do not hold, of some names or of all but some."""
    return [
        f"{name}: {state_of(root / name)}, but promised was {' or '.join(map(str, states))}"
        for name, states in cut.promises.items()
        if name not in but and (name in only or not only) and not any(holds(state, root / name) for state in states)
    ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(max(1, CUTS // CUTS_IN_A_RUN)))
def test_what_was_synced_survives(home: Path, seed: int) -> None:
    machine = Machine(home)
    for cut in machine.run_and_cut(seed):
        machine.resume(cut)
        cut.remove()
