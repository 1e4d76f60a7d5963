"""The kernel's requests: convert, delegate, convert back. Nothing is decided here, and nothing escapes.

An exception other than `FUSEError` that leaves a handler would end the whole mount and hang the caller, so every
handler is guarded: what we raise on purpose becomes its errno, anything else is logged and becomes EIO.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any, TypeVar

import pyfuse3
import trio

from cloudfs.catalog.nodes import Node
from cloudfs.fuse.callers import Callers
from cloudfs.fuse.complaints import Complaints
from cloudfs.fuse.notices import Notices
from cloudfs.fuse.reading import Reader
from cloudfs.fuse.translate import errno_of, is_expected
from cloudfs.types import NAME_MAX
from cloudfs.vfs.attributes import Change
from cloudfs.vfs.filesystem import FileSystem
from cloudfs.vfs.namespace import Owner

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_PAGE = 64
_FIRST = 2
"""readdir cookies: 1 and 2 follow ``.`` and ``..``, then come link ids, shifted by this much."""
_BLOCK = 4096
_NOTICE_SECONDS = 0.5
"""A listing and what the kernel remembers of names should agree; waiting for that must not hang."""
_UNLIMITED = 1 << 50
_NAMES = 1 << 40


def _guarded(handler: Callable[..., Coroutine[Any, Any, _T]]) -> Callable[..., Coroutine[Any, Any, _T]]:
    """Answers errors with their errno, and tells the reader when a handler suspends."""

    @functools.wraps(handler)
    @types.coroutine
    def guard(self: Operations, *arguments: Any) -> Generator[Any, Any, _T]:
        self.beat()
        work = handler(self, *arguments)
        try:
            trap = work.send(None)
            self.suspends()
            while True:
                try:
                    answer = yield trap
                except BaseException as error:
                    trap = work.throw(error)
                else:
                    trap = work.send(answer)
        except StopIteration as done:
            result: _T = done.value
            return result
        except (pyfuse3.FUSEError, trio.Cancelled):
            raise
        except Exception as error:
            number = errno_of(error)
            if not is_expected(error):
                _log.exception("%s failed", handler.__name__)
            elif number == errno.EIO or handler.__name__ == "write":
                # Of what went wrong while the kernel wrote back its cache, the program is only told EIO by close().
                self.complaints.failed(handler.__name__, error)
            raise pyfuse3.FUSEError(number) from None

    return guard


class Operations(pyfuse3.Operations):
    """One mount as pyfuse3 wants to see it."""

    supports_dot_lookup = True
    enable_writeback_cache = True

    def __init__(
        self, fs: FileSystem, notices: Notices, reader: Reader, sync_remote: Callable[[int], Awaitable[None]] | None
    ) -> None:
        """``sync_remote(ino)`` returns when an inode is stored: the mount option ``sync=remote``."""
        super().__init__()
        self._fs = fs
        self._notices = notices
        self._openers: dict[int, int] = {}
        self._sync_remote = sync_remote
        self._timeout = fs.directories.timeout
        self.beat = fs.pulse.beat
        self.suspends = reader.pass_on
        self.complaints = Complaints()
        self.callers = Callers()
        self._absent = pyfuse3.EntryAttributes()
        self._absent.entry_timeout = self._timeout
        self._absent.st_ino = 0

    def _attributes(self, node: Node) -> Any:
        entry = pyfuse3.EntryAttributes()
        entry.st_ino = node.ino
        entry.st_mode = node.mode
        entry.st_nlink = node.nlink
        entry.st_uid = node.uid
        entry.st_gid = node.gid
        entry.st_rdev = node.rdev
        entry.st_size = node.size
        entry.st_blocks = (node.size + 511) >> 9
        entry.st_atime_ns = node.atime_ns
        entry.st_mtime_ns = node.mtime_ns
        entry.st_ctime_ns = node.ctime_ns
        entry.entry_timeout = self._timeout
        entry.attr_timeout = self._timeout
        return entry

    async def _known(self, directory: int, ctx: Any) -> None:
        """Return once the names of a directory are known."""
        if not self._fs.directories.is_known(directory):
            await self.callers.wait_for(ctx.pid, self._fs.directories.known(directory))

    # --- names -------------------------------------------------------------------------------------------------------

    @_guarded
    async def lookup(self, parent: int, name: bytes, ctx: Any) -> Any:
        if self._fs.directories.is_old(parent):
            node = await self.callers.wait_for(ctx.pid, self._fs.lookup(parent, name))
        else:
            node = await self._fs.lookup(parent, name)
        return self._absent if node is None else self._attributes(node)

    async def forget(self, inodes: Sequence[tuple[int, int]]) -> None:
        for ino, _count in inodes:
            try:
                self._fs.forget(ino)
            except Exception:
                _log.exception("forgetting an inode failed")

    @_guarded
    async def mkdir(self, parent: int, name: bytes, mode: int, ctx: Any) -> Any:
        await self._known(parent, ctx)
        return self._attributes(self._fs.namespace.make(parent, name, mode, Owner(ctx.uid, ctx.gid)))

    @_guarded
    async def mknod(self, parent: int, name: bytes, mode: int, rdev: int, ctx: Any) -> Any:
        await self._known(parent, ctx)
        return self._attributes(self._fs.namespace.make(parent, name, mode, Owner(ctx.uid, ctx.gid), rdev=rdev))

    @_guarded
    async def symlink(self, parent: int, name: bytes, target: bytes, ctx: Any) -> Any:
        await self._known(parent, ctx)
        owner = Owner(ctx.uid, ctx.gid)
        return self._attributes(self._fs.namespace.make(parent, name, 0o120777, owner, target=target))

    @_guarded
    async def link(self, ino: int, parent: int, name: bytes, ctx: Any) -> Any:
        await self._known(parent, ctx)
        return self._attributes(self._fs.namespace.link(ino, parent, name))

    @_guarded
    async def unlink(self, parent: int, name: bytes, ctx: Any) -> None:
        await self._known(parent, ctx)
        self._fs.namespace.unlink(parent, name)

    @_guarded
    async def rmdir(self, parent: int, name: bytes, ctx: Any) -> None:
        await self.callers.wait_for(ctx.pid, self._fs.rmdir(parent, name))

    @_guarded
    async def rename(self, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int, ctx: Any) -> None:
        await self.callers.wait_for(ctx.pid, self._fs.rename(parent, name, new_parent, new_name, flags))

    @_guarded
    async def readlink(self, ino: int, ctx: Any) -> bytes:
        return self._fs.node(ino).target or b""

    # --- attributes --------------------------------------------------------------------------------------------------

    @_guarded
    async def getattr(self, ino: int, ctx: Any) -> Any:
        return self._attributes(self._fs.node(ino))

    @_guarded
    async def setattr(self, ino: int, attr: Any, fields: Any, handle: int | None, ctx: Any) -> Any:
        change = Change(
            mode=attr.st_mode if fields.update_mode else None,
            uid=attr.st_uid if fields.update_uid else None,
            gid=attr.st_gid if fields.update_gid else None,
            atime_ns=attr.st_atime_ns if fields.update_atime else None,
            mtime_ns=attr.st_mtime_ns if fields.update_mtime else None,
            ctime_ns=attr.st_ctime_ns if fields.update_ctime else None,
        )
        size = attr.st_size if fields.update_size else None
        return self._attributes(await self._fs.set_attributes(ino, change, size, privileged=ctx.uid == 0))

    @_guarded
    async def getxattr(self, ino: int, name: bytes, ctx: Any) -> bytes:
        return self._fs.attributes.get_xattr(ino, name)

    @_guarded
    async def listxattr(self, ino: int, ctx: Any) -> list[bytes]:
        return self._fs.attributes.list_xattrs(ino)

    @_guarded
    async def setxattr(self, ino: int, name: bytes, value: bytes, ctx: Any) -> None:
        self._fs.attributes.set_xattr(ino, name, value)

    @_guarded
    async def removexattr(self, ino: int, name: bytes, ctx: Any) -> None:
        self._fs.attributes.remove_xattr(ino, name)

    # --- files -------------------------------------------------------------------------------------------------------

    @_guarded
    async def create(self, parent: int, name: bytes, mode: int, flags: int, ctx: Any) -> tuple[Any, Any]:
        await self._known(parent, ctx)
        node = self._fs.namespace.make(parent, name, mode, Owner(ctx.uid, ctx.gid))
        handle = self._fs.files.open(node.ino, flags & ~os.O_TRUNC)
        self._openers[handle] = ctx.pid
        return pyfuse3.FileInfo(fh=handle, keep_cache=True), self._attributes(node)

    @_guarded
    async def open(self, ino: int, flags: int, ctx: Any) -> Any:
        handle = self._fs.open(ino, flags, privileged=ctx.uid == 0)
        self._openers[handle] = ctx.pid
        return pyfuse3.FileInfo(fh=handle, keep_cache=True)

    @_guarded
    async def read(self, handle: int, offset: int, size: int) -> bytes:
        data = self._fs.files.read_nowait(handle, offset, size)
        if data is not None:
            return data
        return await self.callers.wait_for(self._openers[handle], self._fs.files.read(handle, offset, size))

    @_guarded
    async def write(self, handle: int, offset: int, data: bytes) -> int:
        if not self._fs.files.write_nowait(handle, offset, data):
            await self._fs.files.prepare_write(handle, offset, len(data))
            self._fs.files.write(handle, offset, data)
        return len(data)

    @_guarded
    async def flush(self, handle: int) -> None:
        self._fs.files.flush(handle)
        if self._sync_remote is not None:
            await self.callers.wait_for(self._openers[handle], self._sync_remote(self._fs.files.inode_of(handle)))

    @_guarded
    async def fsync(self, handle: int, datasync: bool) -> None:
        await self._fs.files.fsync(handle)
        if self._sync_remote is not None:
            await self.callers.wait_for(self._openers[handle], self._sync_remote(self._fs.files.inode_of(handle)))

    @_guarded
    async def release(self, handle: int) -> None:
        self._openers.pop(handle, None)
        self._fs.files.release(handle)

    # --- directories -------------------------------------------------------------------------------------------------

    @_guarded
    async def opendir(self, ino: int, ctx: Any) -> int:
        await self.callers.wait_for(ctx.pid, self._fs.directories.opened(ino))
        if self._notices.outstanding:
            with trio.move_on_after(_NOTICE_SECONDS):
                await self._notices.delivered()
        return ino

    @_guarded
    async def readdir(self, ino: int, after: int, token: Any) -> None:
        if after < _FIRST and not self._reply_dots(ino, after, token):
            return
        for link, name, node in self._fs.catalog.links.children(ino, max(after - _FIRST, 0), _PAGE):
            if not pyfuse3.readdir_reply(token, name, self._attributes(node), link + _FIRST):
                return

    def _reply_dots(self, ino: int, after: int, token: Any) -> bool:
        dots = ((b".", self._fs.node(ino)), (b"..", self._fs.parent_of(ino)))
        return all(
            pyfuse3.readdir_reply(token, name, self._attributes(node), cookie)
            for cookie, (name, node) in enumerate(dots, 1)
            if cookie > after
        )

    @_guarded
    async def fsyncdir(self, ino: int, datasync: bool) -> None:
        await self._fs.files.sync_catalog()

    @_guarded
    async def releasedir(self, ino: int) -> None:
        return

    # --- the rest ----------------------------------------------------------------------------------------------------

    @_guarded
    async def access(self, ino: int, mode: int, ctx: Any) -> bool:
        raise pyfuse3.FUSEError(errno.ENOSYS)

    @_guarded
    async def statfs(self, ctx: Any) -> Any:
        usage = await self.callers.wait_for(ctx.pid, self._fs.capacity.usage())
        used = usage.used if usage else 0
        total = usage.total if usage and usage.total is not None else used + _UNLIMITED
        free = usage.free if usage and usage.free is not None else max(total - used, 0)
        stat = pyfuse3.StatvfsData()
        stat.f_bsize = stat.f_frsize = _BLOCK
        stat.f_blocks = total // _BLOCK
        stat.f_bfree = max(total - used, free) // _BLOCK
        stat.f_bavail = free // _BLOCK
        stat.f_files = _NAMES
        stat.f_ffree = stat.f_favail = _NAMES
        stat.f_namemax = NAME_MAX
        return stat
