"""One file of new bytes.

It is writable or being sent, never both: a write to a file that is being sent revokes the sending (`Staged.revoke`),
and whoever sends finds out before it can publish anything.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Sequence

import trio

from cloudfs.cache.sparse import punch_hole, write_all
from cloudfs.catalog.pieces import SentPiece
from cloudfs.catalog.stagings import Safety, StagedRow
from cloudfs.types import Extent, Inode
from cloudfs.writeback.extents import Extents
from cloudfs.writeback.progress import Progress
from cloudfs.writeback.sent import Rhythm, Sent

_SPARSE_MAX = 1 << 40
"""A staged file up to this size is as long as its inode says; longer ones may be too long for the local disk."""
SECTOR = 512
"""Bytes, of ``st_blocks``."""


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
        self.safety = row.safety
        self._rewritten = Extents()  # since a power cut lost what it held
        self.changed_since_sync = True
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
        self.charged = status.st_blocks * SECTOR
        self._revoke: Callable[[], None] | None = None

    def row(self) -> StagedRow:
        return StagedRow(
            self.ino, self.file, self.base, self.visible, tuple(self.extents), self.writing, self.damaged, self.safety
        )

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
        self.changed_since_sync = True
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
        if self.safety is Safety.LOST:
            self._rewritten.add(offset, stop)
            if self._rewritten.covers(0, max(stop, self.length)):
                self._heal()
        if stop > self.length:
            self._charge(stop - max(self.length, offset))
            self.length = stop

    def _heal(self) -> None:
        """All of it was written again after a power cut."""
        if self.safety is Safety.LOST:
            self.safety = Safety.NEW

    def _note(self, rhythm: Rhythm, start: int, stop: int) -> None:
        if start < stop:
            rhythm.note(start, stop, self.length, time.monotonic_ns())
        if self._growth is not None:
            self._growth.made()

    def cut(self, size: int) -> None:
        """Nothing at and after ``size`` is ours or shows through any longer; to be saved before `resize`."""
        self.changed_since_sync = True
        self.visible = min(self.visible, size)
        self.extents.cut(size)
        if self.rhythm is not None:
            self.rhythm.cut(size, time.monotonic_ns())
        if size == 0:
            self.base = 0
            self.damaged = ""
            self._heal()

    def undo(self, row: StagedRow, sent: Iterable[SentPiece]) -> None:
        """What was changed since this was its row, and these were sent, could not be written down."""
        self.base, self.visible, self.extents = row.base, row.visible, Extents(row.extents)
        self.writing, self.damaged, self.safety = row.writing, row.damaged, row.safety
        for each in sent:
            self.sent.put(each)

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
        self._charge(os.fstat(self.fd).st_blocks * SECTOR - self.charged)

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
        """The store has ``content`` now, in place of the base, and it owns the pieces that were ``published``.

        What was written here since then is ours, as before; all else, and what had been punched, shows through. A base
        that is newer stays: another name of the file has it, and it is the same in all that is not ours.
        """
        base = max(self.base, content)
        punched = [sent for sent in published if sent.punched]
        if punched:
            ours = Extents(self.extents if self.base else [])
            reach = max(self.visible, punched[-1].stop)
            ours.add(self.visible if self.base else 0, max(reach, self.length))
            for sent in punched:
                ours.remove(sent.start, sent.stop)
            self.base, self.visible, self.extents = base, reach, ours
        elif self.base:
            self.base = base
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
        self.changed_since_sync = False
        try:
            os.fdatasync(self.fd)
        except OSError:
            self.changed_since_sync = True
            raise

    def close(self) -> None:
        os.close(self.fd)
