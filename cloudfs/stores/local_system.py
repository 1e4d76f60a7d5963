"""Two Linux system calls that Python has no name for."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable

_NOREPLACE = 1
_FICLONE = 0x40049409
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})

_renameat2: Callable[[int, bytes, int, bytes, int], int] | None = getattr(
    ctypes.CDLL(None, use_errno=True), "renameat2", None
)


def rename_to_free_name(source_fd: int, source: bytes, target_fd: int, target: bytes) -> None:
    """Rename, or raise `FileExistsError`; atomic where kernel and file system can do that, else it looks first."""
    if _renameat2 is not None:
        if _renameat2(source_fd, source, target_fd, target, _NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
        if number not in _CANNOT:
            raise OSError(number, os.strerror(number))
    try:
        os.stat(target, dir_fd=target_fd, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def clone(source_fd: int, target_fd: int) -> bool:
    """Let one file share all bytes of another, without copying; False where the file system cannot."""
    try:
        fcntl.ioctl(target_fd, _FICLONE, source_fd)
    except OSError:
        return False
    return True
