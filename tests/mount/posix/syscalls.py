"""System calls under another identity, with the outcome as a word: ``OK`` or the name of the errno.

One worker process per test makes the calls, with the tested directory as its working directory, so that names are
short, the permissions of the directories above do not matter, and a driver that hangs costs a time limit and not the
test run. File descriptors returned by calls live in the worker; pass their numbers to later calls.

>>> root = Syscalls(directory).identity(0)
>>> root.mkdir("d", 0o755)  # the value, or OSError
>>> user.outcome("rmdir", "d")
'EACCES'
>>> root.effect("unlink", "d/f", on=["d", "d/g"])  # which of m(time) and c(time) the call moved
('OK', 'mc', 'c')
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import pickle
import select
import signal
import socket
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

ANSWER_WITHIN = 60.0
"""Seconds; a call that takes longer is a driver that hangs."""

FALL_KEEP_SIZE, FALL_PUNCH_HOLE, FALL_ZERO_RANGE = 1, 2, 16
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
AT_FDCWD, AT_SYMLINK_NOFOLLOW = -100, 0x100
NOW, OMIT = (0, (1 << 30) - 1), (0, (1 << 30) - 2)
"""``UTIME_NOW`` and ``UTIME_OMIT``, as (seconds, nanoseconds)."""

CLOCK_REALTIME_COARSE = 5
"""The clock that file systems stamp with; Python has no name for it."""

KINDS = ("regular", "directory", "fifo", "socket", "block", "character", "symlink")


@dataclass(frozen=True)
class Identity:
    """Makes calls as one user, with the groups and the umask of that user."""

    process: Syscalls
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    umask: int = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            return self.process.call(self, name, *arguments, **options)

        return call

    def outcome(self, name: str, *arguments: Any, **options: Any) -> str:
        """``OK``, or the name of the errno; of the two names of 95 the one that the kernel uses."""
        try:
            self.process.call(self, name, *arguments, **options)
        except OSError as error:
            return "EOPNOTSUPP" if error.errno == errno.EOPNOTSUPP else errno.errorcode[error.errno or 0]
        return "OK"

    def effect(self, name: str, *arguments: Any, on: Sequence[str], **options: Any) -> tuple[str, ...]:
        """The outcome, and for each path of ``on`` (or its descriptor) which of mtime and ctime moved forward."""
        root = self.process.identity(0)
        before = [root.times(path) for path in on]
        wait_for_clock(max(max(times) for times in before))
        outcome = self.outcome(name, *arguments, **options)
        after = [root.times(path) for path in on]
        return outcome, *(moved(old, new) for old, new in zip(before, after, strict=True))


def moved(before: tuple[int, int], after: tuple[int, int]) -> str:
    return "".join(letter for letter, old, new in zip("mc", before, after, strict=True) if new > old)


def wait_for_clock(past_ns: int) -> None:
    """Until the clock that file systems stamp with is later than ``past_ns``: one tick of the kernel, usually."""
    deadline = time.monotonic() + 3
    while time.clock_gettime_ns(CLOCK_REALTIME_COARSE) <= past_ns:
        if time.monotonic() > deadline:
            raise AssertionError(f"a time stamp of {past_ns} ns lies in the future")
        os.sched_yield()


class Syscalls:
    """The worker process, seen from the test."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def identity(self, uid: int, gid: int | None = None, groups: Sequence[int] = (), umask: int = 0) -> Identity:
        return Identity(self, uid, uid if gid is None else gid, tuple(groups), umask)

    def call(self, who: Identity, name: str, *arguments: Any, **options: Any) -> Any:
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        pickle.dump((who.uid, who.gid, who.groups, who.umask, name, arguments, options), requests)
        requests.flush()
        if not select.select([answers], [], [], ANSWER_WITHIN)[0]:
            self._process.kill()
            raise AssertionError(f"{name}{arguments!r} did not return within {ANSWER_WITHIN:.0f} s")
        kind, value = pickle.load(answers)
        if kind == "error":
            raise OSError(*value)
        if kind == "bug":
            raise AssertionError(value)
        return value

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


# --- what runs in the worker --------------------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
libc.telldir.argtypes = libc.readdir.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def times(path: str | int) -> tuple[int, int]:
    found = os.fstat(path) if isinstance(path, int) else os.lstat(path)
    return found.st_mtime_ns, found.st_ctime_ns


