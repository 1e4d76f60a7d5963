"""Disks of files that can lose their power: ext4 in an image behind a loop device.

What ext4 has not written yet when the image is copied is not in the copy, just as it would not be on the disk.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SIZE = 256 << 20
PATIENCE = 20.0
"""Seconds for a process to stop, and for a disk to be idle."""


class Disk:
    """An image, seen at ``path`` while it is `mounted`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def format(image: Path) -> None:
        with image.open("wb") as file:
            file.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0", str(image)], check=True, timeout=60)

    @contextlib.contextmanager
    def mounted(self, image: Path) -> Iterator[None]:
        """ext4 writes on demand alone: its own commits every five seconds would come to the rescue of who forgot."""
        self.path.mkdir(exist_ok=True)
        options = "loop,commit=600,noatime"
        subprocess.run(["mount", "-t", "ext4", "-o", options, str(image), str(self.path)], check=True, timeout=60)
        try:
            with contextlib.suppress(FileNotFoundError):
                (self.path / "lost+found").rmdir()
            yield
        finally:
            subprocess.run(["umount", "-l", str(self.path)], check=True, timeout=60)

    def sync(self) -> None:
        """Nothing is lost of this disk."""
        subprocess.run(["sync", "-f", str(self.path)], check=True, timeout=60)

    def copy(self, image: Path, target: Path) -> None:
        """What is on the disk at this moment. Whoever writes to it has been `stopped`, and ext4 must not either."""
        deadline = time.monotonic() + PATIENCE
        while True:
            before = self._writes()
            subprocess.run(["cp", "--sparse=always", str(image), str(target)], check=True, timeout=60)
            if self._writes() == before:
                return
            assert time.monotonic() < deadline, "somebody goes on writing"

    def _writes(self) -> str:
        """The number of writes that reached the loop device."""
        device = os.stat(self.path).st_dev
        return Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()[4]


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """No thread of the process runs, and none is in the middle of a system call."""
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + PATIENCE
        while any(state != "T" for state in _states(pid)):
            assert time.monotonic() < deadline, "the process does not stop"
            time.sleep(0.001)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _states(pid: int) -> list[str]:
    """Of all threads, a letter each (proc(5))."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = re.search(r"^State:\s+(\w)", (task / "status").read_text(), re.MULTILINE)
        assert status is not None
        found.append(status[1])
    return found


def can_be_used() -> bool:
    """Whether this machine lets us: root, loop devices, e2fsprogs."""
    return os.geteuid() == 0 and os.path.exists("/dev/loop-control") and shutil.which("mkfs.ext4") is not None
