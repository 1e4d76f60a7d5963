"""The space of the cache: what is used, what may still come in, what has to go.

Evicted first are contents nobody has open, the least recently used of them before others; then blocks of open
contents. Reads never hold on to a block, so any block may go at any time.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import trio

from cloudfs.cache.blocks import Blocks, blocks_of
from cloudfs.cache.contract import ContentKey
from cloudfs.cache.files import FAN_OUT, DataFiles
from cloudfs.cache.index import Index, Record
from cloudfs.cache.runs import Runs
from cloudfs.cache.shelf import Shelf
from cloudfs.cache.sums import Sums

_BATCH = 64
_MOST_SLACK = 4 << 20
"""Bytes made free beyond what is asked, so that not every block that comes in has to search for one to go."""
_CUT = 1 << 20
"""A closed content of at most so many bytes goes as a whole; of a larger one at least so many bytes go at once."""


class Ledger:
    """All contents of the cache, in ``directory``, within ``limit`` bytes.

    ``shelves`` are those of open contents; of the others there is nothing in memory. Of contents that are pinned,
    open or not any more, no block is evicted: somebody copies their data files.
    """

    def __init__(self, directory: Path, limit: int, boot: bytes) -> None:
        self.limit = limit
        self.files = DataFiles(directory)
        self.shelves: dict[ContentKey, Shelf] = {}
        self._pinned: Counter[ContentKey] = Counter()
        self.index = Index(directory, boot, self._lost)
        self._reserved = 0
        self._settled = trio.lowlevel.ParkingLot()
        self._unswept = set(range(FAN_OUT))

    @property
    def used(self) -> int:
        return self.index.used + self._reserved

    def open(self, key: ContentKey, size: int) -> Shelf:
        """The shelf of a content that was not open."""
        shelf = self.shelves[key] = Shelf(key, size, self.files, self.index)
        return shelf

    def is_whole(self, key: ContentKey, size: int) -> bool:
        """Whether all blocks of a content that is not open are in its data file."""
        record = self.index.find(key)
        return record is not None and Runs.unpack(record.present).covers(*blocks_of(0, size))

    def close(self, key: ContentKey) -> None:
        if key in self.shelves:
            self.shelves.pop(key).close()

    def adopt(
        self, key: ContentKey, size: int, source: str, present: Runs, unsummed: Runs, sums: Sums | None = None
    ) -> None:
        """Take over a file by rename; what was there under ``key`` is forgotten first. Raises ``OSError``.

        Of the ``unsummed`` blocks, those in ``sums`` are summed from now on.
        """
        self.forget(key)
        self.files.take(source, key)
        blocks = self._blocks(key, size, present, unsummed)
        if sums is not None:
            blocks.learn(sums.blocks, sums.chapters)
        if key in self.shelves:
            self.shelves[key].replace(blocks)
        else:
            tick, chapters = self.index.tick(), blocks.take_changed()
            self.index.used += blocks.occupied
            self.index.put(Record(key, size, present.pack(), unsummed.pack(), tick, chapters))
        if self.used > self.limit:
            self.shrink(self.limit - self._slack)

    def forget(self, key: ContentKey) -> None:
        """Delete a content, open or not."""
        if key in self.shelves:
            self.shelves[key].discard()
        elif (record := self.index.find(key)) is not None:
            self._remove([record])

    def take(self, old: ContentKey, key: ContentKey, path: str) -> tuple[Blocks, int] | None:
        """Move the file of a content that is not open out of here to ``path``, and give its sums to ``key``.

        Returns its blocks and a descriptor, or None if it is not cached.
        """
        record = self.index.find(old)
        if record is None:
            return None
        self.index.inherit(old, key)
        self.index.used -= record.occupied
        self.index.commit([old])
        blocks = self._blocks(key, record.size, Runs.unpack(record.present), Runs.unpack(record.unsummed))
        try:
            descriptor = self.files.detach(old, path)
        except OSError:
            self.files.remove(old)
            return None
        blocks.cut(os.fstat(descriptor).st_size)
        return blocks, descriptor

    def pin(self, key: ContentKey) -> None:
        """Evict none of its blocks until `unpin`."""
        self._pinned[key] += 1

    def unpin(self, key: ContentKey) -> None:
        self._pinned -= Counter([key])

    def reserve(self, wanted: int) -> bool:
        """Make room for ``wanted`` bytes, and keep it until `release`; False if there cannot be so much."""
        if self.used + wanted > self.limit:
            if wanted > self.limit:
                return False
            self.shrink(max(0, self.limit - wanted - self._slack))
        if self.used + wanted > self.limit:
            return False
        self._reserved += wanted
        return True

    def release(self, reserved: int) -> None:
        self._reserved -= reserved
        if not self._reserved:
            self._settled.unpark_all()

    async def settle(self) -> None:
        """Wait for those who have reserved room."""
        while self._reserved:
            await self._settled.park()

    def shrink(self, wanted: int) -> int:
        """Evict until ``used <= wanted`` or nothing is left to evict; bytes freed."""
        before = self.used
        if before > wanted:
            self._evict_closed(wanted)
        for shelf in list(self.shelves.values()):
            if self.used > wanted and not self._pinned[shelf.key]:
                shelf.evict(self.used - wanted)
        return before - self.used

    def save(self) -> None:
        """Write to the index what is known; survives ``kill -9`` afterwards."""
        for shelf in self.shelves.values():
            shelf.save()
        self.index.commit()

    def close_all(self) -> None:
        """Nothing comes in or is found afterwards; what is still read comes from the store."""
        self.limit = 0
        for key in list(self.shelves):
            self.close(key)
        self.index.close()

    def take_unswept(self) -> int | None:
        """A data directory that may hold files the index does not know."""
        return self._unswept.pop() if self._unswept else None

    def remove_strays(self, number: int, names: list[str]) -> None:
        """Delete those ``names`` of data directory ``number`` which the index does not know."""
        for name in names:
            if name not in self.shelves and self.index.find(ContentKey(name)) is None:
                self.files.remove_stray(number, name)

    @property
    def _slack(self) -> int:
        return min(_MOST_SLACK, self.limit // 32)

    def _blocks(self, key: ContentKey, size: int, present: Runs, unsummed: Runs) -> Blocks:
        return Blocks(size, present, unsummed, lambda number: self.index.chapter(key, number))

    def _evict_closed(self, wanted: int) -> None:
        after = -1
        while self.used > wanted:
            batch = self.index.oldest(_BATCH, after)
            if not batch:
                break
            after = batch[-1][1]
            closed = [key for key, _ in batch if key not in self.shelves and not self._pinned[key]]
            self._evict_some(closed, self.used - wanted)

    def _evict_some(self, keys: list[ContentKey], excess: int) -> None:
        whole = []
        for record in filter(None, map(self.index.find, keys)):
            if excess <= 0:
                break
            if record.occupied > max(excess, _CUT):
                self._cut(record, excess)
                break
            whole.append(record)
            excess -= record.occupied
        self._remove(whole)

    def _cut(self, record: Record, excess: int) -> None:
        shelf = Shelf(record.key, record.size, self.files, self.index, touch=False)
        shelf.evict(max(excess, _CUT))
        shelf.close()

    def _remove(self, records: list[Record]) -> None:
        self.index.used -= sum(record.occupied for record in records)
        self.index.commit([record.key for record in records])
        for record in records:
            self.files.remove(record.key)

    def _lost(self) -> None:
        """The index was started over: the files of what is unknown now are strays."""
        for shelf in self.shelves.values():
            shelf.save_again()
        closed = (record.occupied for record in self.index.pending() if record.key not in self.shelves)
        self.index.used = sum(shelf.occupied for shelf in self.shelves.values()) + sum(closed)
        self._unswept.update(range(FAN_OUT))
