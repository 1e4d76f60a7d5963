"""`Store.pieces` and `Known`: what the store has already need not be sent, and comes out right all the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cloudfs.errors import BrokenAnswer, NotFound
from cloudfs.stores.base import Entry, Known, Piece, Pieces
from cloudfs.types import Extent, Version
from tests.stores.conformance.bench import FILE, Bench, content
from tests.stores.sources import BytesSource, Progress


def pieces_of(bench: Bench) -> Pieces:
    if bench.store.pieces is None:
        pytest.skip("this store takes no pieces")
    return bench.store.pieces


async def sent(bench: Bench, path: bytes, data: bytes) -> list[Piece]:
    """All whole pieces of a file, sent."""
    pieces, source = pieces_of(bench), BytesSource(data)
    place = await bench.at(path)
    starts = range(0, len(data) - pieces.size + 1, pieces.size)
    return [await pieces.put(place, source, start, start + pieces.size) for start in starts]


async def put(bench: Bench, path: bytes, data: bytes, known: Known, replaces: Version | None = None) -> Entry:
    place = await bench.at(path)
    return await bench.store.put(place, BytesSource(data), FILE, replaces=replaces, transfer=Progress(), known=known)


async def put_pieces(bench: Bench, data: bytes, pieces: Sequence[Piece], replaces: Version | None = None) -> Entry:
    return await put(bench, b"large", data, Known(pieces=pieces), replaces)


async def test_pieces_are_there_and_not_visible(bench: Bench) -> None:
    data = content(2 * pieces_of(bench).size + 7)
    first, second = await sent(bench, b"large", data)
    assert (
        await pieces_of(bench).read(second, second.start + 3, second.stop - 5)
        == data[second.start + 3 : second.stop - 5]
    )
    assert await pieces_of(bench).read(first, first.start, first.stop) == data[: first.stop]
    assert await bench.names() == []


async def test_another_process_can_read_them(bench: Bench) -> None:
    data = content(pieces_of(bench).size)
    (piece,) = await sent(bench, b"large", data)
    assert bench.other.pieces is not None
    assert await bench.other.pieces.read(piece, piece.start, piece.stop) == data


async def test_a_dropped_piece_is_gone(bench: Bench) -> None:
    first, second = await sent(bench, b"large", content(2 * pieces_of(bench).size))
    await pieces_of(bench).drop(first)
    await pieces_of(bench).drop(first)
    with pytest.raises(NotFound):
        await pieces_of(bench).read(first, first.start, first.stop)
    assert len(await pieces_of(bench).read(second, second.start, second.stop)) == second.stop - second.start


@pytest.mark.parametrize("chosen", [slice(None), slice(1), slice(1, None), slice(1, 2)])
@pytest.mark.parametrize("tail", [0, 7])
async def test_a_file_is_put_together(bench: Bench, chosen: slice, tail: int) -> None:
    data = content(3 * pieces_of(bench).size + tail)
    pieces = await sent(bench, b"large", data)
    entry = await put_pieces(bench, data, pieces[chosen])
    assert entry.size == len(data)
    assert await bench.read(b"large") == data


async def test_its_checksum_is_that_of_the_whole(bench: Bench) -> None:
    data = content(2 * pieces_of(bench).size + 7)
    entry = await put_pieces(bench, data, await sent(bench, b"large", data))
    checksum = await bench.store.checksum(await bench.at(b"large"), entry.version)
    assert checksum in ("", await bench.store.digest(BytesSource(data)))


async def test_the_pieces_of_an_unanswered_put_serve_the_next(bench: Bench) -> None:
    size = pieces_of(bench).size
    data = content(2 * size + 7)
    pieces = await sent(bench, b"large", data)
    entry = await put_pieces(bench, data, pieces)
    changed = data[:-7] + b"changed at the end"
    await put_pieces(bench, changed, pieces, entry.version)
    assert await bench.read(b"large") == changed


async def test_they_go_with_their_object(bench: Bench) -> None:
    data = content(2 * pieces_of(bench).size)
    pieces = await sent(bench, b"large", data)
    entry = await put_pieces(bench, data, pieces)
    await bench.store.delete(await bench.at(b"large"), entry.version)
    for piece in pieces:
        with pytest.raises(NotFound):
            await pieces_of(bench).read(piece, piece.start, piece.stop)


async def test_a_missing_piece_publishes_nothing(bench: Bench) -> None:
    data = content(2 * pieces_of(bench).size)
    pieces = await sent(bench, b"large", data)
    await pieces_of(bench).drop(pieces[0])
    with pytest.raises(BrokenAnswer):
        await put_pieces(bench, data, pieces)
    assert await bench.names() == []


# --- what is unchanged ---------------------------------------------------------------------------------------------


OLD = content(300_000)
NEW = OLD[:1000] + b"patched" + OLD[1007:] + b"appended"
KEPT = [Extent(0, 1000), Extent(1007, len(OLD))]


async def test_unchanged_bytes_come_from_the_version_before(bench: Bench) -> None:
    entry = await bench.put(b"file", OLD)
    known = Known(await bench.at(b"file"), entry.version, KEPT)
    await put(bench, b"file", NEW, known, entry.version)
    assert await bench.read(b"file") == NEW


async def test_they_come_from_another_place(bench: Bench) -> None:
    entry = await bench.put(b"old", OLD)
    await put(bench, b"new", NEW, Known(await bench.at(b"old"), entry.version, KEPT))
    assert await bench.read(b"new") == NEW
    assert await bench.read(b"old") == OLD


async def test_they_are_read_if_that_is_another_version_by_now(bench: Bench) -> None:
    entry = await bench.put(b"old", OLD)
    known = Known(await bench.at(b"old"), entry.version, KEPT)
    await bench.put(b"old", b"something else", replaces=entry.version)
    await put(bench, b"new", NEW, known)
    assert await bench.read(b"new") == NEW


async def test_unchanged_bytes_and_pieces_together(bench: Bench) -> None:
    size = pieces_of(bench).size
    old = content(size + 500)
    entry = await bench.put(b"large", old)
    new = old + content(3 * size)
    piece = await pieces_of(bench).put(await bench.at(b"large"), BytesSource(new), 2 * size, 3 * size)
    known = Known(await bench.at(b"large"), entry.version, [Extent(0, len(old))], [piece])
    await put(bench, b"large", new, known, entry.version)
    assert await bench.read(b"large") == new
