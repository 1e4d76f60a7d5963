"""What an ``OSError`` of the directory that holds a local store means to the callers of a store."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from cloudfs.errors import (
    AccessDenied,
    DirectoryNotEmpty,
    NameRefused,
    NotFound,
    QuotaExceeded,
    StoreError,
    StoreReadOnly,
    TooLarge,
    Unavailable,
    VersionMismatch,
)
from cloudfs.stores.base import Location

_ERRORS: Mapping[int, type[StoreError]] = MappingProxyType(
    {
        errno.ENOENT: NotFound,
        # A component of the path is a file or a symbolic link, so the directory asked for is not there.
        errno.ENOTDIR: NotFound,
        errno.ELOOP: NotFound,
        errno.EEXIST: VersionMismatch,
        errno.EISDIR: VersionMismatch,
        errno.EACCES: AccessDenied,
        errno.EPERM: AccessDenied,
        # Another file system, or a mountpoint, inside of the store's directory.
        errno.EXDEV: AccessDenied,
        errno.EBUSY: AccessDenied,
        errno.EROFS: StoreReadOnly,
        errno.ENOSPC: QuotaExceeded,
        errno.EDQUOT: QuotaExceeded,
        errno.EMLINK: QuotaExceeded,
        errno.ENAMETOOLONG: NameRefused,
        # Some file systems refuse some bytes in names.
        errno.EINVAL: NameRefused,
        errno.EILSEQ: NameRefused,
        errno.EFBIG: TooLarge,
        errno.ENOTEMPTY: DirectoryNotEmpty,
    }
)


def store_error(error: OSError, subject: object) -> StoreError:
    """The store error that says the same; what nobody foresaw is worth another try."""
    kind = _ERRORS.get(error.errno or 0, Unavailable)
    return kind(f"{subject}: {error.strerror or error}")


@contextlib.contextmanager
def mapped(location: Location) -> Iterator[None]:
    """Inside, an `OSError` concerns ``location`` and leaves as a store error."""
    try:
        yield
    except OSError as error:
        raise store_error(error, location) from error
