"""New bytes: files of the state directory that hold what the store has not got yet.

A staged file is born before the first ``write()`` is answered, and ends in one of two ways: the store confirmed it
(then it becomes a cached file) or the user deleted it. It is writable or being sent, never both: a write to a file
that is being sent revokes the sending (`Staged.revoke`), and whoever sends finds out before it can publish anything.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import trio

from cloudfs.cache.sparse import punch_hole, write_all
from cloudfs.catalog.pieces import SentPiece, SentPieces
from cloudfs.catalog.stagings import StagedRow, Stagings
from cloudfs.types import Extent, Inode
from cloudfs.writeback.extents import Extents
from cloudfs.writeback.progress import Progress
from cloudfs.writeback.sent import Rhythm, Sent
from cloudfs.writeback.staged_files import StagedFiles

_SPARSE_MAX = 1 << 40
"""A staged file up to this size is as long as its inode says; longer ones may be too long for the local disk."""
_SECTOR = 512
_SPARE = 32
"""So many empty files are kept ready."""


class Staged:
    """One staged file, opened. Without a base (``base == 0``) all of its bytes are ours and holes are zeros.

    With a base, ``extents`` are ours; elsewhere the base's first ``visible`` bytes show through, then zeros.
    Of a large file the store may have ``sent`` pieces already, some of which have left a hole here; ``rhythm`` is
    kept for stores that take pieces.
    ``length`` is that of the file on disk, ``charged`` what it counts for in `Staging.used`. Once it is ``gone``, its
    users let go of it.
    """

    def __init__(
        self,
        row: StagedRow,
        fd: int,
        account: Callable[[int], None],
        sent: Sent | None = None,
        rhythm: Rhythm | None = None,
        growth: Progress | None = None,
    ) -> None:
        self.ino: Inode = row.ino
        self.file = row.file
        self.base = row.base
        self.visible = row.visible
        self.extents = Extents(row.extents)
        self.writing = row.writing
        self.damaged = row.damaged
        self.unsynced = True
        self.gone = False
        self.users = 1
        self.fd = fd
        self.sent = sent or Sent()
        self.rhythm = rhythm
        self._growth = growth
        self.bringing_back = trio.Lock()
        self._account = account
        status = os.fstat(fd)
        self.length = status.st_size
        self.charged = status.st_blocks * _SECTOR
        self._revoke: Callable[[], None] | None = None

    def row(self) -> StagedRow:
        return StagedRow(self.ino, self.file, self.base, self.visible, tuple(self.extents), self.writing, self.damaged)

    # --- writable or being sent --------------------------------------------------------------------------------------

    def claim(self, revoke: Callable[[], None]) -> None:
        """It is being sent; ``revoke`` is called, once, if it is written to before `unclaim`."""
        assert self._revoke is None, "a staged file is sent once at a time"
        self._revoke = revoke

    def unclaim(self) -> None:
        self._revoke = None

    def revoke(self) -> None:
        """It is about to be changed: nobody may send it any longer."""
        revoke, self._revoke = self._revoke, None
        if revoke is not None:
            revoke()

    # --- bytes -------------------------------------------------------------------------------------------------------

    def write(self, offset: int, data: bytes) -> None:
        """To the page cache, in full. Raises `OSError` (ENOSPC) with possibly a part written, which is harmless."""
        stop = offset + len(data)
        if self.rhythm is not None and max(stop, self.length) > self.rhythm.size:
            self._note(self.rhythm, offset, stop)
        written = os.pwrite(self.fd, data, offset)
        while written < len(data):
            more = os.pwrite(self.fd, data[written:], offset + written)
            if more == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written += more
        if self.base:
            self.extents.add(offset, stop)
        if stop > self.length:
            self._charge(stop - max(self.length, offset))
            self.length = stop

    def _note(self, rhythm: Rhythm, start: int, stop: int) -> None:
        if start < stop:
            rhythm.note(start, stop, self.length, time.monotonic_ns())
        if self._growth is not None:
            self._growth.made()

    def cut(self, size: int) -> None:
        """Nothing at and after ``size`` is ours or shows through any longer; to be saved before `resize`."""
        self.visible = min(self.visible, size)
        self.extents.cut(size)
        if self.rhythm is not None:
            self.rhythm.cut(size, time.monotonic_ns())
        if size == 0:
            self.base = 0
            self.damaged = ""

    def resize(self, size: int) -> None:
        """Set the length of the file on disk: what was never written reads as zeros."""
        if size < self.length or (not self.base and size <= _SPARSE_MAX):
            os.ftruncate(self.fd, size)
            self.length = size
            self.measure()

    def read(self, start: int, stop: int) -> bytes:
        """Our own bytes of a range, zeros where there are none."""
        data = os.pread(self.fd, stop - start, start)
        if len(data) < stop - start:
            data += bytes(stop - start - len(data))
        return data

    def measure(self) -> None:
        """Count what the file takes on the disk, after an estimate while it was written."""
        self._charge(os.fstat(self.fd).st_blocks * _SECTOR - self.charged)

    def _charge(self, change: int) -> None:
        self.charged += change
        self._account(change)

    def is_short(self, size: int) -> bool:
        """Whether bytes are missing at the end: a power cut takes from a file what had not reached the disk."""
        return not self.base and self.length < size <= _SPARSE_MAX

    def holds(self, start: int, stop: int) -> bool:
        """Whether a range can be read without the base and the store."""
        if self.sent and self.sent.punched(start, stop):
            return False
        return not self.base or start >= self.visible or self.extents.covers(start, min(stop, self.visible))

    def punch(self, start: int, stop: int) -> None:
        """Give the space of a range back; its bytes are somewhere else."""
        punch_hole(self.fd, start, stop)
        self.measure()

    def restore(self, offset: int, data: bytes) -> None:
        """Put bytes back that had been punched out."""
        write_all(self.fd, data, offset)

    def rebase(self, content: int, published: Sequence[SentPiece]) -> None:
        """``published`` belongs to the committed ``content`` now: what was punched of it shows through from there."""
        punched = [sent for sent in published if sent.punched and sent in self.sent]
        if punched:
            ours = Extents(self.extents if self.base else [])
            reach = max(self.visible, punched[-1].stop)
            ours.add(self.visible if self.base else 0, max(reach, self.length))
            for sent in punched:
                ours.remove(sent.start, sent.stop)
            self.base, self.visible, self.extents = content, reach, ours
        for sent in published:
            self.sent.remove(sent)

    def data_extents(self, size: int) -> list[Extent]:
        """Where the file's data is, here or at the store, without a base: the rest are holes."""
        found = Extents(Extent(sent.start, min(sent.stop, size)) for sent in self.sent)
        position = 0
        while (start := self._next_data(position, size)) < size:
            position = min(os.lseek(self.fd, start, os.SEEK_HOLE), size)
            found.add(start, position)
        return list(found)

    def _next_data(self, position: int, stop: int) -> int:
        """Where data begins at or after ``position``; ``stop`` or more if there is none before that."""
        if position >= stop:
            return stop
        try:
            return os.lseek(self.fd, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return stop
            raise

    def has_data(self, start: int, stop: int) -> bool:
        """Whether anything of a range was written here."""
        if self.base:
            return any(ours for _, ours in self.extents.pieces(start, stop))
        return self._next_data(start, stop) < stop

    def is_whole(self, start: int, stop: int) -> bool:
        """Whether all of a range, which is not beyond the end, was written here."""
        if self.base:
            return self.extents.covers(start, stop)
        return os.lseek(self.fd, start, os.SEEK_HOLE) >= stop

    def sync(self) -> None:
        """The bytes survive a power cut. Blocks: call it in a thread."""
        os.fdatasync(self.fd)

    def close(self) -> None:
        os.close(self.fd)


class Staging:
    """The staged files of one mount, opened once and shared by all who use them.

    ``used`` counts the bytes of all of them: written, and not yet stored. Files are numbered, and some are made in
    advance by `prepare_forever`, because making a file is the slowest part of writing a small one.
    """

    def __init__(self, directory: Path, rows: Stagings, pieces: SentPieces, piece_size: int = 0) -> None:
        """``piece_size`` is that of the store's pieces, in bytes; 0 if it takes none."""
        self._files = StagedFiles(directory)
        self._rows = rows
        self._pieces = pieces
        self._piece_size = piece_size
        self._open: dict[int, Staged] = {}
        self._next_file = time.time_ns()
        self._spare: deque[tuple[int, int]] = deque()
        self._scarce = trio.Event()
        self.used = 0
        self.growth = Progress()
        """Made with every write to a file that is larger than a piece."""

    def path(self, file: int) -> Path:
        return self._files.path(file)

    def begin(self, ino: Inode, base: int, visible: int) -> Staged:
        """A new, empty staged file and its row (in the caller's transaction), acquired once."""
        file, fd = self._spare.popleft() if self._spare else self._make(self._number())
        if len(self._spare) < _SPARE // 2:
            self._scarce.set()
        row = StagedRow(ino, file, base, visible, (), writing=True)
        staged = Staged(row, fd, self._account, None, self._rhythm(), self.growth)
        self._rows.put(row)
        self._open[ino] = staged
        return staged

    def _rhythm(self) -> Rhythm | None:
        return Rhythm(self._piece_size) if self._piece_size else None

    def opened(self) -> list[Staged]:
        """Those that somebody uses."""
        return list(self._open.values())

    def being_written(self, larger_than: int) -> list[Staged]:
        """Those longer than that many bytes which an application has open for writing."""
        return [staged for staged in self._open.values() if staged.writing and staged.length > larger_than]

    def _number(self) -> int:
        self._next_file += 1
        return self._next_file

    def _make(self, file: int) -> tuple[int, int]:
        return file, self._files.make(file)

    def _make_all(self, numbers: list[int]) -> list[tuple[int, int]]:
        return [self._make(number) for number in numbers]

    async def prepare_forever(self) -> None:
        """Keep some files ready. A failure here (a full disk) is met again, and told, by whoever wants to write."""
        try:
            while True:
                await self._scarce.wait()
                self._scarce = trio.Event()
                numbers = [self._number() for _ in range(_SPARE - len(self._spare))]
                with contextlib.suppress(OSError):
                    self._spare.extend(await trio.to_thread.run_sync(self._make_all, numbers))
        finally:
            while self._spare:
                file, fd = self._spare.popleft()
                os.close(fd)
                self._files.remove(file)

    def acquire(self, ino: Inode) -> Staged | None:
        """The staged file of an inode, if it has one. Give it back with `release`."""
        staged = self._open.get(ino)
        if staged is None:
            row = self._rows.get(ino)
            if row is None:
                return None
            fd = self._files.open(row.file)
            sent = Sent(self._pieces.of_inode(ino))
            staged = self._open[ino] = Staged(row, fd, self._account, sent, self._rhythm(), self.growth)
            staged.users = 0
        staged.users += 1
        return staged

    def release(self, staged: Staged) -> None:
        staged.users -= 1
        if staged.users == 0:
            if not staged.gone:
                staged.measure()
            if self._open.get(staged.ino) is staged:
                del self._open[staged.ino]
            staged.close()

    def save(self, staged: Staged) -> None:
        """Write the row, in the caller's transaction."""
        self._rows.put(staged.row())

    def rebase(self, ino: Inode, content: int, published: Sequence[SentPiece]) -> None:
        """See `Staged.rebase`; in the caller's transaction."""
        staged = self.acquire(ino)
        if staged is not None:
            staged.rebase(content, published)
            self.save(staged)
            self.release(staged)

    def discard(self, ino: int) -> None:
        """Nobody wants these bytes any longer: remove the row (in the caller's transaction), and the file later.

        If the power went in between, the row would be back, and what it says of the file still true.
        """
        row = self._rows.get(ino)
        if row is not None:
            self._rows.remove(ino)
            self.give_up(ino, row.file)
            self._rows.once_synced(functools.partial(self._remove_unowned, row.file))

    def _remove_unowned(self, file: int) -> None:
        if not self._rows.owns(file):
            self._files.remove(file)

    def give_up(self, ino: int, file: int) -> None:
        """This file is not staged any more, whatever becomes of it; its users have to look elsewhere."""
        staged = self._open.pop(ino, None)
        if staged is not None:
            staged.gone = True
            self._account(-staged.charged)
            return
        with contextlib.suppress(FileNotFoundError):
            self._account(-self._files.stat(file).st_blocks * _SECTOR)

    async def sweep(self) -> None:
        """Once after start: count what an earlier process left, and remove what belongs to nobody."""
        newest = self._next_file
        for number, file in enumerate(await trio.to_thread.run_sync(list, self._files.numbers())):
            if number % 256 == 0:
                await trio.lowlevel.checkpoint()
            if file > newest:
                continue
            if self._rows.owns(file):
                with contextlib.suppress(FileNotFoundError):
                    self.used += self._files.stat(file).st_blocks * _SECTOR
            else:
                self._files.remove(file)

    def sync_directory(self) -> None:
        """New staged files survive a power cut. Blocks: call it in a thread."""
        self._files.sync()

    def disk_free(self) -> int:
        """Bytes left on the disk that holds the staging directory."""
        status = self._files.status()
        return (status.f_bfree if os.geteuid() == 0 else status.f_bavail) * status.f_frsize

    def disk_size(self) -> int:
        """Bytes of that disk."""
        status = self._files.status()
        return status.f_blocks * status.f_frsize

    def _account(self, change: int) -> None:
        self.used = max(self.used + change, 0)

    def close(self) -> None:
        self._files.close()
