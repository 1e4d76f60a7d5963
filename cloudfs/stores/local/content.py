"""The bytes of a local store's files: drafts that have no name yet, reading with holes, copying.

Everything here blocks and is called in threads. Work of unknown length is a generator of steps, each of them short,
so that whoever drives it can stop in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TypeVar

from cloudfs.errors import BrokenAnswer
from cloudfs.stores.local.attributes import LocalAttributes
from cloudfs.stores.local.system import clone, rename_to_free_name
from cloudfs.stores.local.tree import Place, proc_path
from cloudfs.stores.sparse import BATCH, Piece, SparseDigest, batches
from cloudfs.types import Attributes, Extent

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Blocking work that can be dropped at every ``yield``; returns its result."""

_BATCHES_PER_STEP = 16
_NO_UNNAMED_FILES = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
CANNOT_GO_THERE = frozenset({errno.EXDEV})
_NO_KERNEL_COPY = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EINVAL})


def run_steps(steps: Steps[T]) -> T:
    """All of it at once."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result


class Draft:
    """A file, a symbolic link or a device on its way to its name, complete and hidden until then.

    A regular file has no name at all where the file system can do that (O_TMPFILE), so that a crash leaves nothing
    behind. All else, and files where it cannot, has a hidden name (``local_parts``), which is gone afterwards.
    Making, publishing and withdrawing it is done inside of `LocalTree.changing` its directories.
    """

    def __init__(self, fd: int, part: bytes, hidden_in: int | None = None, *, has_bytes: bool = True) -> None:
        """``part`` is a hidden name, taken already if ``hidden_in``, its directory, is given. Owns both descriptors."""
        self.fd = fd
        self._digest = ""
        self._has_bytes = has_bytes
        self._part = part
        self._hidden_in = hidden_in
        self._is_hidden = hidden_in is not None
        self._running = SparseDigest()

    @classmethod
    def unnamed(cls, directory: int, part: bytes) -> Draft | None:
        """An empty regular file on the file system of ``directory``; None if that has no files without names."""
        with unless(_NO_UNNAMED_FILES):
            return cls(os.open(b".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=directory), part)
        return None

    @classmethod
    def named(cls, directory: int, part: bytes) -> Draft:
        """An empty regular file with a hidden name."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return cls(os.open(part, flags, 0o600, dir_fd=directory), part, os.dup(directory))

    @classmethod
    def special(cls, directory: int, part: bytes, attributes: Attributes, *, placeholders: bool) -> Draft:
        """Whatever else there is but a directory; with ``placeholders``, an empty file for a forbidden device."""
        _make_special(directory, part, attributes, placeholders)
        fd = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        return cls(fd, part, os.dup(directory), has_bytes=False)

    @property
    def directories(self) -> Sequence[int]:
        """Those in which it has a hidden name, and which change when it loses that."""
        return () if self._hidden_in is None else (self._hidden_in,)

    def resize(self, size: int) -> None:
        """``size`` bytes, all of them zeros without taking any room."""
        os.ftruncate(self.fd, size)

    def write(self, pieces: Iterable[Piece]) -> None:
        """Ascending pieces, as for `SparseDigest.add`."""
        for start, data in pieces:
            _write_all(self.fd, start, data)
            self._running.add(start, data)

    def verify(self) -> Steps[None]:
        """Read back what was written; `BrokenAnswer` if it is not what was meant."""
        meant = self._running.finish(os.fstat(self.fd).st_size)
        self._digest = yield from digest_steps(self.fd)
        if self._digest != meant:
            raise BrokenAnswer("the disk gives back other bytes than were written to it")

    def digest(self) -> str:
        """The checksum of its bytes (`SparseDigest`); a long time for a large file that was not verified."""
        return self._digest or run_steps(digest_steps(self.fd))

    def seal(self, keeper: LocalAttributes, attributes: Attributes, *, durable: bool) -> None:
        """Last changes; with ``durable`` it survives a power cut from here on, as far as it has a name."""
        keeper.write(self.fd, attributes)
        if durable and self._has_bytes:
            os.fsync(self.fd)

    def take(self, place: Place) -> None:
        """Appear under a free name; `FileExistsError` if it is not."""
        if self._hidden_in is None:
            _link(self.fd, place.directory, place.name)
        else:
            rename_to_free_name(self._hidden_in, self._part, place.directory, place.name)
            self._is_hidden = False

    def replace(self, place: Place, root: int) -> None:
        """Appear under a name instead of what has it; in between hidden in the ``root``, if it is not already."""
        if self._hidden_in is None:
            self._hidden_in = os.dup(hide(lambda directory: _link(self.fd, directory, self._part), root, place))
            self._is_hidden = True
        os.rename(self._part, place.name, src_dir_fd=self._hidden_in, dst_dir_fd=place.directory)
        self._is_hidden = False

    def withdraw(self) -> None:
        """Give up the hidden name, if it still has one."""
        if self._hidden_in is not None and self._is_hidden:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._part, dir_fd=self._hidden_in)
            self._is_hidden = False

    def close(self) -> None:
        """Without a name by now, it is gone."""
        os.close(self.fd)
        if self._hidden_in is not None:
            os.close(self._hidden_in)


