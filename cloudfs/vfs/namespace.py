"""Names: creating, linking, renaming and removing. Plain functions on the catalogue; nothing here waits."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.nodes import Node
from cloudfs.errors import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    NameTooLong,
    NotADirectory,
    NotFound,
    NotPermitted,
    StoreReadOnly,
)
from cloudfs.types import NAME_MAX
from cloudfs.vfs.clock import now_ns
from cloudfs.writeback.health import Health

NOREPLACE = 1
EXCHANGE = 2
CHANGE_NS = 1_000_000_000
"""What is created or renamed is left alone for so long before the store hears of it."""
_DIRECTORY_NS = 2_000_000_000
_SWAPPING = b"/swap"
"""No name of an entry can contain a slash, so this one is free."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who makes a new file."""

    uid: int
    gid: int


class Namespace:
    """The desired tree, changed by applications. The directories involved are known (`Directories.known`).

    Every method commits before it returns (making a regular file: a moment later): the change survives ``kill -9``.
    """

    def __init__(
        self,
        catalog: Catalog,
        health: Health,
        changed: Callable[[int], None],
        *,
        record_groups: bool,
    ) -> None:
        """``changed(due_ns)``: there is work for the uploader. ``record_groups``: the store keeps no hard links."""
        self._catalog = catalog
        self._nodes = catalog.nodes
        self._links = catalog.links
        self._health = health
        self._changed = changed
        self._record_groups = record_groups

    # --- making ------------------------------------------------------------------------------------------------------

    def make(
        self, parent: int, name: bytes, mode: int, owner: Owner, *, rdev: int = 0, target: bytes | None = None
    ) -> Node:
        """A new file of any type. Raises `AlreadyExists`, `NameTooLong`, `StoreReadOnly`."""
        directory = self._open_directory(parent, name)
        if self._links.lookup(parent, name) is not None:
            raise AlreadyExists("the name is taken")
        now = now_ns()
        is_directory = stat.S_ISDIR(mode)
        gid = owner.gid
        if directory.mode & stat.S_ISGID:
            gid = directory.gid
            mode |= stat.S_ISGID if is_directory else 0
        # A regular file promises nothing before it is closed.
        with self._catalog.lazily() if stat.S_ISREG(mode) else self._catalog:
            node = self._nodes.insert(
                mode=mode,
                uid=owner.uid,
                gid=gid,
                mtime_ns=now,
                now_ns=now,
                rdev=rdev,
                size=len(target or b""),
                target=target,
                listed_ns=now if is_directory else None,
            )
            self._links.add(parent, name, node.ino, now + CHANGE_NS)
            directory.nlink += is_directory
            self._touch_directory(directory, now)
        self._changed(now + CHANGE_NS)
        return node

    def link(self, ino: int, parent: int, name: bytes) -> Node:
        """Another name for a file. Raises `AlreadyExists`, `NotPermitted` for a directory."""
        directory = self._open_directory(parent, name)
        node = self._nodes.get(ino)
        if node.is_directory:
            raise NotPermitted("directories have one name")
        if self._links.lookup(parent, name) is not None:
            raise AlreadyExists("the name is taken")
        now = now_ns()
        with self._catalog:
            if self._record_groups and not node.link_group:
                node.link_group = self._catalog.new_group(ino)
                node.attrs += 1
                self._links.touch(ino, now + CHANGE_NS)
            self._links.add(parent, name, ino, now + CHANGE_NS)
            node.nlink += 1
            node.ctime_ns = now
            self._nodes.save(node)
            self._touch_directory(directory, now)
        self._changed(now + CHANGE_NS)
        return node

    # --- removing ----------------------------------------------------------------------------------------------------

    def unlink(self, parent: int, name: bytes) -> None:
        """Remove a name of anything but a directory. Raises `NotFound`, `IsADirectory`."""
        directory, link, node = self._existing(parent, name)
        if node.is_directory:
            raise IsADirectory("use rmdir")
        now = now_ns()
        with self._catalog:
            self._remove(link, node, now)
            self._touch_directory(directory, now)
        self._changed(now + CHANGE_NS)

    def rmdir(self, parent: int, name: bytes) -> None:
        """Remove an empty, known directory. Raises `NotFound`, `NotADirectory`, `DirectoryNotEmpty`."""
        directory, link, node = self._existing(parent, name)
        if not node.is_directory:
            raise NotADirectory("use unlink")
        if not self._links.is_empty(node.ino):
            raise DirectoryNotEmpty("the directory is not empty")
        now = now_ns()
        with self._catalog:
            self._remove(link, node, now)
            directory.nlink -= 1
            self._touch_directory(directory, now)
        self._changed(now + CHANGE_NS)

    def _remove(self, link: Link, node: Node, now: int) -> None:
        self._links.doom(link, now + CHANGE_NS)
        self._lose_name(node, now)

    def _lose_name(self, node: Node, now: int) -> None:
        node.nlink = 0 if node.is_directory else node.nlink - 1
        node.ctime_ns = now
        self._nodes.save(node)
        if node.nlink == 0:
            self._catalog.orphaned(node.ino)

    # --- renaming ----------------------------------------------------------------------------------------------------

    def rename(self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int) -> None:
        """rename(2) and renameat2(2) with NOREPLACE and EXCHANGE; the target directory, if one, is known."""
        source, link, node = self._existing(parent, name)
        target = self._open_directory(new_parent, new_name)
        if flags not in (0, NOREPLACE, EXCHANGE):
            raise InvalidArgument("unknown flags of renameat2")
        if node.is_directory and self._links.is_inside(new_parent, node.ino):
            raise InvalidArgument("a directory cannot be moved into itself")
        other = self._links.find(new_parent, new_name)
        if flags == EXCHANGE:
            if other is None:
                raise NotFound("there is nothing to exchange with")
            self._exchange(source, link, node, target, other)
        elif other is None or other.ino != link.ino:
            if other is not None and flags == NOREPLACE:
                raise AlreadyExists("the name is taken")
            self._rename(source, link, node, target, new_name, other)
        elif flags == NOREPLACE:
            raise AlreadyExists("the name is taken")

    def _rename(self, source: Node, link: Link, node: Node, target: Node, new_name: bytes, other: Link | None) -> None:
        victim = self._nodes.get(other.ino) if other is not None else None
        if victim is not None:
            self._check_replaceable(node, victim)
        now = now_ns()
        with self._catalog:
            if other is not None and victim is not None:
                self._make_way(link, other, node, victim, now)
                target.nlink -= victim.is_directory
            self._links.move(link.id, target.ino, new_name, now + CHANGE_NS)
            node.ctime_ns = now
            self._nodes.save(node)
            if node.is_directory and source is not target:
                source.nlink -= 1
                target.nlink += 1
            self._touch_directories(source, target, now)
        self._changed(now + CHANGE_NS)

    def _check_replaceable(self, node: Node, victim: Node) -> None:
        if victim.is_directory and not node.is_directory:
            raise IsADirectory("a file cannot replace a directory")
        if node.is_directory and not victim.is_directory:
            raise NotADirectory("a directory cannot replace a file")
        if victim.is_directory and not self._links.is_empty(victim.ino):
            raise DirectoryNotEmpty("the directory is not empty")

    def _make_way(self, link: Link, other: Link, node: Node, victim: Node, now: int) -> None:
        """The victim's name goes. Its object, if ours has none yet, is where our bytes will be sent."""
        busy = self._links.is_claimed(link.id, self._links.tick) or self._links.is_claimed(other.id, self._links.tick)
        alone = victim.nlink == 1 and not self._catalog.is_held(victim.ino)
        inherits = not link.stored and other.stored and other.in_place and not node.is_directory and not busy and alone
        if inherits:
            self._links.take_place(link.id, other, now)
        else:
            self._links.doom(other, now + CHANGE_NS)
        self._lose_name(victim, now)

    def _exchange(self, source: Node, link: Link, node: Node, target: Node, other: Link) -> None:
        other_node = self._nodes.get(other.ino)
        if other_node.is_directory and self._links.is_inside(source.ino, other_node.ino):
            raise InvalidArgument("a directory cannot be moved into itself")
        assert link.name is not None and other.name is not None
        now = now_ns()
        with self._catalog:
            self._links.move(link.id, target.ino, _SWAPPING, now)
            self._links.move(other.id, source.ino, link.name, now + CHANGE_NS)
            self._links.move(link.id, target.ino, other.name, now + CHANGE_NS)
            for each in (node, other_node):
                each.ctime_ns = now
                self._nodes.save(each)
            change = node.is_directory - other_node.is_directory
            if source is not target:
                target.nlink += change
                source.nlink -= change
            self._touch_directories(source, target, now)
        self._changed(now + CHANGE_NS)

    # --- the directories involved ------------------------------------------------------------------------------------

    def _open_directory(self, ino: int, name: bytes) -> Node:
        """The node of a directory in which ``name`` is about to change."""
        if self._health.read_only:
            raise StoreReadOnly("the store is read-only")
        if len(name) > NAME_MAX:
            raise NameTooLong("names have at most 255 bytes")
        node = self._nodes.get(ino)
        if not node.is_directory:
            raise NotADirectory("not a directory")
        if node.nlink == 0:
            raise NotFound("the directory has been removed")
        return node

    def _existing(self, parent: int, name: bytes) -> tuple[Node, Link, Node]:
        directory = self._open_directory(parent, name)
        link = self._links.find(parent, name)
        if link is None:
            raise NotFound("no such name")
        return directory, link, self._nodes.get(link.ino)

    def _touch_directories(self, source: Node, target: Node, now: int) -> None:
        self._touch_directory(source, now)
        if target is not source:
            self._touch_directory(target, now)

    def _touch_directory(self, directory: Node, now: int) -> None:
        directory.mtime_ns = directory.ctime_ns = now
        directory.attrs += 1
        self._nodes.save(directory)
        self._links.touch_idle(directory.ino, now + _DIRECTORY_NS)
