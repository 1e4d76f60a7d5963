"""Attributes as a local store keeps them: the file system's own, and notes for what an ordinary user may not set.

Without privileges a file cannot be given away, a device cannot be made, and a file or directory that locks its owner
out would lock out the store as well. Then the nearest thing is done and the truth kept in extended attributes, each
beside what the disk said at that time: once somebody changes the disk by hand, the note is void. A privileged store
neither writes nor believes such notes, because anybody who may write a file may write a note that makes it setuid.
Where the file system has no extended attributes there are no notes, and none of the user's own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping

from cloudfs.errors import AccessDenied
from cloudfs.stores.base import Entry
from cloudfs.stores.local.tree import Place, proc_path
from cloudfs.types import Attributes

_USER = b"user."
_NOTES = b"user.cloudfs."
_MODE = b"user.cloudfs.mode"
"""``0400=0600``: permission bits, and those on disk."""
_OWNER = b"user.cloudfs.owner"
"""``0:0=1000:1000``: uid and gid, and those on disk."""
_SPECIAL = b"user.cloudfs.special"
"""``060000:8:1``: an empty file stands for a device of this type, major and minor number."""

_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})
_UNREADABLE = frozenset({errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENODATA}) | _UNSUPPORTED


def _missing_for_owner(mode: int) -> int:
    """The bits that a mode lacks for its owner to go on working with the object."""
    if stat.S_ISDIR(mode):
        return ~mode & 0o700
    return ~mode & 0o600 if stat.S_ISREG(mode) else 0


class LocalAttributes:
    """Reads and writes the attributes of objects. Blocks; raises `OSError`, and `AccessDenied` for what cannot be."""

    def __init__(self, uid: int) -> None:
        """``uid`` is who does it: 0 is privileged."""
        self._uid = uid

    @property
    def takes_notes(self) -> bool:
        """Whether what is not permitted is noted instead."""
        return self._uid != 0

    def entry(self, place: Place, name: bytes, status: os.stat_result) -> Entry:
        """What is at ``place``, whose ``status`` was just taken, as a store says it."""
        attributes = self.read(place, status)
        return Entry(
            name=name,
            is_directory=attributes.is_directory,
            size=status.st_size if attributes.is_regular else 0,
            version=place.version(status),
            mtime_ns=status.st_mtime_ns,
            attributes=attributes,
        )

    def read(self, place: Place, status: os.stat_result) -> Attributes:
        xattrs = _user_xattrs(place.path) if _can_have_xattrs(status) else {}
        mode, rdev, owner = status.st_mode, status.st_rdev, (status.st_uid, status.st_gid)
        if self._uid and status.st_uid == self._uid:
            mode = stat.S_IFMT(mode) | _noted_mode(xattrs, stat.S_IMODE(mode))
            owner = _noted_owner(xattrs, owner)
            kind, rdev = _noted_device(xattrs, status)
            mode = kind | stat.S_IMODE(mode)
        linked = status.st_nlink > 1 and not stat.S_ISDIR(mode)
        return Attributes(
            mode=mode,
            uid=owner[0],
            gid=owner[1],
            mtime_ns=status.st_mtime_ns,
            rdev=rdev if _is_device(mode) else 0,
            target=os.readlink(place.name, dir_fd=place.directory) if stat.S_ISLNK(mode) else b"",
            link_group=f"{status.st_dev:x}:{place.identity(status)}" if linked else "",
            xattrs=tuple(sorted(item for item in xattrs.items() if not item[0].startswith(_NOTES))),
        )

    def write(self, fd: int, attributes: Attributes) -> None:
        """Give them to the object that ``fd`` (also with O_PATH) stands for, whose type stays what it is."""
        path = proc_path(fd)
        before = os.fstat(fd)
        if (before.st_uid, before.st_gid) != (attributes.uid, attributes.gid):
            self._change_owner(path, attributes)
        if not stat.S_ISLNK(before.st_mode):
            self._change_mode(fd, attributes)
        status = os.fstat(fd)
        if _can_have_xattrs(status):
            _write_xattrs(path, attributes, self._notes(status, attributes))
        if status.st_mtime_ns != attributes.mtime_ns:
            os.utime(path, ns=(status.st_atime_ns, attributes.mtime_ns))

    def _change_owner(self, path: bytes, attributes: Attributes) -> None:
        """As far as it is permitted: an ordinary user may choose among groups, some file systems know no owners."""
        with contextlib.suppress(PermissionError):
            os.chown(path, attributes.uid, attributes.gid)
            return
        with contextlib.suppress(PermissionError):
            os.chown(path, -1, attributes.gid)

    def _change_mode(self, fd: int, attributes: Attributes) -> None:
        status = os.fstat(fd)
        mode = stat.S_IMODE(attributes.mode)
        if self._uid:
            mode |= _missing_for_owner(stat.S_IFMT(status.st_mode) | mode)
        if stat.S_IMODE(status.st_mode) == mode:
            return
        try:
            os.chmod(proc_path(fd), mode)
        except PermissionError:
            # Ours, so it is the file system that cannot express the mode.
            if self._uid not in (0, status.st_uid):
                raise

    def _notes(self, status: os.stat_result, attributes: Attributes) -> dict[bytes, bytes]:
        """What has to be remembered because the disk says something else."""
        if not self.takes_notes:
            return {}
        notes = {}
        mode, disk = stat.S_IMODE(attributes.mode), stat.S_IMODE(status.st_mode)
        if mode != disk:
            notes[_MODE] = b"%04o=%04o" % (mode, disk)
        if (attributes.uid, attributes.gid) != (status.st_uid, status.st_gid):
            numbers = (attributes.uid, attributes.gid, status.st_uid, status.st_gid)
            notes[_OWNER] = b"%d:%d=%d:%d" % numbers
        if _is_device(attributes.mode) and stat.S_ISREG(status.st_mode):
            device = (stat.S_IFMT(attributes.mode), os.major(attributes.rdev), os.minor(attributes.rdev))
            notes[_SPECIAL] = b"%06o:%d:%d" % device
        return notes


def _is_device(mode: int) -> bool:
    return stat.S_ISBLK(mode) or stat.S_ISCHR(mode)


def _can_have_xattrs(status: os.stat_result) -> bool:
    """The kernel allows user attributes on these alone."""
    return stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)


# --- notes, as anybody may have written them ---------------------------------------------------------------------


def _noted_mode(xattrs: Mapping[bytes, bytes], disk: int) -> int:
    with contextlib.suppress(KeyError, ValueError):
        mode, then = (int(number, 8) for number in xattrs[_MODE].split(b"="))
        if then == disk:
            return stat.S_IMODE(mode)
    return disk


def _noted_owner(xattrs: Mapping[bytes, bytes], disk: tuple[int, int]) -> tuple[int, int]:
    with contextlib.suppress(KeyError, ValueError):
        uid, gid, *then = (int(number) for number in xattrs[_OWNER].replace(b"=", b":").split(b":"))
        if tuple(then) == disk and 0 <= uid < 1 << 32 and 0 <= gid < 1 << 32:
            return uid, gid
    return disk


def _noted_device(xattrs: Mapping[bytes, bytes], status: os.stat_result) -> tuple[int, int]:
    """The type and the device number."""
    with contextlib.suppress(KeyError, ValueError):
        kind, *numbers = xattrs[_SPECIAL].split(b":")
        major, minor = map(int, numbers)
        stands_for_one = _is_device(int(kind, 8)) and stat.S_ISREG(status.st_mode) and status.st_size == 0
        if stands_for_one and 0 <= major < 1 << 12 and 0 <= minor < 1 << 20:
            return stat.S_IFMT(int(kind, 8)), os.makedev(major, minor)
    return stat.S_IFMT(status.st_mode), status.st_rdev


# --- extended attributes -----------------------------------------------------------------------------------------


def _user_xattrs(path: bytes) -> dict[bytes, bytes]:
    """All of the ``user`` namespace, notes too; none where they cannot be had."""
    found: dict[bytes, bytes] = {}
    try:
        for name in map(os.fsencode, os.listxattr(path, follow_symlinks=False)):
            if name.startswith(_USER):
                found[name] = os.getxattr(path, name, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
    return found


def _write_xattrs(path: bytes, attributes: Attributes, notes: Mapping[bytes, bytes]) -> None:
    """Make the user attributes what they shall be. ``path`` is one of `proc_path`, and followed."""
    wanted = {name: value for name, value in attributes.xattrs if name.startswith(_USER)}
    wanted = {name: value for name, value in wanted.items() if not name.startswith(_NOTES)}
    wanted.update(notes)
    try:
        present = {name for name in map(os.fsencode, os.listxattr(path)) if name.startswith(_USER)}
        for name in present - wanted.keys():
            os.removexattr(path, name)
        for name, value in wanted.items():
            os.setxattr(path, name, value)
    except OSError as error:
        size = sum(len(name) + len(value) for name, value in wanted.items())
        if _is_too_large(error, path, size):
            raise AccessDenied(
                f"the file has {size} bytes of extended attributes, more than the store's file system takes"
            ) from error
        if error.errno not in _UNSUPPORTED:
            raise
        if _SPECIAL in notes:
            raise AccessDenied("devices need privileges, or a file system with extended attributes") from error


def _is_too_large(error: OSError, path: bytes, size: int) -> bool:
    """Whether a file cannot have so many bytes of attributes. Some say then that the disk is full, and it is not."""
    if error.errno == errno.ENOSPC:
        space = os.statvfs(path)
        return space.f_bavail * space.f_frsize > size
    return error.errno == errno.E2BIG
