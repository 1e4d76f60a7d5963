"""Ways into the directory that holds a local store: paths that cannot leave it, and who may change what when.

Everything here blocks and is called in threads. A path is opened one component at a time and no symbolic link is
ever followed, so that links which somebody put into the directory are entries of the store and never ways out of it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from cloudfs.errors import NameRefused, StoreError, Unavailable
from cloudfs.stores.base import Location
from cloudfs.stores.local.errors import store_error
from cloudfs.stores.local.parts import is_part
from cloudfs.stores.local.system import file_handle
from cloudfs.types import Version

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STRIPES = 64


def proc_path(fd: int) -> bytes:
    """A path of what ``fd`` stands for, for calls that take no descriptor, or none that is only a path (O_PATH)."""
    return b"/proc/self/fd/%d" % fd


@dataclass(frozen=True, slots=True)
class Place:
    """A name in an open directory; there need not be anything of that name.

    An empty name is the object that the descriptor itself stands for.
    """

    directory: int
    name: bytes

    @property
    def path(self) -> bytes:
        return b"%b/%b" % (proc_path(self.directory), self.name)

    @property
    def is_root(self) -> bool:
        return self.name == b"."

    def status(self) -> os.stat_result | None:
        try:
            return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def identity(self, status: os.stat_result) -> str:
        """Tells the object, which has that status, from all others of its file system at any time.

        The inode number alone does not: it is used again as soon as it is free.
        """
        return file_handle(self.directory, self.name).hex() or str(status.st_ino)

    def version(self, status: os.stat_result) -> Version:
        """The version of the object. Not of its ctime, which changes with every name, owner and permission."""
        if stat.S_ISDIR(status.st_mode):
            return Version("")
        return Version(f"{self.identity(status)}:{status.st_size}:{status.st_mtime_ns}")

    @contextlib.contextmanager
    def open(self, flags: int = os.O_PATH) -> Iterator[int]:
        """The object itself, never what a symbolic link points to."""
        fd = os.open(self.name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.directory)
        try:
            yield fd
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class _Identity:
    """Which directory it is: ``device`` until it is mounted again, ``file_system`` (0 if not told) also after."""

    device: int
    file_system: int
    inode: int

    @classmethod
    def of(cls, fd: int) -> _Identity:
        status = os.fstat(fd)
        return cls(status.st_dev, os.fstatvfs(fd).f_fsid, status.st_ino)

    def fits(self, fd: int) -> bool:
        """Whether ``fd`` is that directory."""
        status = os.fstat(fd)
        same_device = status.st_dev == self.device or self.file_system == os.fstatvfs(fd).f_fsid != 0
        return status.st_ino == self.inode and same_device


class LocalTree:
    """The directory tree of one store. Raises `StoreError` where it knows better, else `OSError`.

    The root need not be there yet: a disk may come later. Then it is whatever is found first.
    """

    def __init__(self, root: bytes) -> None:
        self._root = root
        # A directory's lock is found by its inode number. At most one call of `locked` per thread at a time; it
        # takes its locks in ascending order.
        self._locks = tuple(threading.Lock() for _ in range(_STRIPES))
        self._identity: _Identity | None = None
        with contextlib.suppress(Unavailable), self.open(b""):
            pass

    @contextlib.contextmanager
    def open(self, path: bytes) -> Iterator[int]:
        """A directory, as a descriptor to name things in (O_PATH)."""
        fd = self._open_root()
        try:
            for component in self._components(path):
                inner = os.open(component, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def place(self, location: Location) -> Iterator[Place]:
        """The place of a location; the directory it is in has to be there. The root is ``.`` in itself."""
        self._components(location.path)
        with self.open(location.parent_path) as directory:
            yield Place(directory, location.name or b".")

    @contextlib.contextmanager
    def locked(self, *directories: int) -> Iterator[None]:
        """No other thread is in here with one of these directories."""
        stripes = sorted({os.fstat(directory).st_ino % _STRIPES for directory in directories})
        with contextlib.ExitStack() as stack:
            for stripe in stripes:
                stack.enter_context(self._locks[stripe])
            yield

    @contextlib.contextmanager
    def changing(self, *directories: int) -> Iterator[None]:
        """The caller makes or removes names in these directories, alone and without a trace in their own mtimes.

        The mtime of a directory is one of the attributes that a store is told to keep. What the mount does inside
        of the directory is in the mtime it sets; when the store gets to do the same later is of no interest.
        """
        with self.locked(*directories):
            before = [os.fstat(directory) for directory in directories]
            try:
                yield
            finally:
                for directory, status in zip(directories, before, strict=True):
                    _restore_mtime(directory, status)

    def space(self) -> os.statvfs_result:
        """Of the file system that the root is on."""
        with self.open(b"") as root:
            return os.fstatvfs(root)

    def read_only(self) -> bool:
        with self.open(b"") as root:
            return bool(os.fstatvfs(root).f_flag & os.ST_RDONLY) or not os.access(b".", os.W_OK | os.X_OK, dir_fd=root)

    def _open_root(self) -> int:
        """The root must be what it was at first: with another disk in its place, or none, all would look deleted."""
        try:
            fd = os.open(self._root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Unavailable(f"{os.fsdecode(self._root)}: the store's directory is missing") from error
        except OSError as error:
            raise store_error(error, os.fsdecode(self._root)) from error
        if self._identity is None:
            self._identity = _Identity.of(fd)
        elif not self._identity.fits(fd):
            os.close(fd)
            raise Unavailable(f"{os.fsdecode(self._root)}: another directory is where the store's was")
        return fd

    def _components(self, path: bytes) -> list[bytes]:
        components = path.split(b"/") if path else []
        for component in components:
            if component in (b"", b".", b"..") or b"\0" in component or is_part(component):
                raise _refused(path)
        return components


def _refused(path: bytes) -> StoreError:
    return NameRefused(f"{Location(path)}: a local store cannot have this name")


def _restore_mtime(directory: int, before: os.stat_result) -> None:
    now = os.fstat(directory)
    if now.st_mtime_ns != before.st_mtime_ns:
        # Not permitted in a directory of somebody else, and not important enough to fail.
        with contextlib.suppress(PermissionError):
            os.utime(b".", ns=(now.st_atime_ns, before.st_mtime_ns), dir_fd=directory)
