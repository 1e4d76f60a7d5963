"""One error tree, named for what the catcher can do about it.

Stores raise the first group, and nothing else: whatever a transport or a provider throws is mapped once, in the
store. The file system raises the second group, which ``fuse/translate.py`` turns into errno. ``OSError`` from the
local disk passes through with the errno it has.
"""

from __future__ import annotations

import sqlite3

DISK_ERRORS = (OSError, sqlite3.OperationalError)
"""What a full or broken disk of this machine raises. Who works in the background tries again later.

Anything else that SQLite raises is a mistake of ours, and nothing to pass over quietly.
"""


class CloudfsError(Exception):
    """Base of everything we raise on purpose. ``str()`` of it is a sentence a user can read."""


# --- what a store says ------------------------------------------------------------------------------------------


class StoreError(CloudfsError):
    """A store could not do what it was asked."""


class Unavailable(StoreError):
    """Try again later: no network, a time-out, a 5xx, throttling, an answer that makes no sense.

    ``retry_after`` is the provider's own wish in seconds, if it stated one.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BrokenAnswer(Unavailable):
    """The store answered with something impossible: a short body, a wrong size, a checksum that disagrees."""


class SignInRequired(StoreError):
    """A person has to sign in again; until then nothing works, and nothing is lost."""


class QuotaExceeded(StoreError):
    """The store is full. Parked until there is room."""


class AccessDenied(StoreError):
    """The account or the file permissions of the store forbid it. Parked."""


class StoreReadOnly(AccessDenied):
    """Nothing can be written to this store at all."""


class NotFound(StoreError):
    """There is no such object; also raised by the file system for a missing name."""


class VersionMismatch(StoreError):
    """The object at this place is not the one the caller knew: somebody else changed, replaced or made it."""


class DirectoryNotEmpty(StoreError):
    """A directory to be deleted has entries; also raised by the file system for ``rmdir`` and ``rename``."""


class NameRefused(StoreError):
    """The store cannot hold this name or path even encoded. Parked."""


class Incomplete(StoreError):
    """What is staged is not what the application wrote (the disk was full), so it is not published. Parked."""


class TooLarge(StoreError):
    """More bytes than the store takes in one file; ``EFBIG`` to an application."""


class LocalFailure(CloudfsError):
    """This machine could not do its part of storing something: its disk is full or broken, or we are. Tried again."""


# --- what the file system says to an application ----------------------------------------------------------------


class FileSystemError(CloudfsError):
    """A system call that cannot succeed."""


class AlreadyExists(FileSystemError):
    """``EEXIST``"""


class IsADirectory(FileSystemError):
    """``EISDIR``"""


class NotADirectory(FileSystemError):
    """``ENOTDIR``"""


class InvalidArgument(FileSystemError):
    """``EINVAL``"""


class NameTooLong(FileSystemError):
    """``ENAMETOOLONG``"""


class NotPermitted(FileSystemError):
    """``EPERM``"""


class NoSpace(FileSystemError):
    """``ENOSPC``"""


class NoAttribute(FileSystemError):
    """``ENODATA``: no extended attribute of that name."""


class Unsupported(FileSystemError):
    """``EOPNOTSUPP``: not for this file or name."""


class NotSupported(FileSystemError):
    """``ENOSYS``: the kernel need not ask again."""


# --- what a person at the command line did ------------------------------------------------------------------------


class UsageError(CloudfsError):
    """Bad input from a person: an option, a configuration file, a mountpoint. The message says what to do."""


class StateInUse(UsageError):
    """Another process has this state directory."""
