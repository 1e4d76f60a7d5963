"""The floor: a FUSE file system in Python that stores bytes in memory, and does nothing else.

Whatever cloudfs needs beyond this is ours; whatever this needs, the kernel, libfuse, pyfuse3 and trio need. So it is
written to be fast: one task, no locks, attributes kept in the form in which pyfuse3 sends them, an inode's number as
a file's handle. It is a whole file system all the same: ``tar``, ``rsync -aH`` and ``git`` work on it.

Run it with ``python -m benchmarks.floor MOUNTPOINT``; it ends with the unmount or with SIGTERM.
"""

from __future__ import annotations

import errno
import itertools
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyfuse3
import trio
from pyfuse3 import EntryAttributes, FileInfo, FUSEError, ReaddirToken, RequestContext, SetattrFields, StatvfsData

FOREVER = 86400
BLOCK = 4096
SMALL = 1 << 18
FREE_BLOCKS = 1 << 28


class Content:
    """The bytes of a file: in a bytearray while they are few, then in a memory file (memfd).

    A bytearray needs no descriptor, but twice the time once it is large: fresh pages are dearer to a process than to
    the kernel.
    """

    __slots__ = ("_memory", "_small")

    def __init__(self) -> None:
        self._small = bytearray()
        self._memory: int | None = None

    def read(self, start: int, size: int) -> bytes:
        if self._memory is None:
            return bytes(self._small[start : start + size])
        return os.pread(self._memory, size, start)

    def write(self, start: int, data: bytes) -> int:
        """Returns where the data ends."""
        stop = start + len(data)
        if self._memory is None and stop <= SMALL:
            if start > len(self._small):
                self._small.extend(bytes(start - len(self._small)))
            self._small[start:stop] = data
        else:
            os.pwrite(self._file(), data, start)
        return stop

    def truncate(self, size: int) -> None:
        if self._memory is None and size <= SMALL:
            del self._small[size:]
            self._small.extend(bytes(size - len(self._small)))
        else:
            os.ftruncate(self._file(), size)

    def close(self) -> None:
        if self._memory is not None:
            os.close(self._memory)

    def _file(self) -> int:
        if self._memory is None:
            self._memory = os.memfd_create("floor")
            os.pwrite(self._memory, self._small, 0)
            self._small.clear()
        return self._memory


@dataclass(slots=True)
class Node:
    """An inode. ``entries`` belongs to directories, ``target`` to symbolic links."""

    attributes: EntryAttributes
    entries: dict[bytes, int] = field(default_factory=dict)
    content: Content = field(default_factory=Content)
    target: bytes = b""
    lookups: int = 0


def attributes_of(inode: int, mode: int, context: RequestContext | None, rdev: int = 0) -> EntryAttributes:
    attributes = EntryAttributes()
    attributes.st_ino = inode
    attributes.st_mode = mode
    attributes.st_nlink = 2 if stat.S_ISDIR(mode) else 1
    attributes.st_uid = context.uid if context else os.getuid()
    attributes.st_gid = context.gid if context else os.getgid()
    attributes.st_rdev = rdev
    attributes.entry_timeout = attributes.attr_timeout = FOREVER
    now = time.time_ns()
    attributes.st_atime_ns = attributes.st_mtime_ns = attributes.st_ctime_ns = now
    return attributes


