"""One version that somebody has open: its shelf on disk, and the requests under way for what is not there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import trio

from cloudfs.cache.blocks import PAGE, SHIFT, blocks_of, checksums
from cloudfs.cache.contract import ContentKey, Fetch
from cloudfs.cache.fetch import Flights, Piece
from cloudfs.cache.ledger import Ledger
from cloudfs.cache.runs import Run
from cloudfs.cache.shelf import Shelf
from cloudfs.cache.sparse import write_all

log = logging.getLogger(__name__)

_INLINE = 128 << 10
"""Writing so many bytes to the page cache is cheaper than asking a thread to do it."""


class Content:
    """Shared by all readers of ``key``, who `hold` it. ``retire(key)`` is called when the last has let go."""

    def __init__(self, key: ContentKey, size: int, ledger: Ledger, retire: Callable[[ContentKey], None]) -> None:
        self.key = key
        self.size = size
        self.shelf: Shelf = ledger.open(key, size)
        self._ledger = ledger
        self._flights = Flights(size, self._keep)
        self._retire = retire
        self._holders = 0
        self._complained = False

    def hold(self) -> None:
        self._holders += 1

    def let_go(self) -> None:
        self._holders -= 1
        if not self._holders:
            self._retire(self.key)

    async def read(self, start: int, stop: int, fetch: Fetch) -> bytes:
        """The bytes ``[start, stop)``, from the disk where they are sound, else fetched."""
        first, last = blocks_of(start, stop)
        here, missing = self._look(first, last)
        return join(here + await self._flights.land(missing, fetch), start, stop)

    async def bring(self, first: int, last: int, fetch: Fetch) -> None:
        """Fetch what is not here of the blocks ``[first, last)``."""
        await self._flights.land(self.shelf.blocks.present.gaps(first, last), fetch)

    def _look(self, first: int, last: int) -> tuple[list[Piece], list[Run]]:
        """What is on disk of the blocks ``[first, last)``, and which are not."""
        blocks = self.shelf.blocks
        pieces: list[Piece] = []
        missing: list[Run] = []
        unseen = [(first, last)]
        while unseen:
            run = unseen.pop()
            missing += blocks.present.gaps(*run)
            for here in blocks.present.overlap(*run):
                start, stop = blocks.bytes_of(*here)
                data = self.shelf.read(start, stop)
                if data is not None:
                    pieces.append((start, data))
                elif blocks.present.covers(*here):
                    missing.append(here)
                else:  # some of it turned out to be damaged, and is absent now
                    unseen.append(here)
        return pieces, sorted(missing)

    async def _keep(self, first: int, data: bytes) -> None:
        """Put what was fetched on disk, if there is room. If that fails, its readers still have it in memory."""
        reserved = -(-len(data) // PAGE) * PAGE
        if not self._ledger.reserve(reserved):
            return
        try:
            descriptor, generation = self.shelf.writer()
            sums = await _write(descriptor, data, first << SHIFT)
        except OSError as error:
            self._complain(error)
            return
        finally:
            self._ledger.release(reserved)
        self.shelf.stored(first, sums, generation)

    def _complain(self, error: OSError) -> None:
        """Once; a full disk need not fill the log as well."""
        if not self._complained:
            self._complained = True
            log.warning("%s is read without being cached: %s", self.key, error)


def join(pieces: list[Piece], start: int, stop: int) -> bytes:
    """The bytes ``[start, stop)`` of pieces that cover them, in any order; they may overlap."""
    parts: list[memoryview] = []
    for begin, data in sorted(pieces, key=lambda piece: piece[0]):
        if begin <= start < begin + len(data) and start < stop:
            parts.append(memoryview(data)[start - begin : stop - begin])
            start += len(parts[-1])
    return b"".join(parts)


async def _write(descriptor: int, data: bytes, offset: int) -> list[int]:
    """Write and sum; closes ``descriptor``."""
    if len(data) <= _INLINE:
        return _write_now(descriptor, data, offset)
    try:
        return await trio.to_thread.run_sync(_write_now, descriptor, data, offset)
    except trio.Cancelled:  # before the thread began: once begun, it is waited for
        os.close(descriptor)
        raise


def _write_now(descriptor: int, data: bytes, offset: int) -> list[int]:
    try:
        write_all(descriptor, data, offset)
    finally:
        os.close(descriptor)
    return checksums(data)
