"""quickXorHash, the checksum that every kind of OneDrive keeps (20 bytes, given in base64).

Byte ``i`` of a file is XORed into a circle of 160 bits at bit ``11 * i mod 160``, and the length, as 64 bits little
endian, into the last 8 bytes. Bytes whose offsets are equal modulo 160 meet in the same place, so whole columns are
XORed first, by numpy and without the interpreter's lock, and turned into place once in the end. It is no cryptographic
hash: it tells bytes that were damaged, not bytes that somebody chose.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy
import trio

from cloudfs.stores.base import Source
from cloudfs.types import Extent

ALGORITHM = "quickxor"
_PERIOD = 160
_WORDS = _PERIOD // 8
_BITS = 160
_SHIFT = 11
_MASK = (1 << _BITS) - 1
_READ = 1 << 20
_INLINE = 64 << 10


class QuickXor:
    """Bytes may be added in any order, each once; those that never are count as zeros."""

    def __init__(self) -> None:
        self._columns = numpy.zeros(_PERIOD, dtype=numpy.uint8)

    def add(self, at: int, data: bytes) -> None:
        """``data`` is what the file has from offset ``at`` on."""
        lead = -at % _PERIOD
        head, body = data[:lead], memoryview(data)[lead:]
        whole = len(body) // _PERIOD * _PERIOD
        if whole:
            words = numpy.frombuffer(body[:whole], dtype=numpy.uint64).reshape(-1, _WORDS)
            self._columns ^= numpy.bitwise_xor.reduce(words, axis=0).view(numpy.uint8)
        self._add_few(at % _PERIOD, head)
        self._add_few(0, bytes(body[whole:]))

    def finish(self, size: int) -> str:
        """The hash of a file of ``size`` bytes."""
        result = 0
        for index, byte in enumerate(self._columns.tolist()):
            shifted = byte << (index * _SHIFT % _BITS)
            result ^= shifted & _MASK ^ shifted >> _BITS
        result ^= size << (_BITS - 64)
        return base64.b64encode(result.to_bytes(_BITS // 8, "little")).decode()

    def _add_few(self, column: int, data: bytes) -> None:
        if data:
            self._columns[column : column + len(data)] ^= numpy.frombuffer(data, dtype=numpy.uint8)


async def digest(source: Source) -> str:
    """The hash of all bytes of a source; holes are not read."""
    hasher = QuickXor()
    await add_range(hasher, source, 0, source.size)
    return hasher.finish(source.size)


async def digest_of(data: bytes) -> str:
    hasher = QuickXor()
    await add_bytes(hasher, 0, data)
    return hasher.finish(len(data))


async def add_range(hasher: QuickXor, source: Source, start: int, stop: int) -> None:
    """Read and add what a source has between two offsets."""
    for extent in _within(source.extents(), start, stop):
        for at in range(extent.start, extent.stop, _READ):
            await add_bytes(hasher, at, await source.read(at, min(at + _READ, extent.stop)))


async def add_bytes(hasher: QuickXor, at: int, data: bytes) -> None:
    """In a thread, if it takes longer than going there."""
    if len(data) <= _INLINE:
        hasher.add(at, data)
    else:
        await trio.to_thread.run_sync(hasher.add, at, data)


def _within(extents: Sequence[Extent], start: int, stop: int) -> list[Extent]:
    cut = [Extent(max(extent.start, start), min(extent.stop, stop)) for extent in extents]
    return [extent for extent in cut if extent.start < extent.stop]
