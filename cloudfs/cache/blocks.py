"""Which blocks of one content are on disk, and what they must sum to. Bookkeeping only; no I/O.

A block is *present*: its bytes are in the data file. It may be *summed*: the index has its 64-bit xxh3; the bytes of
an unsummed block (adopted from staging, and not read on its way to the store) are believed as long as this boot lasts.
It becomes *trusted* when this opening of the content has compared it with its sum, or written it.

Sums come in chapters of 256 blocks (16 MiB), loaded when the first block of a chapter is checked, so that opening
a huge file costs nothing. A sum is never 0; 0 in a chapter means that there is none.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence

from xxhash import xxh3_64_intdigest

from cloudfs.cache.runs import Run, Runs

SHIFT = 16
BLOCK = 1 << SHIFT
"""Bytes of a block; the last of a content may be shorter."""
CHAPTER = 256
"""Blocks whose sums are kept in one row of the index."""
PAGE = 4096
"""What the disk hands out, as far as accounting goes."""


def blocks_of(start: int, stop: int) -> Run:
    """The blocks that the bytes ``[start, stop)`` touch."""
    return start >> SHIFT, (stop + BLOCK - 1) >> SHIFT


def whole_blocks(start: int, stop: int, size: int) -> Run:
    """The blocks of a content of ``size`` bytes that lie in ``[start, stop)`` whole; none if the second is not more."""
    return blocks_of(start, start)[1], blocks_of(0, size)[1] if stop == size else stop >> SHIFT


def checksum(data: bytes | memoryview) -> int:
    return xxh3_64_intdigest(data) or 1


def checksums(data: bytes | memoryview) -> list[int]:
    """Of each block of ``data``, which starts at a block boundary."""
    view = memoryview(data)
    return [checksum(view[at : at + BLOCK]) for at in range(0, len(view), BLOCK)]


def occupied(size: int, present: Runs) -> int:
    """Bytes that the present blocks of a content of ``size`` bytes take on disk."""
    tail = size % BLOCK
    unused = BLOCK - -(-tail // PAGE) * PAGE if tail and present.covers(size >> SHIFT, (size >> SHIFT) + 1) else 0
    return present.total * BLOCK - unused


class Blocks:
    """The blocks of one content. ``load(n)`` gets the packed sums of chapter ``n`` from the index, or ``b""``."""

    def __init__(self, size: int, present: Runs, unsummed: Runs, load: Callable[[int], bytes]) -> None:
        self.size = size
        self.count = blocks_of(0, size)[1]
        self.present = present
        self.unsummed = unsummed
        self.trusted = Runs()
        self._load = load
        self._chapters: dict[int, array[int]] = {}
        self._changed: set[int] = set()

    @property
    def occupied(self) -> int:
        return occupied(self.size, self.present)

    @property
    def whole(self) -> bool:
        return self.present.total == self.count

    def bytes_of(self, first: int, last: int) -> Run:
        """The bytes of the blocks ``[first, last)``."""
        return first << SHIFT, min(last << SHIFT, self.size)

    def add(self, first: int, sums: Sequence[int]) -> None:
        """Blocks from ``first`` on were written, and have these sums."""
        last = first + len(sums)
        for block, value in enumerate(sums, first):
            self._set_sum(block, value)
        self.unsummed.remove(first, last)
        self.present.add(first, last)
        self.trusted.add(first, last)

    def learn(self, blocks: Runs, chapters: Mapping[int, array[int]]) -> None:
        """The sums of ``blocks`` are in ``chapters``. None of them is trusted for it: what is on disk was not read."""
        for number, sums in chapters.items():
            known = self._chapter(number)
            self._chapters[number] = array("Q", [new or old for new, old in zip(sums, known, strict=True)])
        self._changed.update(chapters)
        for run in blocks:
            self.unsummed.remove(*run)

    def check(self, first: int, sums: Sequence[int]) -> bool:
        """Compare what was read from the disk; sound blocks become trusted, others absent. True if all are sound.

        An unsummed block gets the sum it has now, which is what makes it outlive a reboot.
        """
        sound = True
        for block, value in enumerate(sums, first):
            if self.unsummed.covers(block, block + 1):
                self.add(block, [value])
            elif value == self.sum_of(block):
                self.trusted.add(block, block + 1)
            else:
                self.drop(block, block + 1)
                sound = False
        return sound

    def sum_of(self, block: int) -> int:
        """0 if there is none."""
        return self._chapter(block // CHAPTER)[block % CHAPTER]

    def drop(self, first: int, last: int) -> None:
        """These blocks are not on disk any more. Their sums may stay: they are still true of those bytes."""
        self.present.remove(first, last)
        self.unsummed.remove(first, last)
        self.trusted.remove(first, last)

    def cut(self, length: int) -> bool:
        """The data file has ``length`` bytes: blocks that do not fit into it are dropped. True if there were any."""
        if not self.present or length >= self.bytes_of(0, self.present.end)[1]:
            return False
        self.drop(length >> SHIFT, self.count)
        return True

    def take_changed(self) -> dict[int, bytes]:
        """The chapters changed since the last call, packed for the index."""
        changed = {number: pack_chapter(self._chapters[number]) for number in self._changed}
        self._changed.clear()
        return changed

    def change_all(self) -> None:
        """The index has lost the sums; those known here are news to it."""
        self._changed.update(self._chapters)

    def _set_sum(self, block: int, value: int) -> None:
        number, at = divmod(block, CHAPTER)
        self._chapter(number)[at] = value
        self._changed.add(number)

    def _chapter(self, number: int) -> array[int]:
        chapter = self._chapters.get(number)
        if chapter is None:
            chapter = self._chapters[number] = unpack_chapter(self._load(number))
        return chapter


def pack_chapter(sums: array[int]) -> bytes:
    """Without the zeros at its end, so that a small file costs 8 bytes."""
    return sums.tobytes().rstrip(b"\0")


def unpack_chapter(packed: bytes) -> array[int]:
    """The reverse, whatever ``packed`` is: a wrong sum only makes its block absent."""
    return array("Q", packed[: CHAPTER * 8].ljust(CHAPTER * 8, b"\0"))
