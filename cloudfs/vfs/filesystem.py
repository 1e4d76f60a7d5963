"""The file system without FUSE: the collaborators of one mount, and what needs more than one of them."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.nodes import Node
from cloudfs.errors import NameTooLong, NotFound
from cloudfs.types import NAME_MAX
from cloudfs.vfs.attributes import AttributeChanges, Change
from cloudfs.vfs.capacity import Capacity
from cloudfs.vfs.clock import now_ns
from cloudfs.vfs.directories import Directories
from cloudfs.vfs.files import Files
from cloudfs.vfs.namespace import Namespace
from cloudfs.vfs.pulse import Pulse


@dataclass(frozen=True, slots=True)
class FileSystem:
    """Everything an adapter needs. ``default_permissions`` are the kernel's business, names and bytes are ours."""

    catalog: Catalog
    directories: Directories
    namespace: Namespace
    attributes: AttributeChanges
    files: Files
    capacity: Capacity
    pulse: Pulse

    def node(self, ino: int) -> Node:
        """Raises `NotFound`."""
        return self.catalog.nodes.get(ino)

    async def lookup(self, parent: int, name: bytes) -> Node | None:
        """The node of a name, None if there is none. Raises `NameTooLong`, `Unavailable` for an unknown directory."""
        if len(name) > NAME_MAX:
            raise NameTooLong("names have at most 255 bytes")
        if name == b".":
            return self.node(parent)
        if name == b"..":
            return self.node(self.catalog.links.directory(parent).parent or parent)
        return await self.directories.lookup(parent, name)

    async def rmdir(self, parent: int, name: bytes) -> None:
        """Remove a directory that is empty at the store too."""
        node = await self.lookup(parent, name)
        if node is not None and node.is_directory:
            await self.directories.known(node.ino)
        self.namespace.rmdir(parent, name)

    async def rename(self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int) -> None:
        """rename(2); a directory that is to be replaced is known first."""
        await self.directories.known(parent)
        await self.directories.known(new_parent)
        target = self.catalog.links.lookup(new_parent, new_name)
        if target is not None and self.node(target).is_directory:
            await self.directories.known(target)
        self.namespace.rename(parent, name, new_parent, new_name, flags)

    async def set_attributes(self, ino: int, change: Change, size: int | None, *, privileged: bool) -> Node:
        """chmod, chown, utimensat and truncate, in any combination the kernel likes."""
        if size is not None:
            await self.files.prepare_truncate(ino, size)
            differs = self.node(ino).size != size
            self.files.truncate(ino, size)
            if not privileged:
                self.attributes.drop_setid(ino)
            if differs and change.mtime_ns is None:  # if not, the kernel goes on showing the time that it knows
                now = now_ns()
                change = Change(change.mode, change.uid, change.gid, change.atime_ns, now, now)
        return self.attributes.change(ino, change)

    def open(self, ino: int, flags: int, *, privileged: bool) -> int:
        """A handle for a regular file. The kernel leaves all of ``O_TRUNC`` to us."""
        if flags & os.O_TRUNC and not privileged:
            self.attributes.drop_setid(ino)
        return self.files.open(ino, flags)

    def forget(self, ino: int) -> None:
        """The kernel does not remember this inode any more."""
        if self.catalog.forgotten(ino):
            self.files.let_go(ino)

    def parent_of(self, ino: int) -> Node:
        """The directory above a directory; the root's is itself."""
        try:
            return self.node(self.catalog.links.directory(ino).parent or ino)
        except NotFound:
            return self.node(ino)
