"""A changed version out of an old one: the old data file with the staged extents over it.

`Patch` says, without I/O, which blocks come out right; `apply_patch` makes the file, and may run in any thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudfs.cache.blocks import BLOCK, SHIFT, blocks_of, checksum, whole_blocks
from cloudfs.cache.runs import Runs
from cloudfs.cache.sparse import copy_range, new_file
from cloudfs.types import Extent


@dataclass(frozen=True, slots=True)
class Base:
    """What there is of the old content: a data file of the caller's own, and the blocks in it.

    ``sums`` has those of the summed blocks that `Patch.mixed` names. The blocks may be changed by who is given a base.
    """

    size: int = 0
    present: Runs = field(default_factory=Runs)
    unsummed: Runs = field(default_factory=Runs)
    sums: Mapping[int, int] = field(default_factory=dict)


class Patch:
    """The new content has ``size`` bytes: those of ``extents``, and for the rest those of a base of ``old_size``.

    What is in neither (between the end of the base and the end of the new content) is not known here.
    """

    def __init__(self, size: int, old_size: int, extents: Sequence[Extent]) -> None:
        self.size = size
        self.extents = Runs((extent.start, min(extent.stop, size)) for extent in extents)
        self.kept = min(size, old_size)
        self._touched = Runs(blocks_of(start, stop) for start, stop in self.extents)
        if size != old_size and self.kept % BLOCK:
            self._touched.add(*blocks_of(self.kept - 1, self.kept))

    def mixed(self) -> list[int]:
        """Blocks that consist of old and new bytes. There are at most two for each extent, and one at the old end."""
        edges = {edge >> SHIFT for run in self.extents for edge in (run[0], run[1] - 1)}
        if self.kept % BLOCK:
            edges.add(self.kept >> SHIFT)
        return sorted(block for block in edges if self._is_mixed(block))

    def result(self, base: Base) -> tuple[Runs, Runs]:
        """The present and the unsummed blocks of the new content."""
        known = Runs(self.extents)
        for first, last in base.present:
            known.add(first << SHIFT, min(last << SHIFT, self.kept))
        present = Runs(whole_blocks(*run, self.size) for run in known)
        unsummed = Runs(run for run in base.unsummed)
        for run in self._touched:
            unsummed.add(*run)
        for gap in present.gaps(0, unsummed.end):
            unsummed.remove(*gap)
        return present, unsummed

    def _is_mixed(self, block: int) -> bool:
        return self._touched.covers(block, block + 1) and not self.extents.covers(
            block << SHIFT, min((block + 1) << SHIFT, self.size)
        )


def apply_patch(patch: Patch, base: Base, target: int, staged: int) -> tuple[Runs, Runs]:
    """Make ``target``, a data file with the blocks of ``base``, the new content; `Patch.result`.

    Old bytes are checked before they become part of a block without a sum.
    """
    for block in patch.mixed():
        if not _sound(target, block, base):
            base.present.remove(block, block + 1)
    for start, stop in patch.extents:
        copy_range(staged, target, start, stop)
    os.ftruncate(target, patch.size)
    return patch.result(base)


def copy_blocks(source: int, path: str, base: Base) -> int:
    """A descriptor of a new file at ``path`` with the blocks of ``base``, which ``source`` has."""
    target = new_file(path)
    try:
        for first, last in base.present:
            copy_range(source, target, first << SHIFT, min(last << SHIFT, base.size))
    except OSError:
        os.close(target)
        raise
    return target


def _sound(descriptor: int, block: int, base: Base) -> bool:
    start, stop = block << SHIFT, min((block + 1) << SHIFT, base.size)
    if not base.present.covers(block, block + 1):
        return False
    data = os.pread(descriptor, stop - start, start)
    if len(data) != stop - start:
        return False
    return base.unsummed.covers(block, block + 1) or checksum(data) == base.sums.get(block)
