"""Bytes to be stored: in memory, with holes, and such as stop or fail half way. And somebody who is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from cloudfs.stores.base import Source
from cloudfs.types import Extent


class BytesSource:
    """All data, no holes."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    def extents(self) -> Sequence[Extent]:
        return [Extent(0, self.size)] if self.size else []

    async def read(self, start: int, stop: int) -> bytes:
        assert 0 <= start <= stop <= self.size
        await trio.lowlevel.checkpoint()
        return self._data[start:stop]


class SparseSource:
    """Some data by offset, and holes. The extents are just the data, whatever the blocks of a file system are."""

    def __init__(self, size: int, data: Mapping[int, bytes]) -> None:
        self.size = size
        self._data = sorted(data.items())
        self.read_bytes = 0

    def extents(self) -> Sequence[Extent]:
        return [Extent(start, start + len(piece)) for start, piece in self._data]

    async def read(self, start: int, stop: int) -> bytes:
        assert 0 <= start <= stop <= self.size
        await trio.lowlevel.checkpoint()
        self.read_bytes += stop - start
        found = bytearray(stop - start)
        for at, piece in self._data:
            first, last = max(start, at), min(stop, at + len(piece))
            if first < last:
                found[first - start : last - start] = piece[first - at : last - at]
        return bytes(found)


class HeldSource:
    """Another source, whose reads from some offset on wait at a gate."""

    def __init__(self, source: Source, offset: int) -> None:
        self.size = source.size
        self.gate = trio.Event()
        self.reached = trio.Event()
        self._source = source
        self._offset = offset

    def extents(self) -> Sequence[Extent]:
        return self._source.extents()

    async def read(self, start: int, stop: int) -> bytes:
        if stop > self._offset:
            self.reached.set()
            await self.gate.wait()
        return await self._source.read(start, stop)


class UnreadableError(Exception):
    """What a `BrokenSource` raises; nothing that a store knows."""


class BrokenSource:
    """Another source, which cannot be read from some offset on."""

    def __init__(self, source: Source, offset: int) -> None:
        self.size = source.size
        self._source = source
        self._offset = offset

    def extents(self) -> Sequence[Extent]:
        return self._source.extents()

    async def read(self, start: int, stop: int) -> bytes:
        if stop > self._offset:
            raise UnreadableError
        return await self._source.read(start, stop)


class Progress:
    """A `Transfer` that remembers what it was told."""

    def __init__(self) -> None:
        self.sent = 0
        self._memo: bytes | None = None

    def advance(self, sent: int) -> None:
        assert sent >= 0
        self.sent += sent

    def recall(self) -> bytes | None:
        return self._memo

    def remember(self, memo: bytes) -> None:
        assert len(memo) <= 1 << 20
        self._memo = memo
