"""A tree to which operations are done, each a value: so that two trees can be treated alike and compared."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
T = TypeVar("T")
NOREPLACE, EXCHANGE = 1, 2

AGES = 10**18
"""Times we set lie before this many ns since the epoch, times a kernel sets after it."""


@dataclass(frozen=True)
class Operation:
    """``name`` of a function below, and its arguments after the root."""

    name: str
    arguments: tuple[object, ...] = ()

    def __repr__(self) -> str:
        return f"{self.name}{self.arguments!r}"


class Tree:
    """One of the two trees, with the files that are open in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[int, int] = {}

    def furnish(self) -> None:
        """Something of each kind, so that most operations find what they need."""
        for directory in ("d", "d/d", "e"):
            os.mkdir(self._path(directory), 0o755)
        for number, file in enumerate(("a", "b", "d/a", "d/b", "d/d/a")):
            Path(self._path(file)).write_bytes(bytes([number + 1]) * 50_000 * number)
            os.utime(self._path(file), ns=(0, number))
        os.link(self._path("b"), self._path("e/b"))
        os.symlink("b", self._path("d/e"))

    def apply(self, operation: Operation) -> object:
        """The result, or the name of the errno."""
        call: Callable[..., object] = getattr(self, f"_do_{operation.name}")
        try:
            return call(*operation.arguments)
        except OSError as error:
            return errno.errorcode[error.errno or 0]

    def close_all(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def attributes(self) -> dict[str, tuple[object, ...]]:
        """All that is to be seen without reading contents."""
        return {name: self._describe(self.root / name) for name in self._names()}

    def contents(self) -> dict[str, object]:
        return {name: content(self.root / name) for name in self._names()}

    def _names(self) -> list[str]:
        found = ["."]
        for directory, directories, files in os.walk(self.root):
            found += [os.path.relpath(os.path.join(directory, name), self.root) for name in (*directories, *files)]
        return sorted(found)

    def _describe(self, path: Path) -> tuple[object, ...]:
        found = path.lstat()
        size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
        modified = found.st_mtime_ns if found.st_mtime_ns < AGES else "now"
        return stat.filemode(found.st_mode), found.st_uid, found.st_gid, found.st_nlink, size, modified

    def _path(self, path: str) -> str:
        return os.path.join(self.root, path)

    def _do_put(self, path: str, data: bytes, mode: int, mtime_ns: int) -> None:
        """As backup programs do: all that is to be said of a file before its only ``close()``."""
        descriptor = os.open(self._path(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, data)
            os.fchmod(descriptor, mode)
            os.utime(descriptor, ns=(0, mtime_ns))
        finally:
            os.close(descriptor)

    # --- names ---

    def _do_create(self, path: str, mode: int) -> None:
        os.close(os.open(self._path(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))

    def _do_mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._path(path), mode)

    def _do_mkfifo(self, path: str) -> None:
        os.mkfifo(self._path(path))

    def _do_symlink(self, target: str, path: str) -> None:
        os.symlink(target, self._path(path))

    def _do_link(self, source: str, target: str) -> None:
        os.link(self._path(source), self._path(target), follow_symlinks=False)

    def _do_unlink(self, path: str) -> None:
        os.unlink(self._path(path))

    def _do_rmdir(self, path: str) -> None:
        os.rmdir(self._path(path))

    def _do_rename(self, source: str, target: str, flags: int) -> None:
        paths = os.fsencode(self._path(source)), os.fsencode(self._path(target))
        if libc.renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], flags) < 0:
            raise OSError(ctypes.get_errno(), "renameat2")

    # --- bytes: truncation to the same size is left out, because kernels differ in whether it moves mtime ---

    def _do_write(self, path: str, offset: int, data: bytes) -> int:
        return self._with(path, os.O_WRONLY, lambda fd: os.pwrite(fd, data, offset))

    def _do_append(self, path: str, data: bytes) -> int:
        return self._with(path, os.O_WRONLY | os.O_APPEND, lambda fd: os.write(fd, data))

    def _do_rewrite(self, path: str, data: bytes) -> int:
        return self._with(path, os.O_WRONLY | os.O_TRUNC, lambda fd: os.write(fd, data))

    def _do_truncate(self, path: str, size: int) -> None:
        found = os.stat(self._path(path))
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            return
        if stat.S_ISDIR(found.st_mode) or found.st_size != size:
            os.truncate(self._path(path), size)

    def _do_read(self, path: str, offset: int, length: int) -> bytes:
        return self._with(path, os.O_RDONLY, lambda fd: os.pread(fd, length, offset))

    def _do_fsync(self, path: str) -> None:
        return self._with(path, os.O_RDONLY, os.fsync)

    def _is_special(self, path: str) -> bool:
        """A FIFO; opening one would wait for the other end."""
        try:
            return stat.S_ISFIFO(os.stat(self._path(path)).st_mode)
        except OSError:
            return False

    def _with(self, path: str, flags: int, use: Callable[[int], T]) -> T:
        descriptor = os.open(self._path(path), flags | os.O_NONBLOCK)
        try:
            return use(descriptor)
        finally:
            os.close(descriptor)

    # --- files that stay open ---

    def _do_open(self, slot: int, path: str) -> None:
        if slot in self._open:
            os.close(self._open.pop(slot))
        if not self._is_special(path):
            self._open[slot] = os.open(self._path(path), os.O_RDWR | os.O_CREAT, 0o644)

    def _do_write_open(self, slot: int, offset: int, data: bytes) -> int | None:
        return os.pwrite(self._open[slot], data, offset) if slot in self._open else None

    def _do_read_open(self, slot: int, offset: int, length: int) -> bytes | None:
        return os.pread(self._open[slot], length, offset) if slot in self._open else None

    def _do_truncate_open(self, slot: int, size: int) -> None:
        if slot in self._open and os.fstat(self._open[slot]).st_size != size:
            os.ftruncate(self._open[slot], size)

    def _do_stat_open(self, slot: int) -> tuple[int, int] | None:
        if slot not in self._open:
            return None
        found = os.fstat(self._open[slot])
        return found.st_size, found.st_nlink

    def _do_close(self, slot: int) -> None:
        if slot in self._open:
            os.close(self._open.pop(slot))

    # --- attributes ---

    def _do_chmod(self, path: str, mode: int) -> None:
        os.chmod(self._path(path), mode)

    def _do_chown(self, path: str, uid: int, gid: int) -> None:
        os.lchown(self._path(path), uid, gid)

    def _do_utimens(self, path: str, mtime_ns: int) -> None:
        os.utime(self._path(path), ns=(0, mtime_ns), follow_symlinks=False)


def content(path: Path) -> object:
    """The bytes of a file, the target of a link, and of the rest what it is."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return os.readlink(path)
    if stat.S_ISREG(found.st_mode):
        return path.read_bytes()
    return stat.filemode(found.st_mode)[0]
