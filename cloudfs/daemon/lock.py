"""One process for one state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from cloudfs.daemon.mountinfo import mounted_at, read_mounts
from cloudfs.errors import StateInUse

_ENDING_SECONDS = 10.0
"""A driver whose mount is gone has so long to be gone as well, where nobody waits for its uploads."""
_LOOK_SECONDS = 0.05


@contextlib.contextmanager
def locked(state_dir: Path, mountpoint: Path) -> Iterator[None]:
    """The state directory belongs to this process, for the mount at ``mountpoint``. Raises `StateInUse`.

    ``umount`` returns before the driver has ended. Who mounts again at once should not have to know that.
    """
    fd = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _ENDING_SECONDS
        while not _take(fd):
            owner, where = _owner(fd)
            if _is_mounted(where) or time.monotonic() > deadline:
                raise StateInUse(
                    f"the state directory {state_dir} is in use by another mount (process {owner}, on {where}); "
                    "unmount that one first, or give this one a state_dir of its own"
                )
            time.sleep(_LOOK_SECONDS)
        os.ftruncate(fd, 0)
        os.pwrite(fd, os.fsencode(f"{os.getpid()}\n{mountpoint}\n"), 0)
        yield
    finally:
        os.close(fd)


def _take(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(fd: int) -> tuple[str, str]:
    """Process number and mountpoint of who has it; empty for what it has not yet said."""
    pid, _, where = os.fsdecode(os.pread(fd, 8192, 0)).partition("\n")
    return pid or "unknown", where.removesuffix("\n") or "unknown"


def _is_mounted(where: str) -> bool:
    present = mounted_at(Path(where), read_mounts())
    return present is not None and present.is_ours
