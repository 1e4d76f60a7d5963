"""Sparse files, by descriptor: what the system offers beyond ``os.pread``. Everything here blocks."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable

from cloudfs.cache.runs import Runs

_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
_COPY_STEP = 8 << 20
_CANNOT_COPY = {errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


def new_file(path: str) -> int:
    """A descriptor of an empty file that only its owner may read."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """`os.pwrite` may write less than asked, when the disk is nearly full; this writes all, or raises ``OSError``."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def data_runs(descriptor: int, size: int) -> Runs:
    """Where the file has data, as bytes; all of it where the file system knows no holes."""
    runs, at = Runs(), 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                runs.add(at, size)
            break
        at = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        runs.add(start, at)
    return runs


def punch_hole(descriptor: int, start: int, stop: int) -> bool:
    """Give the blocks of ``[start, stop)`` back to the file system; False where it cannot."""
    return _fallocate()(descriptor, _KEEP_SIZE | _PUNCH_HOLE, start, stop - start) == 0


def copy_range(source: int, target: int, start: int, stop: int) -> None:
    """Copy ``[start, stop)`` to the same place, without the bytes coming by where the kernel can.

    ``OSError`` also if ``source`` ends too soon.
    """
    while start < stop:
        step = min(stop - start, _COPY_STEP)
        copied = _copy_in_kernel(source, target, start, step) or _copy_by_hand(source, target, start, step)
        start += copied


def _copy_in_kernel(source: int, target: int, start: int, step: int) -> int:
    try:
        return os.copy_file_range(source, target, step, start, start)
    except OSError as error:
        if error.errno in _CANNOT_COPY:
            return 0
        raise


def _copy_by_hand(source: int, target: int, start: int, step: int) -> int:
    data = os.pread(source, step, start)
    if not data:
        raise OSError(errno.EIO, "the file ends before the data it should have")
    write_all(target, data, start)
    return len(data)


@functools.cache
def _fallocate() -> Callable[[int, int, int, int], int]:
    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if call is None:
        return lambda descriptor, mode, start, length: -1
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    call.restype = ctypes.c_int
    return call  # type: ignore[no-any-return]
