"""One content on disk: its data file, and the knowledge of which blocks are in it.

A shelf never suspends. Whatever is wrong with the file (deleted, too short, unreadable, changed) makes blocks
absent, and is one line in the log.
"""

from __future__ import annotations

import logging
import os

from cloudfs.cache.blocks import BLOCK, SHIFT, Blocks, blocks_of, checksums
from cloudfs.cache.contract import ContentKey
from cloudfs.cache.eviction import victims
from cloudfs.cache.files import DataFiles
from cloudfs.cache.index import Index, Record
from cloudfs.cache.runs import Runs
from cloudfs.cache.sparse import punch_hole

log = logging.getLogger(__name__)


class Shelf:
    """The blocks of ``key`` in ``files``, as ``index`` knows them; ``index.used`` is kept up to date.

    ``position`` is where the last read ended. ``generation`` changes when the data file is another one: what was being
    written into the old one is then not in the new.
    """

    def __init__(self, key: ContentKey, size: int, files: DataFiles, index: Index, *, touch: bool = True) -> None:
        self.key = key
        self.size = size
        self.position = 0
        self.generation = 0
        self._files = files
        self._index = index
        self._descriptor = -1
        self._changed = False
        record = index.find(key)
        self._known = record is not None
        self._touched = index.tick() if touch or record is None else record.touched
        self.blocks = self._blocks(record)
        self.occupied = self.blocks.occupied if record is None else record.occupied
        if record is not None and record.size != size:
            self._log(f"has {record.size} bytes instead of {size}")
            self.discard()

    def read(self, start: int, stop: int) -> bytes | None:
        """The bytes if all their blocks are here and sound; ``start < stop <= size``."""
        if not self.blocks.trusted.covers(start >> SHIFT, (stop + BLOCK - 1) >> SHIFT):
            return self._read_checked(start, stop)
        try:
            data = os.pread(self._descriptor, stop - start, start)
        except OSError as error:
            self._lose(start, stop, error)
            return None
        if len(data) != stop - start:
            self._check_length()
            return None
        self.position = stop
        return data

    def writer(self) -> tuple[int, int]:
        """A descriptor of the data file for the caller to write to and close, and the `generation` it belongs to."""
        if self._descriptor < 0 and not (self.blocks.present and self._open()):
            self._withdraw()
            self._descriptor = self._files.create(self.key)
        self._check_length()
        return os.dup(self._descriptor), self.generation

    def stored(self, first: int, sums: list[int], generation: int) -> None:
        """Blocks with these sums were written through a `writer` of that generation."""
        if generation == self.generation:
            self.blocks.add(first, sums)
            self._account()

    def replace(self, blocks: Blocks) -> None:
        """The data file was replaced by another one, with these blocks."""
        self._close_file()
        self.blocks = blocks
        self._account()

    def evict(self, wanted: int) -> None:
        """Free at least ``wanted`` bytes, far from the last read first, or all there is."""
        if wanted >= self.occupied or not self._open():
            self.discard()
            return
        short_last = 1
        runs = victims(self.blocks.present, self.position >> SHIFT, -(-wanted // BLOCK) + short_last)
        for first, last in runs:
            self.blocks.drop(first, last)
        self._account()
        self._commit()
        if not all(punch_hole(self._descriptor, first << SHIFT, last << SHIFT) for first, last in runs):
            self.discard()

    def discard(self) -> None:
        """Forget everything, in the index first; the content can be read and stored anew."""
        self.blocks.drop(0, self.blocks.count)
        self._account()
        self._withdraw()
        self._close_file()
        self._files.remove(self.key)

    def save(self) -> None:
        """Tell the index what has changed; it writes that when it likes."""
        if self._changed and self.blocks.present:
            self._put()

    def save_again(self) -> None:
        """The index has lost all it knew."""
        self.blocks.change_all()
        self._changed = True

    def close(self) -> None:
        """Nobody reads it any more; the index keeps what is here, the shelf itself has nothing afterwards."""
        if self.blocks.present:
            self._put()
        else:
            self._withdraw()
        self._known = False
        self._close_file()
        self.blocks = self._blocks(None)

    # --- the index ------------------------------------------------------------------------------------------------

    def _blocks(self, record: Record | None) -> Blocks:
        if record is None:
            return Blocks(self.size, Runs(), Runs(), self._load)
        return Blocks(self.size, Runs.unpack(record.present), Runs.unpack(record.unsummed), self._load)

    def _load(self, chapter: int) -> bytes:
        return self._index.chapter(self.key, chapter)

    def _put(self) -> None:
        blocks, self._changed, self._known = self.blocks, False, True
        packed = blocks.present.pack(), blocks.unsummed.pack()
        self._index.put(Record(self.key, self.size, *packed, self._touched, blocks.take_changed()))

    def _withdraw(self) -> None:
        """The index says nothing of this content any more."""
        self._changed = False
        if self._known:
            self._known = False
            self._index.commit([self.key])

    def _account(self) -> None:
        self._changed = True
        occupied = self.blocks.occupied
        self._index.used += occupied - self.occupied
        self.occupied = occupied

    def _commit(self) -> None:
        """What the index says is not more than is here."""
        if self.blocks.present:
            self._put()
            self._index.commit()
        else:
            self._withdraw()

    # --- the file -------------------------------------------------------------------------------------------------

    def _read_checked(self, start: int, stop: int) -> bytes | None:
        first, last = blocks_of(start, stop)
        if not (self.blocks.present.covers(first, last) and self._open()):
            return None
        begin, end = self.blocks.bytes_of(first, last)
        try:
            data = os.pread(self._descriptor, end - begin, begin)
        except OSError as error:
            self._lose(start, stop, error)
            return None
        if len(data) != end - begin:
            self._check_length()
            return None
        sound = self.blocks.check(first, checksums(data))
        self._account()
        if not sound:
            self._log(f"has damaged blocks within {begin}..{end}; they will be fetched again")
            return None
        self.position = stop
        return data[start - begin : stop - begin]

    def _open(self) -> bool:
        """Whether there is a data file to read."""
        if self._descriptor < 0:
            try:
                self._descriptor = self._files.open(self.key)
            except FileNotFoundError:
                self._log("has lost its data file")
                self.discard()
            except OSError as error:
                self._log(f"cannot be opened: {error}")
            else:
                self._check_length()
        return self._descriptor >= 0

    def _check_length(self) -> None:
        """A file that somebody cut off must not grow again over blocks that are believed to be there."""
        if self.blocks.cut(os.fstat(self._descriptor).st_size):
            self._log("has a data file that is too short")
            self._account()
            self._commit()

    def _lose(self, start: int, stop: int, error: OSError) -> None:
        self._log(f"cannot be read from {start} to {stop}: {error}")
        self.blocks.drop(*blocks_of(start, stop))
        self._account()
        self._commit()

    def _close_file(self) -> None:
        self.generation += 1
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _log(self, what: str) -> None:
        log.warning("cached content %s %s", self.key, what)
