"""Linux system calls that Python has no name for."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import secrets
import struct
from collections.abc import Callable

_NOREPLACE = 1
_EMPTY_PATH = 0x1000
_FICLONE = 0x40049409
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP})

_HANDLE_HEADER = struct.Struct("=Ii")  # struct file_handle: size of the handle in bytes, type of the handle
_HANDLE_MAX = 128

_libc = ctypes.CDLL(None, use_errno=True)
_renameat2: Callable[[int, bytes, int, bytes, int], int] | None = getattr(_libc, "renameat2", None)
_name_to_handle_at: Callable[..., int] | None = getattr(_libc, "name_to_handle_at", None)


def file_handle(directory: int, name: bytes) -> bytes:
    """What a file system calls an object: its inode number, and a generation that tells it from earlier ones of that
    number. An empty ``name`` is what the descriptor itself stands for. Empty where there is no such thing.
    """
    if _name_to_handle_at is None:
        return b""
    buffer = ctypes.create_string_buffer(_HANDLE_HEADER.size + _HANDLE_MAX)
    _HANDLE_HEADER.pack_into(buffer, 0, _HANDLE_MAX, 0)
    if _name_to_handle_at(directory, name, buffer, ctypes.byref(ctypes.c_int()), _EMPTY_PATH) != 0:
        return b""
    size, _ = _HANDLE_HEADER.unpack_from(buffer)
    return buffer.raw[_HANDLE_HEADER.size : _HANDLE_HEADER.size + size]


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


def can_move(source_fd: int, target_fd: int) -> bool:
    """Whether names can go from one directory to another: not from one mount to the next, whatever is mounted there.

    Asked by moving what is not there, because the kernel looks at the mounts first.
    """
    absent = b"." + secrets.token_hex(16).encode()
    try:
        os.rename(absent, absent, src_dir_fd=source_fd, dst_dir_fd=target_fd)
    except OSError as error:
        return error.errno != errno.EXDEV
    return True


def clone(source_fd: int, target_fd: int) -> bool:
    """Let one file share all bytes of another, without copying; False where the file system cannot."""
    try:
        fcntl.ioctl(target_fd, _FICLONE, source_fd)
    except OSError:
        return False
    return True
