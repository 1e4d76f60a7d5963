"""The errno table: the one place where our errors become what the kernel tells an application."""

from __future__ import annotations

import errno
import sqlite3

from cloudfs import errors

_TABLE: tuple[tuple[type[errors.CloudfsError], int], ...] = (
    (errors.NotFound, errno.ENOENT),
    (errors.AlreadyExists, errno.EEXIST),
    (errors.DirectoryNotEmpty, errno.ENOTEMPTY),
    (errors.IsADirectory, errno.EISDIR),
    (errors.NotADirectory, errno.ENOTDIR),
    (errors.InvalidArgument, errno.EINVAL),
    (errors.NameTooLong, errno.ENAMETOOLONG),
    (errors.NameRefused, errno.EINVAL),
    (errors.NotPermitted, errno.EPERM),
    (errors.NoSpace, errno.ENOSPC),
    (errors.NoAttribute, errno.ENODATA),
    (errors.NotSupported, errno.ENOSYS),
    (errors.Unsupported, errno.EOPNOTSUPP),
    (errors.StoreReadOnly, errno.EROFS),
    (errors.AccessDenied, errno.EACCES),
    (errors.QuotaExceeded, errno.EDQUOT),
    (errors.TooLarge, errno.EFBIG),
    (errors.CloudfsError, errno.EIO),
)


def errno_of(error: BaseException) -> int:
    """EIO for whatever has no better word."""
    for kind, number in _TABLE:
        if isinstance(error, kind):
            return number
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if isinstance(error, sqlite3.Error) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return errno.ENOSPC
    return errno.EIO


def is_expected(error: BaseException) -> bool:
    """Whether an application simply gets what it asked for; anything else deserves a line in the log."""
    return isinstance(error, errors.CloudfsError | OSError)