def hide(make: Callable[[int], object], root: int, place: Place) -> int:
    """Make a hidden name of what shall go to ``place``; returns in which directory.

    It is the root of the store, where one look finds what was left over from a crash; but beside the place if names
    cannot go there from the root, because of a mountpoint, a quota or encryption in between.
    """
    with unless(CANNOT_GO_THERE):
        make(root)
        return root
    make(place.directory)
    return place.directory


def digest_steps(fd: int) -> Steps[str]:
    """The checksum of an open file (`SparseDigest`)."""
    digest, size = SparseDigest(), os.fstat(fd).st_size
    for number, batch in enumerate(batches(data_extents(fd, size), size), start=1):
        digest.add_all((extent.start, read_exactly(fd, extent.start, extent.stop)) for extent in batch)
        if number % _BATCHES_PER_STEP == 0:
            yield
    return digest.finish(size)


def copy_steps(source: int, target: int) -> Steps[None]:
    """Make an empty file the same as another: sharing its blocks, or copying its data inside of the kernel."""
    if clone(source, target):
        return
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    for extent in data_extents(source, size):
        at = extent.start
        while at < extent.stop:
            copied = _copy_range(source, target, at, min(extent.stop, at + BATCH * _BATCHES_PER_STEP))
            if copied == 0:
                raise BrokenAnswer("the file became shorter while it was copied")
            at += copied
            yield


def _copy_range(source: int, target: int, start: int, stop: int) -> int:
    """Copy a first part of a range; how many bytes it was."""
    with unless(_NO_KERNEL_COPY):
        return os.copy_file_range(source, target, stop - start, start, start)
    data = os.pread(source, min(stop - start, BATCH), start)
    _write_all(target, start, data)
    return len(data)


def data_extents(fd: int, size: int) -> Iterator[Extent]:
    """Where the first ``size`` bytes of a file are data and not holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            raise
        if start >= size:
            return
        at = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        yield Extent(start, at)


def read_exactly(fd: int, start: int, stop: int) -> bytes:
    """The bytes of a range; `BrokenAnswer` if the file ends before."""
    data = os.pread(fd, stop - start, start) if start < stop else b""
    while len(data) < stop - start:
        more = os.pread(fd, stop - start - len(data), start + len(data))
        if not more:
            raise BrokenAnswer("the file is shorter than it says")
        data += more
    return data


def _write_all(fd: int, start: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, start)
        start += written
        view = view[written:]


def _link(fd: int, directory: int, name: bytes) -> None:
    os.link(proc_path(fd), name, dst_dir_fd=directory, follow_symlinks=True)


def _make_special(directory: int, name: bytes, attributes: Attributes, placeholders: bool) -> None:
    kind = stat.S_IFMT(attributes.mode)
    if kind == stat.S_IFLNK:
        os.symlink(attributes.target, name, dir_fd=directory)
    elif kind in (stat.S_IFIFO, stat.S_IFSOCK):
        os.mknod(name, kind | 0o600, dir_fd=directory)
    else:
        try:
            os.mknod(name, kind | 0o600, attributes.rdev, dir_fd=directory)
        except PermissionError:
            if not placeholders:
                raise
            os.mknod(name, stat.S_IFREG | 0o600, dir_fd=directory)


@contextlib.contextmanager
def unless(numbers: frozenset[int]) -> Iterator[None]:
    """What the file system cannot do is no error: the caller goes on in another way."""
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise
