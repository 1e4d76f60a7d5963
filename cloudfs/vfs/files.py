"""Open files: reading, writing, and what close and fsync promise."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator

import trio

from cloudfs.cache.contract import CachedContent
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.nodes import Node
from cloudfs.catalog.stagings import Safety
from cloudfs.errors import DISK_ERRORS, CloudfsError, NoSpace, NotFound, StoreReadOnly, TooLarge, VersionMismatch
from cloudfs.vfs.prefetcher import Prefetcher
from cloudfs.vfs.space import Space
from cloudfs.writeback.contents import Contents, StagedReader
from cloudfs.writeback.health import Health
from cloudfs.writeback.staged import Staged
from cloudfs.writeback.staging import Staging

WRITE_BACK_NS = 1_000_000_000
"""A closed file is left alone for so long, because it is often renamed, chmodded or written again at once."""
OPEN_WRITE_BACK_NS = 60_000_000_000
"""A file that is kept open is stored this long after a burst of writes began."""
_QUIET_NS = 3_000_000_000
_LONGEST_BURST_NS = 300_000_000_000
_STEP = 4 << 20


class OpenFile:
    """What all handles of one inode share. Its node is pinned while it exists.

    ``staged`` is looked for when it is first needed, and may be gone by the time it is used; ``reader`` reads it, and
    ``content`` is the committed version; both are opened when first read.
    """

    __slots__ = (
        "burst_ns", "changed", "content", "content_of", "looked", "node", "reader", "staged", "users", "written_ns"
    )  # fmt: skip

    def __init__(self, node: Node) -> None:
        self.node = node
        self.staged: Staged | None = None
        self.looked = False
        self.reader: StagedReader | None = None
        self.content: CachedContent | None = None
        self.content_of = 0
        self.users = 0
        self.changed = False
        self.burst_ns = 0
        self.written_ns = 0


class Files:
    """The open files of one mount. Handles are small integers; methods run on the trio thread."""

    def __init__(
        self,
        catalog: Catalog,
        contents: Contents,
        staging: Staging,
        space: Space,
        health: Health,
        max_size: int | None,
        changed: Callable[[int], None],
        durable_step: Callable[[str], None],
        prefetcher: Prefetcher,
    ) -> None:
        """``changed(due_ns)``: there is work for the uploader."""
        self._catalog = catalog
        self._contents = contents
        self._staging = staging
        self._space = space
        self._health = health
        self._max_size = max_size if max_size is not None else (1 << 63) - 1
        self._changed = changed
        self._durable_step = durable_step
        self._prefetcher = prefetcher
        self._open: dict[int, OpenFile] = {}
        self._handles: dict[int, OpenFile] = {}
        self._writers: set[int] = set()
        self._next_handle = 1

    # --- opening and closing -----------------------------------------------------------------------------------------

    def open(self, ino: int, flags: int) -> int:
        """A handle for a regular file, emptied with ``O_TRUNC``."""
        truncate = flags & os.O_TRUNC and flags & os.O_ACCMODE != os.O_RDONLY
        if truncate or flags & os.O_ACCMODE != os.O_RDONLY:
            self._refuse_read_only()
        file = self._acquire(ino)
        handle = self._next_handle
        self._next_handle += 1
        self._handles[handle] = file
        if flags & os.O_ACCMODE != os.O_RDONLY:
            self._writers.add(handle)
        if truncate:
            try:
                self._truncate(file, 0)
            except BaseException:  # nobody will close what was never opened
                self.release(handle)
                raise
        return handle

    def flush(self, handle: int) -> None:
        """One ``close()``: what was written survives ``kill -9`` from here on. Raises what is wrong with the file.

        Whoever could write it learns here that what was there before cannot be stored; who only reads need not.
        """
        file = self._handles[handle]
        failure = self._failure(file) if handle in self._writers else ""
        if file.users == 1:
            self._seal(file)
        else:
            self._commit(file)
        _refuse_damaged(file)
        _refuse_failed(failure)

    def release(self, handle: int) -> None:
        """The last ``close()`` of a handle; its file may be sent now."""
        file = self._handles.pop(handle)
        self._writers.discard(handle)
        self._give_back(file)

    def let_go_of_all(self) -> None:
        """There is no kernel any more that could close what is open: as if it had. Failures are kept where they are."""
        for handle in list(self._handles):
            with contextlib.suppress(CloudfsError, *DISK_ERRORS):
                self.release(handle)

    async def fsync(self, handle: int) -> None:
        """What was written survives a power cut from here on."""
        file = self._handles[handle]
        self._commit(file)
        staged = self._staged(file)
        with self._staging.held(staged):
            if staged is not None and staged.safety is Safety.NEW:
                await trio.to_thread.run_sync(self._sync_staged, staged)
                self._keep_what_is_there(staged)
            self._catalog.database.settle()
            await trio.to_thread.run_sync(self._sync, staged)
        _refuse_damaged(file)
        _refuse_failed(self._failure(file))

    def _failure(self, file: OpenFile) -> str:
        """Why the file is not stored, if waiting a little does not help: parked, or refused again and again."""
        return self._catalog.pending.failure_of(file.node.ino, away=self._health.away)

    def _keep_what_is_there(self, staged: Staged) -> None:
        """It may go on being written when the power is cut: what is there then is worth storing."""
        if staged.safety is Safety.NEW and not staged.gone:
            staged.safety = Safety.SYNCED
            with self._catalog.lazily():
                self._staging.save(staged)

    def _sync(self, staged: Staged | None) -> None:
        if staged is not None:
            self._sync_staged(staged)
        self._catalog.database.sync()

    def _sync_staged(self, staged: Staged) -> None:
        if staged.gone:
            return
        staged.sync()
        if staged.unsynced:
            self._staging.sync_directory()
            staged.unsynced = False

    async def sync_catalog(self) -> None:
        """Everything done to names and attributes survives a power cut from here on (fsync of a directory)."""
        self._catalog.database.settle()
        await trio.to_thread.run_sync(self._catalog.database.sync)

    def inode_of(self, handle: int) -> int:
        ino: int = self._handles[handle].node.ino
        return ino

    def _acquire(self, ino: int) -> OpenFile:
        file = self._open.get(ino)
        if file is None:
            file = self._open[ino] = OpenFile(self._catalog.nodes.pin(ino))
            self._catalog.hold(ino)
        file.users += 1
        return file

    def _give_back(self, file: OpenFile) -> None:
        file.users -= 1
        if file.users:
            return
        node = file.node
        try:
            self._seal(file)
        finally:
            del self._open[node.ino]
            self._catalog.nodes.unpin(node.ino)
            if file.content is not None:
                file.content.close()
            self._drop_staged(file)
            self.let_go(node.ino)

    def let_go(self, ino: int) -> None:
        """A use of an inode ended; without a name and another use it is gone, with the bytes nobody will ask for."""
        if self._catalog.let_go(ino):
            with self._catalog.lazily():
                self._staging.discard(ino)
                self._catalog.reap(ino)

    def _seal(self, file: OpenFile) -> None:
        """Nobody writes it any longer: the uploader may have it. The next write begins another burst."""
        staged = self._staged(file) if file.staged is not None else None
        if staged is None or not staged.writing:
            self._commit(file)
            return
        due, changed = time.time_ns() + WRITE_BACK_NS, file.changed
        try:
            with self._catalog:
                self._commit(file)
                staged.writing = False
                if staged.safety is not Safety.LOST:
                    staged.safety = Safety.NEW if staged.changed_since_sync else Safety.SYNCED
                self._catalog.stagings.sealed(staged.ino, staged.safety)
                if not staged.damaged:
                    self._catalog.links.touch(file.node.ino, due)
        except BaseException:  # none of it is so: who closes it once more does all of it again
            staged.writing, file.changed = True, changed
            raise
        self._changed(due)

    def _commit(self, file: OpenFile) -> None:
        """Size and extents follow the bytes into the catalogue."""
        if not file.changed and not file.node.modified:
            return
        with self._catalog:
            self._catalog.nodes.save(file.node)
            staged = self._staged(file) if file.changed else None
            if staged is not None and staged.base:
                self._staging.save(staged)
        file.changed = False

    def _staged(self, file: OpenFile) -> Staged | None:
        """The staged file of an open file; None if all of its bytes are at the store."""
        if not file.looked:
            file.staged = self._staging.acquire(file.node.ino)
            file.looked = True
        elif file.staged is not None and file.staged.gone:
            self._drop_staged(file)
        return file.staged

    def _drop_staged(self, file: OpenFile) -> None:
        if file.reader is not None:
            file.reader.close()
            file.reader = None
        if file.staged is not None:
            self._staging.release(file.staged)
            file.staged = None

    # --- reading -------------------------------------------------------------------------------------------------

    def read_nowait(self, handle: int, offset: int, size: int) -> bytes | None:
        """The bytes, fewer at the end of the file; None if they have to be fetched. Never suspends."""
        file = self._handles[handle]
        stop = min(offset + size, file.node.size)
        if offset >= stop:
            return b""
        staged = self._staged(file)
        if staged is not None:
            if staged.holds(offset, stop):
                return staged.read(offset, stop)
            return None
        if not offset:
            self._prefetcher.reading(file.node.ino)
        return self._content(file).read_nowait(offset, stop)

    async def read(self, handle: int, offset: int, size: int) -> bytes:
        """The bytes, fetched where necessary. Raises store errors."""
        file = self._handles[handle]
        while True:
            seen = self._sight(file)
            try:
                return await self._read(file, offset, min(offset + size, file.node.size))
            except (NotFound, VersionMismatch):
                # What we read from was replaced at the store by what was written here: that is what to read now.
                if seen == self._sight(file):
                    raise

    def _sight(self, file: OpenFile) -> tuple[object, ...]:
        """Where the bytes come from; another one when that has changed."""
        staged = self._staged(file)
        if staged is None:
            return (file.node.content,)
        return file.node.content, staged, staged.base, *staged.sent

    async def _read(self, file: OpenFile, start: int, stop: int) -> bytes:
        if start >= stop:
            return b""
        staged = self._staged(file)
        if staged is None:
            if not start:
                self._prefetcher.missed(file.node.ino)
            return await self._content(file).read(start, stop)
        if file.reader is None:
            file.reader = StagedReader(staged, self._contents)
        with self._staging.held(staged):
            return await file.reader.read(start, stop)

    def _content(self, file: OpenFile) -> CachedContent:
        content = file.node.content
        if file.content is None or file.content_of != content:
            if file.content is not None:
                file.content.close()
            file.content = self._contents.open(file.node.ino, content, file.node.size)
            file.content_of = content
        return file.content

    # --- writing -------------------------------------------------------------------------------------------------

    def write_nowait(self, handle: int, offset: int, data: bytes) -> bool:
        """Stage ``data``; False if that is not possible before `prepare_write`."""
        staged = self._staged(self._handles[handle])
        if staged is not None and staged.sent and staged.sent.punched(offset, offset + len(data)):
            return False
        if not self._space.has_room(len(data)):
            return False
        self.write(handle, offset, data)
        return True

    async def prepare_write(self, handle: int, offset: int, size: int) -> None:
        """Wait for room, and bring back what has left the file already of where it will be written.

        Raises store errors.
        """
        if not self._space.has_room(size):
            await self._space.wait(size)
        await self._bring_back(self._handles[handle], offset, offset + size)

    async def prepare_truncate(self, ino: int, size: int) -> None:
        """Bring back what has left the file already of the piece in which it will end. Raises store errors."""
        file = self._acquire(ino)
        try:
            staged = self._staged(file)
            ending = staged.sent.punched(size, size + 1) if staged is not None else []
            if any(sent.start < size for sent in ending):
                await self._bring_back(file, size, size + 1)
        finally:
            self._give_back(file)

    async def _bring_back(self, file: OpenFile, start: int, stop: int) -> None:
        staged = self._staged(file)
        if staged is None or not staged.sent:
            return
        with self._staging.held(staged):
            async with staged.bringing_back:
                await self._bring_back_pieces(staged, start, stop)

    async def _bring_back_pieces(self, staged: Staged, start: int, stop: int) -> None:
        while punched := staged.sent.punched(start, stop):
            sent = punched[0]
            for at in range(sent.start, sent.stop, _STEP):
                end = min(at + _STEP, sent.stop)
                staged.restore(at, await self._contents.read_piece(sent, at, end))
            # What was durable at the store is durable here before the store may forget it.
            await trio.to_thread.run_sync(staged.sync)
            self._take_back(staged, sent.start, sent.stop)

    def _take_back(self, staged: Staged, start: int, stop: int) -> None:
        """Bytes of ``[start, stop)`` change: pieces with them are not the file's any more."""
        changed = staged.sent.overlapping(start, stop)
        if not changed:
            return
        with self._catalog:
            for sent in changed:
                self._catalog.pieces.disown(sent)
                staged.sent.remove(sent)

    def write(self, handle: int, offset: int, data: bytes) -> None:
        """Stage ``data``. Raises `TooLarge`, `OSError`; after a failure the file is not published as if whole."""
        file = self._handles[handle]
        stop = offset + len(data)
        if stop > self._max_size:
            raise TooLarge("the store cannot hold a file this large")
        staged = self._writable(file)
        try:
            self._write(staged, offset, data)
        except (OSError, NoSpace) as error:
            self._damage(staged, f"incomplete, a write failed here: {error}")
            raise
        node = file.node
        if stop > node.size:
            node.size = stop
            node.modified = True
        file.changed = True
        file.written_ns = time.monotonic_ns()

    def _write(self, staged: Staged, offset: int, data: bytes) -> None:
        if staged.damaged:
            raise NoSpace(staged.damaged)
        self._space.refuse_if_full()
        assert not staged.sent.punched(offset, offset + len(data)), "see prepare_write"
        self._take_back(staged, offset, offset + len(data))
        staged.write(offset, data)

    def _damage(self, staged: Staged, reason: str) -> None:
        """Bytes that the application believes written are lost: what is left is not published until it is rewritten."""
        if staged.damaged:
            return
        staged.damaged = reason
        due = time.time_ns() + OPEN_WRITE_BACK_NS
        with self._catalog:
            self._staging.save(staged)
            for link in self._catalog.links.of_inode(staged.ino):
                self._catalog.pending.failed(link.id, due, reason, parked=True)

    def _writable(self, file: OpenFile) -> Staged:
        staged = file.staged
        if staged is not None and staged.writing and not staged.gone:
            return staged
        return self._begin_burst(file, keep=True)

    def _begin_burst(self, file: OpenFile, *, keep: bool) -> Staged:
        """A new generation of content begins: the bytes have a staged file before they are accepted.

        Without ``keep`` nothing of the old content is needed.
        """
        self._refuse_read_only()
        node = file.node
        staged = self._staged(file)
        with self._restored_on_failure(file), self._catalog.lazily():
            if staged is None:
                base = node.content if keep and node.size else 0
                staged = file.staged = self._staging.begin(node.ino, base, node.size if base else 0)
                self._durable_step("staged")
            else:
                staged.revoke()
                staged.writing = True
                if staged.safety is not Safety.LOST:  # a part that is written does not make the rest whole
                    staged.safety = Safety.NEW
                self._staging.save(staged)
            node.content += 1
            self._catalog.nodes.save(node)
            self._catalog.links.touch_idle(node.ino, time.time_ns() + OPEN_WRITE_BACK_NS)
        file.burst_ns = time.monotonic_ns()
        return staged

    def truncate(self, ino: int, size: int) -> None:
        """Set the size of a regular file, open or not. Raises `TooLarge`."""
        if size > self._max_size:
            raise TooLarge("the store cannot hold a file this large")
        self._refuse_read_only()
        file = self._acquire(ino)
        try:
            self._truncate(file, size)
        finally:
            self._give_back(file)

    def _truncate(self, file: OpenFile, size: int) -> None:
        staged = self._staged(file)
        rewritten = staged is not None and staged.damaged and size == 0
        begins = staged is None or not staged.writing
        if begins and size == file.node.size and not rewritten:
            return
        with self._restored_on_failure(file), self._catalog:
            if begins or staged is None:
                staged = self._begin_burst(file, keep=size > 0)
            self._resize(file, staged, size)
        staged.resize(size)
        file.changed = True

    def _resize(self, file: OpenFile, staged: Staged, size: int) -> None:
        """Grow before the catalogue says so, shrink after: a crash in between leaves the old file, not a torn one."""
        node, was_damaged = file.node, staged.damaged
        staged.cut(size)
        if size > node.size:
            staged.resize(size)
        if was_damaged and not staged.damaged:
            self._catalog.links.touch(node.ino, time.time_ns() + OPEN_WRITE_BACK_NS)
        self._take_back(staged, size, sys.maxsize)
        node.size = size
        self._catalog.nodes.save(node)
        self._staging.save(staged)

    @contextlib.contextmanager
    def _restored_on_failure(self, file: OpenFile) -> Iterator[None]:
        """Around a transaction: if it fails, the content is in memory as well what it was before."""
        node, staged = file.node, self._staged(file)
        size, content = node.size, node.content
        row, sent = (None, []) if staged is None else (staged.row(), list(staged.sent))
        try:
            yield
        except BaseException:
            node.size, node.content = size, content
            if staged is not None and row is not None:
                staged.undo(row, sent)
            elif file.staged is not None:
                self._staging.abandon(file.staged)
                self._drop_staged(file)
            raise

    def _refuse_read_only(self) -> None:
        if self._health.read_only:
            raise StoreReadOnly("the store is read-only")

    # --- for the uploader ----------------------------------------------------------------------------------------

    def quiet_for(self, ino: int, *, doomed: bool) -> float:
        """For how many seconds the uploader should leave an inode alone.

        A file being written is left alone until it pauses (but not for ever), and one that was deleted while open
        keeps its object, whose bytes may still be read.
        """
        file = self._open.get(ino)
        if file is None:
            return 0
        if doomed:
            staged = self._staged(file)
            return 2.0 if staged is None or staged.base else 0
        now = time.monotonic_ns()
        if now - file.written_ns < _QUIET_NS and now - file.burst_ns < _LONGEST_BURST_NS:
            return _QUIET_NS / 1e9
        return 0

    def recover(self) -> None:
        """After a crash: files that were being written are as long as the bytes that arrived; nobody has them open."""
        for ino in self._catalog.stagings.of_orphans():
            with self._catalog:
                self._staging.discard(ino)
        for row in self._catalog.stagings.interrupted():
            try:
                node = self._catalog.nodes.get(row.ino)
                length = self._staging.path(row.file).stat().st_size
            except (CloudfsError, FileNotFoundError):
                continue
            with self._catalog:
                if not row.base and length > node.size:
                    node.size = length
                    self._catalog.nodes.save(node)
                for link in self._catalog.links.of_inode(row.ino):
                    self._catalog.pending.hasten(link.id, time.time_ns())


def _refuse_damaged(file: OpenFile) -> None:
    if file.staged is not None and not file.staged.gone and file.staged.damaged:
        raise OSError(errno.EIO, file.staged.damaged)


def _refuse_failed(reason: str) -> None:
    if reason:
        raise OSError(errno.EIO, reason)
