"""The directory one mounts on: made ready before, given back after. No call here hangs on a dead mount.

A mount whose daemon was killed answers everything with ``ENOTCONN``; one whose daemon is stuck does not answer at all.
So whatever looks *into* a mountpoint does it in a child process with a time limit.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import select
import signal
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from shlex import quote

from cloudfs.daemon.mountinfo import FILE_SYSTEM, Mounted, mounted_at, read_mounts, resolve
from cloudfs.daemon.process import name
from cloudfs.errors import UsageError

PROBE_SECONDS = 5.0
HELPER = Path("/sbin/umount.cloudfs")
"""Where umount(8) looks for its helper: a link to the ``cloudfs`` program."""

_log = logging.getLogger(__name__)

_UNMOUNT_SECONDS = 60.0
_BUSY_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds: who only looks at a mount in passing (df, a monitor) keeps it busy for an instant."""
PASSING_SECONDS = 10.0
"""For so long a mount may be busy although nobody is found in it: a ``statfs`` may be waiting for the store."""
_USERS_SHOWN = 5


class Busy(UsageError):
    """Programs still use the mount."""


def prepare_mountpoint(path: Path) -> Path:
    """The absolute path of a directory to mount on, freed of dead mounts of ours.

    Raises `UsageError` if it is no directory, or if a live FUSE mount is there. Any other mount is just a directory.
    """
    mountpoint = resolve(path, read_mounts())
    present = mounted_at(mountpoint, read_mounts())
    while present and present.is_fuse:
        if not present.is_ours or not is_dead(mountpoint):
            raise UsageError(_occupied(present))
        unmount(mountpoint, lazy=True)
        present = mounted_at(mountpoint, read_mounts())
    _require_directory(mountpoint)
    return mountpoint


def is_dead(mountpoint: Path) -> bool:
    """Whether a mount has lost its daemon. One that does not answer still has it."""
    return probe(mountpoint) == errno.ENOTCONN


def probe(path: Path, seconds: float = PROBE_SECONDS) -> int:
    """0 if ``path`` is a directory, else the errno that says why not; ``ETIMEDOUT`` if it does not answer."""
    child = os.fork()
    if child == 0:
        os._exit(_directory_errno(path))
    descriptor = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        if not ready:
            os.kill(child, signal.SIGKILL)
            # Gone at once, but for a file system that even a signal does not interrupt.
            select.select([descriptor], [], [], 1)
            os.waitpid(child, os.WNOHANG)
            return errno.ETIMEDOUT
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        os.close(descriptor)


def unmount(mountpoint: Path, *, lazy: bool = False) -> None:
    """Take the mount away, and its entry in util-linux's table. ``lazy``: also while it is in use, or dead.

    Raises `Busy` if programs use it, and `UsageError` for any other refusal.
    """
    command = _unmount_command(mountpoint, lazy)
    deadline = time.monotonic() + PASSING_SECONDS
    for pause in itertools.chain(_BUSY_PAUSES, itertools.repeat(_BUSY_PAUSES[-1])):
        complaint = _try_unmount(mountpoint, command)
        if complaint is None:
            return
        if "busy" not in complaint:
            raise UsageError(f"cannot unmount {mountpoint}: {complaint or 'no reason was given'}")
        if pause == _BUSY_PAUSES[-1]:
            users = _named_users(mountpoint)
            if users or time.monotonic() > deadline:
                raise Busy(f"{mountpoint} is in use{users}")
        time.sleep(pause)


def _try_unmount(mountpoint: Path, command: list[str]) -> str | None:
    """What umount(8) complains about, None if it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_UNMOUNT_SECONDS, check=False)
    except FileNotFoundError:
        raise UsageError(f"cannot unmount {mountpoint}: the program {command[0]} is missing") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"cannot unmount {mountpoint}: the kernel does not answer") from None
    return None if done.returncode == 0 else done.stderr.strip().replace("\n", "; ")


def flush(mountpoint: Path, seconds: float) -> None:
    """Have the kernel write what it holds of open files, as far as that gets within ``seconds``. Never raises."""
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(["sync", "-f", "--", mountpoint], capture_output=True, timeout=seconds, check=False)


def register_helper(mountpoint: Path, source: str) -> None:
    """Have umount(8) call ``umount.cloudfs``, which waits for uploads, where that is installed. For root only.

    umount(8) calls helpers only for mounts that have an entry in util-linux's own table. A mount that does nothing
    but that is how to write one; without it ``umount`` works, and waits for nothing.
    """
    if os.geteuid() != 0 or not HELPER.exists():
        return
    options = f"helper={HELPER.suffix.removeprefix('.')},_netdev"
    command = ["mount", "-i", "-c", "-f", "-t", FILE_SYSTEM, "-o", options, "--", source, os.fspath(mountpoint)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_UNMOUNT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("umount will not wait for uploads: %s", error)
        return
    if done.returncode != 0:
        _log.warning("umount will not wait for uploads: %s", done.stderr.strip())


def _unmount_command(mountpoint: Path, lazy: bool) -> list[str]:
    if os.geteuid() == 0:
        # -i: else it calls /sbin/umount.cloudfs, which is us. -c: else it looks into a mount that may not answer.
        return ["umount", "-i", "-c", *(["-l"] if lazy else []), "--", os.fspath(mountpoint)]
    return ["fusermount3", "-u", *(["-z"] if lazy else []), "--", os.fspath(mountpoint)]


def _occupied(present: Mounted) -> str:
    where = present.mountpoint
    if present.is_ours:
        return f"{where} is mounted already, with {present.source}; unmount it with: cloudfs umount {quote(str(where))}"
    return f"{where} is mounted already, by another file system ({present.file_system})"


def _require_directory(mountpoint: Path) -> None:
    match probe(mountpoint):
        case 0:
            return
        case errno.ENOENT:
            raise UsageError(f"there is no directory {mountpoint}; create it with: mkdir -p {quote(str(mountpoint))}")
        case errno.ENOTDIR:
            raise UsageError(f"{mountpoint} is not a directory")
        case errno.ETIMEDOUT:
            raise UsageError(f"{mountpoint} does not answer")
        case number:
            raise UsageError(f"cannot mount on {mountpoint}: {os.strerror(number)}")


def _directory_errno(path: Path) -> int:
    try:
        os.statvfs(path)  # the kernel may answer stat() for a dead mount from what it remembers, but never this
        return 0 if stat.S_ISDIR(path.stat().st_mode) else errno.ENOTDIR
    except OSError as error:
        return error.errno or errno.EIO
    except BaseException:
        return errno.EIO


def _named_users(mountpoint: Path) -> str:
    users = using(mountpoint)
    shown = ", ".join(f"{name(pid)} (process {pid})" for pid in users[:_USERS_SHOWN])
    return f" by {shown}{' and others' if len(users) > _USERS_SHOWN else ''}" if users else ""


def using(mountpoint: Path) -> list[int]:
    """Processes that have something in the mount open, or are in it, as far as we may know of others' processes."""
    prefix = f"{mountpoint}/"
    processes = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    return sorted(pid for pid in processes if any(f"{place}/".startswith(prefix) for place in _places(pid)))


def _places(pid: int) -> list[str]:
    places = []
    with suppress(OSError):
        links = [f"/proc/{pid}/cwd", f"/proc/{pid}/root", f"/proc/{pid}/exe"]
        links += [f"/proc/{pid}/fd/{descriptor}" for descriptor in os.listdir(f"/proc/{pid}/fd")]
        for link in links:
            with suppress(OSError):
                places.append(os.readlink(link))
    return places