def utimensat(path: str, atime: tuple[int, int], mtime: tuple[int, int], flags: int = 0) -> int:
    pair = (Timespec * 2)(Timespec(*atime), Timespec(*mtime))
    return checked(libc.utimensat(AT_FDCWD, os.fsencode(path), pair, flags))


def renameat2(source: str, target: str, flags: int) -> int:
    return checked(libc.renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flags))


def fallocate(fd: int, mode: int, offset: int, length: int) -> int:
    return checked(libc.fallocate(fd, mode, offset, length))


def create(path: str, mode: int = 0o644, content: bytes = b"") -> None:
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        if content:
            os.write(fd, content)
    finally:
        os.close(fd)


def attempt(path: str, flags: int, mode: int = 0o644) -> None:
    """``open``, and at once ``close``."""
    os.close(os.open(path, flags, mode))


def content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def overwrite(path: str, data: bytes, offset: int = 0) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(fd, data, offset)
    finally:
        os.close(fd)


def make(kind: str, path: str, mode: int = 0o644) -> None:
    """A new file of any kind."""
    match kind:
        case "regular":
            create(path, mode)
        case "directory":
            os.mkdir(path, mode)
        case "fifo":
            os.mkfifo(path, mode)
        case "socket":
            os.mknod(path, stat.S_IFSOCK | mode)
        case "block":
            os.mknod(path, stat.S_IFBLK | mode, os.makedev(1, 2))
        case "character":
            os.mknod(path, stat.S_IFCHR | mode, os.makedev(1, 3))
        case "symlink":
            os.symlink("nowhere", path)
        case _:
            raise ValueError(kind)


def bind(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(path)


def nested(name: str, depth: int) -> int:
    """Directories ``name`` in each other below the working directory; a descriptor of the innermost."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir(name, 0o755, dir_fd=fd)
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
    return fd


def map_write(fd: int, offset: int, data: bytes) -> None:
    with mmap.mmap(fd, 0, mmap.MAP_SHARED) as window:
        window[offset : offset + len(data)] = data
        window.flush()


def map_read(fd: int, start: int, stop: int) -> bytes:
    with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as window:
        return window[start:stop]


def spawn(program: str, *arguments: str) -> int:
    return os.posix_spawn(program, [program, *arguments], {})


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def opendir(path: str) -> int:
    stream = libc.opendir(os.fsencode(path))
    if not stream:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(stream)


def readdir(stream: int) -> str | None:
    """The next name; None at the end. A name lies 19 bytes into glibc's ``struct dirent`` on 64-bit Linux."""
    entry = libc.readdir(stream)
    return os.fsdecode(ctypes.string_at(entry + 19)) if entry else None


CALLS: dict[str, Callable[..., Any]] = {
    "times": times,
    "utimensat": utimensat,
    "renameat2": renameat2,
    "fallocate": fallocate,
    "create": create,
    "attempt": attempt,
    "content": content,
    "overwrite": overwrite,
    "make": make,
    "bind": bind,
    "nested": nested,
    "map_write": map_write,
    "map_read": map_read,
    "spawn": spawn,
    "end": end,
    "opendir": opendir,
    "readdir": readdir,
    "telldir": lambda stream: libc.telldir(stream),
    "seekdir": lambda stream, position: libc.seekdir(stream, position),
    "closedir": lambda stream: libc.closedir(stream),
    "flock": fcntl.flock,
    "lockf": fcntl.lockf,
}


@contextlib.contextmanager
def identity(uid: int, gid: int, groups: Sequence[int], umask: int) -> Iterator[None]:
    """The saved ids stay those of root, which is the way back."""
    os.setgroups(groups)
    os.setresgid(gid, gid, 0)
    os.setresuid(uid, uid, 0)
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        os.setgroups([])


def answer(request: tuple[Any, ...]) -> tuple[str, Any]:
    uid, gid, groups, umask, name, arguments, options = request
    call = CALLS.get(name) or getattr(os, name)
    try:
        with identity(uid, gid, groups, umask):
            return "value", call(*arguments, **options)
    except OSError as error:
        return "error", (error.errno, f"{name}{arguments!r}: {error.strerror}")
    except Exception:
        return "bug", traceback.format_exc()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while True:
        try:
            request = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(answer(request), answers)
        answers.flush()


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    serve(sys.stdin.buffer, sys.stdout.buffer)
