"""What a patch takes of the old content: its data file if nobody has it open, else a copy.

`borrow` and `Loan.give_back` are for the trio thread, `Loan.apply` is what takes time and may run in another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from cloudfs.cache.blocks import Blocks
from cloudfs.cache.contract import ContentKey
from cloudfs.cache.ledger import Ledger
from cloudfs.cache.patch import Base, Patch, apply_patch, copy_blocks
from cloudfs.cache.runs import Runs
from cloudfs.cache.shelf import Shelf
from cloudfs.cache.sparse import new_file
from cloudfs.types import Extent

COPIED = 64 << 20
"""An open content of more bytes on disk is not copied; the new one then starts with the patched blocks only."""


class Loan:
    """A file at ``path``, outside of the ledger, that becomes the data file of the new content.

    ``descriptor`` is of the old content's data file, or -1. It is the file at ``path`` already, unless the old content
    was open: then the blocks have to be copied, and the old content is pinned until ``unpin`` is called.
    """

    def __init__(
        self, patch: Patch, base: Base, path: str, descriptor: int = -1, unpin: Callable[[], None] | None = None
    ) -> None:
        self.path = path
        self._patch = patch
        self._base = base
        self._descriptor = descriptor
        self._unpin = unpin

    def apply(self, staged: str) -> tuple[Runs, Runs]:
        """Make the file; its present and unsummed blocks. Blocks, and raises ``OSError``."""
        target = self._target()
        try:
            source = os.open(staged, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return apply_patch(self._patch, self._base, target, source)
            finally:
                os.close(source)
        finally:
            if target != self._descriptor:
                os.close(target)

    def give_back(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        if self._unpin is not None:
            self._unpin()
        with suppress(FileNotFoundError):
            os.unlink(self.path)

    def _target(self) -> int:
        if self._unpin is not None:
            return copy_blocks(self._descriptor, self.path, self._base)
        return self._descriptor if self._descriptor >= 0 else new_file(self.path)


def borrow(ledger: Ledger, old: ContentKey, key: ContentKey, size: int, extents: Sequence[Extent]) -> Loan:
    """Begin to make ``key`` out of ``old``. An ``old`` that is not open is not in the ledger afterwards."""
    ledger.forget(key)
    path = ledger.files.unfinished(key)
    shelf = ledger.shelves.get(old)
    if shelf is not None:
        return _copy_of(shelf, ledger, key, Patch(size, shelf.size, extents), path)
    taken = ledger.take(old, key, path)
    if taken is None:
        return Loan(Patch(size, 0, extents), Base(), path)
    blocks, descriptor = taken
    patch = Patch(size, blocks.size, extents)
    return Loan(patch, _base(blocks, patch), path, descriptor)


def _copy_of(shelf: Shelf, ledger: Ledger, key: ContentKey, patch: Patch, path: str) -> Loan:
    if not shelf.blocks.present or shelf.occupied > COPIED:
        return Loan(patch, Base(shelf.size), path)
    shelf.save()
    ledger.index.inherit(shelf.key, key)
    descriptor, _ = shelf.writer()
    ledger.pin(shelf.key)
    return Loan(patch, _base(shelf.blocks, patch), path, descriptor, partial(ledger.unpin, shelf.key))


def _base(blocks: Blocks, patch: Patch) -> Base:
    sums = {block: blocks.sum_of(block) for block in patch.mixed() if blocks.present.covers(block, block + 1)}
    return Base(blocks.size, blocks.present.copy(), blocks.unsummed.copy(), sums)
