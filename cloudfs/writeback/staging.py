"""New bytes: files of the state directory that hold what the store has not got yet.

A staged file is born before the first ``write()`` is answered, and ends in one of two ways: the store confirmed it
(then it becomes a cached file) or the user deleted it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import trio

from cloudfs.catalog.pieces import SentPiece, SentPieces
from cloudfs.catalog.stagings import StagedRow, Stagings
from cloudfs.types import Inode
from cloudfs.writeback.progress import Progress
from cloudfs.writeback.sent import Rhythm, Sent
from cloudfs.writeback.staged import SECTOR, Staged
from cloudfs.writeback.staged_files import StagedFiles

_MISSING = "the bytes that were to be stored are missing from the staging directory"
_SPARE = 32
"""So many empty files are kept ready."""


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
        try:
            self._rows.put(row)
        except BaseException:
            self._spare.append((file, fd))
            raise
        staged = self._open[ino] = Staged(row, fd, self._account, None, self._rhythm(), self.growth)
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

    def _make_spares(self, numbers: list[int]) -> None:
        for number in numbers:
            self._spare.append(self._make(number))

    async def prepare_forever(self) -> None:
        """Keep some files ready. A failure here (a full disk) is met again, and told, by whoever wants to write."""
        try:
            while True:
                await self._scarce.wait()
                self._scarce = trio.Event()
                numbers = [self._number() for _ in range(_SPARE - len(self._spare))]
                with contextlib.suppress(OSError):
                    await trio.to_thread.run_sync(self._make_spares, numbers)
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
            fd, row = self._open_file(row)
            sent = Sent(self._pieces.of_inode(ino))
            staged = self._open[ino] = Staged(row, fd, self._account, sent, self._rhythm(), self.growth)
            staged.users = 0
        staged.users += 1
        return staged

    def _open_file(self, row: StagedRow) -> tuple[int, StagedRow]:
        try:
            return self._files.open(row.file), row
        except FileNotFoundError:
            self._rows.damaged(row.ino, _MISSING)
            return self._files.make(row.file), replace(row, damaged=_MISSING)

    def release(self, staged: Staged) -> None:
        staged.users -= 1
        if staged.users == 0:
            if not staged.gone:
                staged.measure()
            if self._open.get(staged.ino) is staged:
                del self._open[staged.ino]
            staged.close()

    @contextlib.contextmanager
    def held(self, staged: Staged | None) -> Iterator[None]:
        """It stays open inside the block, also if it is stored meanwhile and everybody else lets go of it."""
        if staged is None:
            yield
            return
        staged.users += 1
        try:
            yield
        finally:
            self.release(staged)

    def save(self, staged: Staged) -> None:
        """Write the row, in the caller's transaction."""
        self._rows.put(staged.row())

    def rebase(self, ino: Inode, content: int, published: Sequence[SentPiece]) -> None:
        """See `Staged.rebase`; in the caller's transaction, and before the ``published`` pieces are gone from it."""
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
            self._account(-self._files.stat(file).st_blocks * SECTOR)

    def abandon(self, staged: Staged) -> None:
        """One that was begun in a transaction that failed."""
        self.give_up(staged.ino, staged.file)
        self._files.remove(staged.file)

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
                    self.used += self._files.stat(file).st_blocks * SECTOR
            else:
                self._files.remove(file)

    def sync_directory(self) -> None:
        """New staged files survive a power cut. Blocks: call it in a thread."""
        self._files.sync()

    def sync_all(self) -> None:
        """All staged files, as they are now, survive a power cut. Blocks: call it in a thread."""
        self._files.sync_all()

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
