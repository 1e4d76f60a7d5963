"""Where staged files are on the disk: numbered, and spread over directories in different parts of the disk.

ext4 gives a new file an inode near its directory, and looks at every inode there that was freed in the last minutes
before it takes one. Staged files come and go by the thousand, so in a directory that stays the same each new one would
cost several times as much as in a fresh one (measured: 70 to 230 µs instead of 21). A directory therefore takes
`SHARE` files and is never used again, and its parent is marked as the top of a hierarchy (``chattr +T``), which makes
ext4 put each child somewhere else. Other file systems do not know the mark, and need it not.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

SHARE = 1024
"""Files of a directory; their numbers follow each other."""
_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602
"""``FS_IOC_GETFLAGS`` and ``FS_IOC_SETFLAGS`` of <linux/fs.h>."""
_libc = ctypes.CDLL(None, use_errno=True)
_TOP_OF_HIERARCHY = 0x00020000
"""``FS_TOPDIR_FL``, see chattr(1)."""


class StagedFiles:
    """The files below one directory, by number. A number is used once, in no mount ever again.

    Threads may call all of this at the same time.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        self._directory = directory
        self._fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._used: set[str] = set()
        self._unsynced: set[str] = set()
        self._making = threading.Lock()
        """Held while directories come and go, and while these sets change."""
        self._syncing = threading.Lock()
        _mark_as_top(self._fd)

    def path(self, file: int) -> Path:
        return self._directory / _place(file)

    def make(self, file: int) -> int:
        """A descriptor of a new, empty file."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        share = _share(file)
        with self._making:
            if share not in self._used:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(share, 0o700, dir_fd=self._fd)
                self._used.add(share)
        fd = os.open(_place(file), flags, 0o600, dir_fd=self._fd)
        with self._making:  # not before it is there: a sync that is under way would take it for done
            self._unsynced.add(share)
        return fd

    def open(self, file: int) -> int:
        """A descriptor of an existing file; `FileNotFoundError`."""
        return os.open(_place(file), os.O_RDWR | os.O_CLOEXEC, dir_fd=self._fd)

    def stat(self, file: int) -> os.stat_result:
        return os.stat(_place(file), dir_fd=self._fd)

    def remove(self, file: int) -> None:
        """Afterwards it is not there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_place(file), dir_fd=self._fd)

    def numbers(self) -> Iterator[int]:
        """Every file there is; empty directories of earlier mounts are removed on the way. Blocks."""
        for share in [entry.name for entry in os.scandir(self._directory) if entry.is_dir()]:
            names = os.listdir(self._directory / share)
            if not names:
                self._remove_unused(share)
            yield from (int(name) for name in names if name.isdigit())

    def _remove_unused(self, share: str) -> None:
        with self._making, contextlib.suppress(OSError):
            if share not in self._used:
                os.rmdir(share, dir_fd=self._fd)

    def sync(self) -> None:
        """Files made before survive a power cut. Blocks: call it in a thread. Raises `OSError`."""
        with self._syncing:  # who comes meanwhile may have a file that somebody else is just seeing to
            with self._making:
                fresh, self._unsynced = self._unsynced, set()
            try:
                for share in fresh:
                    _sync(os.open(share, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._fd))
                os.fsync(self._fd)
            except BaseException:
                with self._making:
                    self._unsynced |= fresh
                raise

    def sync_all(self) -> None:
        """Everything there survives a power cut, at one blow (syncfs(2)). Blocks. Raises `OSError`."""
        if _libc.syncfs(self._fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def status(self) -> os.statvfs_result:
        """Of the disk."""
        return os.fstatvfs(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def _share(file: int) -> str:
    return f"{file // SHARE:x}"


def _place(file: int) -> str:
    return f"{file // SHARE:x}/{file}"


def _sync(fd: int) -> None:
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _mark_as_top(fd: int) -> None:
    with contextlib.suppress(OSError):
        (flags,) = struct.unpack("I", fcntl.ioctl(fd, _GET_FLAGS, bytes(4)))
        fcntl.ioctl(fd, _SET_FLAGS, struct.pack("I", flags | _TOP_OF_HIERARCHY))
