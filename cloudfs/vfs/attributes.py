"""Attributes: chmod, chown, utimensat, and extended attributes."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.nodes import Node
from cloudfs.errors import InvalidArgument, NoAttribute, NoSpace, NotPermitted, NotSupported, StoreReadOnly, Unsupported
from cloudfs.types import kept_time
from cloudfs.vfs.clock import now_ns
from cloudfs.writeback.health import Health

_SETTLE_NS = 1_000_000_000
_XATTR_NAME_MAX = 255
_XATTR_TOTAL_MAX = 64 << 10
_USER = b"user."
_OURS = b"user.cloudfs."
_STATE = b"user.cloudfs.state"
"""How the file stands with the store. Readable by its name only, so that nobody copies it along with the others."""


@dataclass(frozen=True, slots=True)
class Change:
    """What setattr is to change; None leaves a field alone. Times are ns since the epoch."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None
    ctime_ns: int | None = None


class AttributeChanges:
    """Changes of what is stored beside the bytes. The kernel has checked permissions (``default_permissions``)."""

    def __init__(self, catalog: Catalog, health: Health, changed: Callable[[int], None], *, xattrs: bool) -> None:
        self._catalog = catalog
        self._health = health
        self._changed = changed
        self._xattrs = xattrs

    def change(self, ino: int, change: Change) -> Node:
        """Apply and commit. Raises `StoreReadOnly`, `NotFound`."""
        self._refuse_read_only()
        node = self._catalog.nodes.get(ino)
        now = now_ns()
        ctime = now if change.ctime_ns is None else kept_time(change.ctime_ns)
        changed = self._apply(node, change)
        node.ctime_ns = ctime
        if not changed:
            # The kernel often reports nothing but a ctime, which no store keeps: it is saved with the next change.
            return node
        node.attrs += 1
        if node.modified:
            # In the middle of being written: saved when the file is flushed, and pending already.
            return node
        with self._catalog:
            self._catalog.nodes.save(node)
            self._catalog.links.touch_settled(ino, now + _SETTLE_NS)
        self._changed(now + _SETTLE_NS)
        return node

    def _apply(self, node: Node, change: Change) -> bool:
        """Whether anything is different now."""
        before = (node.mode, node.uid, node.gid, node.mtime_ns, node.atime_ns)
        if change.mode is not None:
            node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(change.mode)
        if change.uid is not None or change.gid is not None:
            self._chown(node, change)
        if change.atime_ns is not None:
            node.atime_ns = kept_time(change.atime_ns)
        if change.mtime_ns is not None:
            node.mtime_ns = kept_time(change.mtime_ns)
        return before != (node.mode, node.uid, node.gid, node.mtime_ns, node.atime_ns)

    def _chown(self, node: Node, change: Change) -> None:
        """A new owner takes the set-id bits of a file away, as on every local file system."""
        node.uid = node.uid if change.uid is None else change.uid
        node.gid = node.gid if change.gid is None else change.gid
        if not node.is_directory and change.mode is None:
            node.mode &= ~stat.S_ISUID
            if node.mode & stat.S_IXGRP:
                node.mode &= ~stat.S_ISGID

    def drop_setid(self, ino: int) -> None:
        """Truncation by somebody who is not root takes the set-id bits away."""
        node = self._catalog.nodes.get(ino)
        group = stat.S_ISGID if node.mode & stat.S_IXGRP else 0
        if node.mode & (stat.S_ISUID | group):
            self.change(ino, Change(mode=node.mode & ~(stat.S_ISUID | group)))

    # --- extended attributes -----------------------------------------------------------------------------------------

    def get_xattr(self, ino: int, name: bytes) -> bytes:
        """Raises `NoAttribute`; `NotSupported` unless they are switched on, which the kernel remembers."""
        self._refuse_xattrs()
        if name == _STATE:
            return str(self._catalog.pending.standing(ino).condition).encode()
        value = self._catalog.xattrs.get(ino, name) if name.startswith(_USER) else None
        if value is None:
            raise NoAttribute("no such extended attribute")
        return value

    def list_xattrs(self, ino: int) -> list[bytes]:
        self._refuse_xattrs()
        return [name for name, _value in self._catalog.xattrs.all(ino)]

    def set_xattr(self, ino: int, name: bytes, value: bytes) -> None:
        """``user.*`` only; at most 64 KiB a file."""
        self._refuse_xattrs()
        self._refuse_read_only()
        if not name.startswith(_USER):
            raise Unsupported("only user.* attributes are kept")
        if name == _USER:
            raise InvalidArgument("the attribute has no name")
        if name.startswith(_OURS):
            raise NotPermitted("these attributes are what the mount says")
        if len(name) > _XATTR_NAME_MAX:
            raise InvalidArgument("the name of the attribute is too long")
        others = sum(len(n) + len(v) for n, v in self._catalog.xattrs.all(ino) if n != name)
        if others + len(name) + len(value) > _XATTR_TOTAL_MAX:
            raise NoSpace("a file has at most 64 KiB of extended attributes")
        with self._catalog:
            self._catalog.xattrs.set(ino, name, value)
            self._xattrs_changed(ino)

    def remove_xattr(self, ino: int, name: bytes) -> None:
        self._refuse_xattrs()
        self._refuse_read_only()
        with self._catalog:
            if not self._catalog.xattrs.remove(ino, name):
                raise NoAttribute("no such extended attribute")
            self._xattrs_changed(ino)

    def _xattrs_changed(self, ino: int) -> None:
        node = self._catalog.nodes.get(ino)
        node.ctime_ns = now_ns()
        node.attrs += 1
        self._catalog.nodes.save(node)
        self._catalog.links.touch_settled(ino, node.ctime_ns + _SETTLE_NS)
        self._changed(node.ctime_ns + _SETTLE_NS)

    def _refuse_xattrs(self) -> None:
        if not self._xattrs:
            raise NotSupported("extended attributes are off; mount with -o xattr")

    def _refuse_read_only(self) -> None:
        if self._health.read_only:
            raise StoreReadOnly("the store is read-only")
