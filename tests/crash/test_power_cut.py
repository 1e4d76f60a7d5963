"""The power goes: what ``fsync`` had promised is there when it comes back, with data, name and attributes.

The state directory is on a disk of its own, which is copied at the moment of the cut, together with the store as it is
then. Many copies are made of one run; each is mounted, and the driver resumes from it.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.disk import Disk, can_be_used, stopped
from tests.crash.promises import State, holds, state_of
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
    """A moment: the disk, the store, and what had been promised."""

    disk: Path
    store: Path
    promises: Mapping[str, list[State]]


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
        self.promises: dict[str, list[State]] = {}

    def listen(self, seconds: float) -> None:
        """Take in what is said for a while; with 0, what was said until now."""
        deadline = time.monotonic() + seconds
        while select.select([self._output], [], [], max(deadline - time.monotonic(), 0))[0]:
            data = os.read(self._output, 1 << 16)
            assert data, f"the program ended with status {self._process.wait(10)}"
            *lines, self._rest = (self._rest + data).split(b"\n")
            for name, states in map(json.loads, lines):
                self.promises[name] = states

    def end(self) -> None:
        self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait(30)


@pytest.fixture
def home() -> Iterator[Path]:
    with workspace(MEMORY if MEMORY.is_dir() else None) as directory:
        yield directory


def run_and_cut(home: Path, seed: int) -> list[Cut]:
    """One run of the program, copied at some moments."""
    disk = Disk.format(home / "disk.img", home / "disk")
    dice = random.Random(seed)
    cuts: list[Cut] = []
    with disk.mounted():
        mount = Mount(home, OPTIONS, state=disk.path / "state", cache=disk.path / "cache")
        try:
            mount.start()
            pid = int(mount.status()["pid"])
            program = Promises(mount.path, seed)
            try:
                for number in range(CUTS_IN_A_RUN):
                    program.listen(dice.uniform(0.3, 3))
                    with stopped(pid):
                        program.listen(0)
                        cuts.append(Cut(home / f"{number}.img", home / f"store-{number}", dict(program.promises)))
                        disk.copy(cuts[-1].disk)
                        subprocess.run(["cp", "-a", str(mount.store), str(cuts[-1].store)], check=True, timeout=60)
            finally:
                mount.abort()
                program.end()
        finally:
            mount.dispose()
    return cuts


def resume(home: Path, cut: Cut) -> None:
    """Power is back: everything promised is in the mount, and gets to the store."""
    own = home / f"after-{cut.disk.stem}"
    own.mkdir()
    disk = Disk(cut.disk, own / "disk")
    with disk.mounted():
        mount = Mount(own, OPTIONS, state=disk.path / "state", cache=disk.path / "cache")
        mount.store.rmdir()
        cut.store.rename(mount.store)
        try:
            mount.start()
            check(mount.path, cut)
            mount.succeed("uploads", "retry", str(mount.path))
            stored = mount.command("wait", str(mount.path), "--timeout", "60", limit=70)
            parked = {each["path"] for each in mount.status()["parked"]}
            assert all("unsynced" in path for path in parked), parked
            assert parked or stored.returncode == 0, stored.stderr
            check(mount.path, cut)
            if not parked:
                assert Tree(mount.store).contents() == Tree(mount.path).contents()
        finally:
            mount.dispose()
    shutil.rmtree(own)


def check(root: Path, cut: Cut) -> None:
    broken = [
        f"{name}: {state_of(root / name)}, but promised was {' or '.join(map(str, states))}"
        for name, states in cut.promises.items()
        if not any(holds(state, root / name) for state in states)
    ]
    assert not broken, "\n".join(broken)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(max(1, CUTS // CUTS_IN_A_RUN)))
def test_what_was_synced_survives(home: Path, seed: int) -> None:
    for cut in run_and_cut(home, seed):
        resume(home, cut)
