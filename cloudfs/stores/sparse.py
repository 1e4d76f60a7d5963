"""Content with holes: how it is read in pieces, and a checksum for which a hole and written zeros are the same."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import trio
import xxhash

from cloudfs.stores.base import Source
from cloudfs.types import Extent

ALGORITHM = "sparse-xxh3"
BLOCK = 4096
"""Bytes that are data or hole together. Extents are widened to whole blocks."""
BATCH = 4 << 20
"""Bytes that are read, written or hashed in one go."""

_ZEROS = bytes(BLOCK)

Piece = tuple[int, bytes]
"""Where it starts, and the bytes."""


class SparseDigest:
    """xxh3, 128 bits, of every block that is not all zeros, of where the runs of such blocks are, and of the size.

    Fed with ascending pieces that begin at a block; blocks that were not given count as zeros. So the result depends
    on what a reader sees and not on where a file system keeps holes, and a terabyte of holes costs nothing.
    """

    def __init__(self) -> None:
        self._hash = xxhash.xxh3_128()
        self._start = 0
        self._stop = 0

    def add(self, start: int, data: bytes) -> None:
        """The bytes from ``start`` on, a multiple of `BLOCK` and not before the end of the piece before."""
        view = memoryview(data)
        for first, last in _runs(data):
            if start + first != self._stop:
                self._end_run()
                self._start = start + first
            self._hash.update(view[first:last])
            self._stop = start + last

    def add_all(self, pieces: Iterable[Piece]) -> None:
        for start, data in pieces:
            self.add(start, data)

    def finish(self, size: int) -> str:
        """The checksum of a file of that size, in hexadecimal. Nothing can be added afterwards."""
        self._end_run()
        self._hash.update(struct.pack("<Q", size))
        return self._hash.hexdigest()

    def _end_run(self) -> None:
        if self._stop > self._start:
            self._hash.update(struct.pack("<QQ", self._start, self._stop))


def _runs(data: bytes) -> Iterator[tuple[int, int]]:
    """The longest ranges of whole blocks of which none is all zeros."""
    begin: int | None = None
    for at in range(0, len(data), BLOCK):
        rest = len(data) - at
        if not data.startswith(_ZEROS if rest >= BLOCK else _ZEROS[:rest], at):
            begin = at if begin is None else begin
        elif begin is not None:
            yield begin, at
            begin = None
    if begin is not None:
        yield begin, len(data)


def batches(extents: Iterable[Extent], size: int) -> Iterator[Sequence[Extent]]:
    """All extents, widened to whole blocks within ``size``, cut and grouped: at most `BATCH` bytes in a group."""
    batch: list[Extent] = []
    room = BATCH
    for extent in _whole_blocks(extents, size):
        at = extent.start
        while at < extent.stop:
            piece = Extent(at, min(extent.stop, at + room))
            batch.append(piece)
            at = piece.stop
            room -= len(piece)
            if room < BLOCK:
                yield batch
                batch, room = [], BATCH
    if batch:
        yield batch


def _whole_blocks(extents: Iterable[Extent], size: int) -> Iterator[Extent]:
    last: Extent | None = None
    for extent in extents:
        if not len(extent):
            continue
        start = extent.start // BLOCK * BLOCK
        stop = min(-(-extent.stop // BLOCK) * BLOCK, size)
        if last is None:
            last = Extent(start, stop)
        elif start <= last.stop:
            last = Extent(last.start, stop)
        else:
            yield last
            last = Extent(start, stop)
    if last is not None:
        yield last


async def read_batch(source: Source, batch: Iterable[Extent]) -> list[Piece]:
    """The bytes of some extents, each in one read."""
    return [(extent.start, await source.read(extent.start, extent.stop)) for extent in batch]


async def source_digest(source: Source, limiter: trio.CapacityLimiter | None = None) -> str:
    """The checksum of local bytes, hashed in a thread."""
    digest = SparseDigest()
    for batch in batches(source.extents(), source.size):
        pieces = await read_batch(source, batch)
        await trio.to_thread.run_sync(digest.add_all, pieces, limiter=limiter)
    return digest.finish(source.size)