class Floor(pyfuse3.Operations):
    """Every operation is answered from dictionaries. Permissions are the kernel's (``default_permissions``)."""

    enable_writeback_cache = True

    def __init__(self) -> None:
        super().__init__()
        root = Node(attributes_of(pyfuse3.ROOT_INODE, stat.S_IFDIR | 0o755, None))
        self._nodes: dict[int, Node] = {pyfuse3.ROOT_INODE: root}
        self._listings: dict[int, tuple[int, list[tuple[bytes, int]]]] = {}
        self._numbers = itertools.count(pyfuse3.ROOT_INODE + 1)

    # --- names ------------------------------------------------------------------------------------------------

    async def lookup(self, parent_inode: int, name: bytes, ctx: RequestContext) -> EntryAttributes:
        inode = self._nodes[parent_inode].entries.get(name)
        if inode is None:
            return self._absent()
        node = self._nodes[inode]
        node.lookups += 1
        return node.attributes

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        for inode, count in inode_list:
            node = self._nodes[inode]
            node.lookups -= count
            self._drop_if_unused(inode, node)

    async def create(
        self, parent_inode: int, name: bytes, mode: int, flags: int, ctx: RequestContext
    ) -> tuple[FileInfo, EntryAttributes]:
        attributes = self._add(parent_inode, name, mode, ctx)
        return FileInfo(fh=attributes.st_ino), attributes

    async def mknod(self, parent_inode: int, name: bytes, mode: int, rdev: int, ctx: RequestContext) -> EntryAttributes:
        return self._add(parent_inode, name, mode, ctx, rdev=rdev)

    async def mkdir(self, parent_inode: int, name: bytes, mode: int, ctx: RequestContext) -> EntryAttributes:
        self._nodes[parent_inode].attributes.st_nlink += 1
        return self._add(parent_inode, name, mode, ctx)

    async def symlink(self, parent_inode: int, name: bytes, target: bytes, ctx: RequestContext) -> EntryAttributes:
        return self._add(parent_inode, name, stat.S_IFLNK | 0o777, ctx, target=target)

    async def link(self, inode: int, new_parent_inode: int, new_name: bytes, ctx: RequestContext) -> EntryAttributes:
        node, parent = self._nodes[inode], self._nodes[new_parent_inode]
        parent.entries[new_name] = inode
        node.lookups += 1
        node.attributes.st_nlink += 1
        node.attributes.st_ctime_ns = self._touch(parent)
        return node.attributes

    async def unlink(self, parent_inode: int, name: bytes, ctx: RequestContext) -> None:
        parent = self._nodes[parent_inode]
        self._touch(parent)
        self._unlink(parent, parent.entries.pop(name))

    async def rmdir(self, parent_inode: int, name: bytes, ctx: RequestContext) -> None:
        parent = self._nodes[parent_inode]
        self._require_empty(parent.entries[name])
        self._touch(parent)
        self._unlink(parent, parent.entries.pop(name))

    async def rename(
        self,
        parent_inode_old: int,
        name_old: bytes,
        parent_inode_new: int,
        name_new: bytes,
        flags: int,
        ctx: RequestContext,
    ) -> None:
        old, new = self._nodes[parent_inode_old], self._nodes[parent_inode_new]
        moved, replaced = old.entries[name_old], new.entries.get(name_new)
        if replaced is None:
            del old.entries[name_old]
        elif flags & pyfuse3.RENAME_EXCHANGE:
            old.entries[name_old] = replaced
            self._move(replaced, new, old)
        elif flags & pyfuse3.RENAME_NOREPLACE:
            raise FUSEError(errno.EEXIST)
        else:
            self._require_empty(replaced)
            del old.entries[name_old]
            self._unlink(new, replaced)
        new.entries[name_new] = moved
        self._move(moved, old, new)

    async def readlink(self, inode: int, ctx: RequestContext) -> bytes:
        return self._nodes[inode].target

    async def opendir(self, inode: int, ctx: RequestContext) -> int:
        handle = next(self._numbers)
        self._listings[handle] = inode, []
        return handle

    async def readdir(self, fh: int, start_id: int, token: ReaddirToken) -> None:
        inode, listing = self._listings[fh]
        if start_id == 0:
            listing[:] = self._nodes[inode].entries.items()
        for position in range(start_id, len(listing)):
            name, child = listing[position]
            node = self._nodes.get(child)
            if node is None:
                continue
            if not pyfuse3.readdir_reply(token, name, node.attributes, position + 1):
                return
            node.lookups += 1

    async def releasedir(self, fh: int) -> None:
        del self._listings[fh]

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        pass

    # --- attributes -------------------------------------------------------------------------------------------

    async def getattr(self, inode: int, ctx: RequestContext) -> EntryAttributes:
        return self._nodes[inode].attributes

    async def setattr(
        self, inode: int, attr: EntryAttributes, fields: SetattrFields, fh: int | None, ctx: RequestContext
    ) -> EntryAttributes:
        node = self._nodes[inode]
        attributes = node.attributes
        if fields.update_size:
            node.content.truncate(attr.st_size)
            self._set_size(node, attr.st_size)
        if fields.update_mode:
            attributes.st_mode = attr.st_mode
        if fields.update_uid:
            attributes.st_uid = attr.st_uid
        if fields.update_gid:
            attributes.st_gid = attr.st_gid
        if fields.update_atime:
            attributes.st_atime_ns = attr.st_atime_ns
        if fields.update_mtime:
            attributes.st_mtime_ns = attr.st_mtime_ns
        attributes.st_ctime_ns = attr.st_ctime_ns if fields.update_ctime else time.time_ns()
        return attributes

    async def statfs(self, ctx: RequestContext) -> StatvfsData:
        answer = StatvfsData()
        answer.f_bsize = answer.f_frsize = BLOCK
        answer.f_blocks = answer.f_bfree = answer.f_bavail = FREE_BLOCKS
        answer.f_files = answer.f_ffree = answer.f_favail = FREE_BLOCKS
        answer.f_namemax = 255
        return answer

    # --- content ----------------------------------------------------------------------------------------------

    async def open(self, inode: int, flags: int, ctx: RequestContext) -> FileInfo:
        return FileInfo(fh=inode)

    async def read(self, fh: int, off: int, size: int) -> bytes:
        return self._nodes[fh].content.read(off, size)

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        node = self._nodes[fh]
        stop = node.content.write(off, buf)
        if stop > node.attributes.st_size:
            self._set_size(node, stop)
        return len(buf)

    async def flush(self, fh: int) -> None:
        """Answered, though ENOSYS would save the request: cloudfs needs it, to make ``close()`` durable."""

    async def release(self, fh: int) -> None:
        pass

    async def fsync(self, fh: int, datasync: bool) -> None:
        pass

    # --- bookkeeping ------------------------------------------------------------------------------------------

    def _absent(self) -> EntryAttributes:
        """A negative entry: the kernel remembers that there is no such name."""
        attributes = EntryAttributes()
        attributes.st_ino = 0
        attributes.entry_timeout = FOREVER
        return attributes

    def _add(
        self, parent_inode: int, name: bytes, mode: int, context: RequestContext, *, target: bytes = b"", rdev: int = 0
    ) -> EntryAttributes:
        parent = self._nodes[parent_inode]
        if name in parent.entries:
            raise FUSEError(errno.EEXIST)
        inode = next(self._numbers)
        attributes = attributes_of(inode, mode, context, rdev)
        if parent.attributes.st_mode & stat.S_ISGID:
            attributes.st_gid = parent.attributes.st_gid
            attributes.st_mode |= stat.S_ISGID if stat.S_ISDIR(mode) else 0
        attributes.st_size = len(target)
        parent.attributes.st_mtime_ns = parent.attributes.st_ctime_ns = attributes.st_ctime_ns
        parent.entries[name] = inode
        self._nodes[inode] = Node(attributes, target=target, lookups=1)
        return attributes

    def _touch(self, directory: Node) -> int:
        now = time.time_ns()
        directory.attributes.st_mtime_ns = directory.attributes.st_ctime_ns = now
        return now

    def _require_empty(self, inode: int) -> None:
        if self._nodes[inode].entries:
            raise FUSEError(errno.ENOTEMPTY)

    def _unlink(self, parent: Node, inode: int) -> None:
        node = self._nodes[inode]
        attributes = node.attributes
        attributes.st_ctime_ns = time.time_ns()
        if stat.S_ISDIR(attributes.st_mode):
            parent.attributes.st_nlink -= 1
            attributes.st_nlink = 0
        else:
            attributes.st_nlink -= 1
        self._drop_if_unused(inode, node)

    def _move(self, inode: int, old: Node, new: Node) -> None:
        node = self._nodes[inode]
        node.attributes.st_ctime_ns = self._touch(old)
        self._touch(new)
        if stat.S_ISDIR(node.attributes.st_mode):
            old.attributes.st_nlink -= 1
            new.attributes.st_nlink += 1

    def _drop_if_unused(self, inode: int, node: Node) -> None:
        if node.lookups <= 0 and node.attributes.st_nlink <= 0:
            del self._nodes[inode]
            node.content.close()

    def _set_size(self, node: Node, size: int) -> None:
        node.attributes.st_size = size
        node.attributes.st_blocks = (size + 511) // 512


async def serve() -> None:
    """Answer the kernel until the mount is gone; SIGTERM and SIGINT unmount it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_terminate_on_signal)
        await pyfuse3.main(min_tasks=1, max_tasks=1)
        nursery.cancel_scope.cancel()


async def _terminate_on_signal() -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            pyfuse3.terminate()


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m benchmarks.floor MOUNTPOINT", file=sys.stderr)
        return 2
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    options = {*pyfuse3.default_options, "fsname=floor", "subtype=floor"}
    if os.getuid() == 0:
        options |= {"allow_other", "suid", "dev"}
    pyfuse3.init(Floor(), arguments[0], options)
    try:
        trio.run(serve)
    finally:
        pyfuse3.close(unmount=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
