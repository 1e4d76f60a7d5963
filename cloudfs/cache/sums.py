"""Sums of blocks that pass by on their way to the store, for the cache to know them when it adopts the file."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from cloudfs.cache.blocks import CHAPTER, SHIFT, checksums, whole_blocks
from cloudfs.cache.runs import Runs


class Sums:
    """What some ``blocks`` of a content of ``size`` bytes sum to.

    ``chapters`` are as in `cloudfs.cache.blocks`, and only those in which a block was noted: they take 8 bytes for 64
    KiB of data, and nothing for a hole, however large.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.blocks = Runs()
        self.chapters: dict[int, array[int]] = {}

    def measure(self, start: int, data: bytes) -> tuple[int, list[int]]:
        """The arguments of `note` for the bytes from ``start`` on. Changes nothing, so any thread may do it."""
        first, last = whole_blocks(start, start + len(data), self.size)
        if first >= last:
            return first, []
        return first, checksums(memoryview(data)[(first << SHIFT) - start : (last << SHIFT) - start])

    def note(self, first: int, sums: Sequence[int]) -> None:
        """Blocks from ``first`` on have these sums, whatever was noted of them before."""
        for block, value in enumerate(sums, first):
            number, at = divmod(block, CHAPTER)
            chapter = self.chapters.get(number)
            if chapter is None:
                chapter = self.chapters[number] = array("Q", bytes(8 * CHAPTER))
            chapter[at] = value
        self.blocks.add(first, first + len(sums))
