"""Pieces of files that are not published yet, for a store in memory; and how a file is put together from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from cloudfs.errors import BrokenAnswer, NotFound
from cloudfs.stores.base import Location, Piece, Source
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import Extent

_STEP = 1 << 20


class MemoryPieces:
    """Implements `Pieces`. A piece that an object owns must not be dropped: that is the caller's mistake."""

    def __init__(self, tree: MemoryTree, size: int, begin: Callable[[str], Awaitable[None]]) -> None:
        self.size = size
        self._tree = tree
        self._begin = begin

    async def put(self, location: Location, source: Source, start: int, stop: int) -> Piece:
        await self._begin("put_piece")
        data = b"".join([await source.read(at, min(at + _STEP, stop)) for at in range(start, stop, _STEP)])
        return Piece(start, stop, self._tree.add_piece(data))

    async def read(self, piece: Piece, start: int, stop: int) -> bytes:
        await self._begin("read_piece")
        data = self._tree.pieces.get(piece.token)
        if data is None:
            raise NotFound(f"there is no piece {piece.token}")
        return data[start - piece.start : stop - piece.start]

    async def drop(self, piece: Piece) -> None:
        await self._begin("drop_piece")
        if self._tree.owns(piece.token):
            raise AssertionError(f"an object owns piece {piece.token}")
        self._tree.pieces.pop(piece.token, None)


class Assembled:
    """A source of which some bytes are here already: what is in ``parts`` is not read from ``source``.

    ``parts`` are ordered and disjoint.
    """

    def __init__(self, source: Source, parts: Sequence[tuple[int, bytes]]) -> None:
        self.size = source.size
        self._source = source
        self._parts = parts

    def extents(self) -> Sequence[Extent]:
        return self._source.extents()

    async def read(self, start: int, stop: int) -> bytes:
        found: list[bytes] = []
        for at, data in self._overlapping(start, stop):
            if at > start:
                found.append(await self._source.read(start, at))
                start = at
            found.append(data[start - at : stop - at])
            start += len(found[-1])
        if start < stop:
            found.append(await self._source.read(start, stop))
        return b"".join(found)

    def _overlapping(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        return ((at, data) for at, data in self._parts if at < stop and start < at + len(data))


def pieces_of(tree: MemoryTree, pieces: Sequence[Piece]) -> list[tuple[int, bytes]]:
    """Where they begin, and their bytes. Raises `BrokenAnswer` if one is gone, or other than it should be."""
    found = []
    for piece in pieces:
        data = tree.pieces.get(piece.token, b"")
        if len(data) != piece.stop - piece.start:
            raise BrokenAnswer(f"piece {piece.token} is gone")
        found.append((piece.start, data))
    return found
