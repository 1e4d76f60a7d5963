"""Content with holes, and its checksum."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cloudfs.stores.sparse import BATCH, BLOCK, SparseDigest, batches, source_digest
from cloudfs.types import Extent
from tests.stores.sources import BytesSource, SparseSource

SIZE = 40 * BLOCK


def digest_of(data: bytes, cuts: list[int]) -> str:
    """The checksum of bytes that are given in pieces, cut at these blocks; pieces of zeros are left out."""
    digest = SparseDigest()
    edges = [0, *sorted(cut * BLOCK for cut in set(cuts)), len(data)]
    for start, stop in itertools.pairwise(edges):
        piece = data[start:stop]
        if piece.strip(b"\0"):
            digest.add(start, piece)
    return digest.finish(len(data))


@st.composite
def extents(draw: st.DrawFn) -> list[Extent]:
    edges = sorted(draw(st.sets(st.integers(0, SIZE), max_size=12)))
    return [Extent(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=False)]


@given(st.lists(st.sampled_from([b"\0", b"a", b"\0a"]), max_size=20), st.integers(0, BLOCK), st.data())
def test_the_checksum_does_not_depend_on_the_pieces(blocks: list[bytes], rest: int, data: st.DataObject) -> None:
    whole = b"".join((block * BLOCK)[:BLOCK] for block in blocks) + b"\0" * rest
    cuts = st.lists(st.integers(0, len(blocks)), max_size=8)
    assert digest_of(whole, data.draw(cuts)) == digest_of(whole, data.draw(cuts)) == digest_of(whole, [])


def test_the_checksum_is_of_the_bytes_of_their_place_and_of_the_size() -> None:
    block = b"x" * BLOCK
    hole = bytes(BLOCK)
    different = [
        b"",
        b"\0",
        hole,
        hole * 2,
        block,
        block + hole,
        hole + block,
        block * 2,
        block + hole + block,
        block[:-1],
        block[:-1] + b"\0",
        block[:-1] + b"y",
    ]
    assert len({digest_of(data, []) for data in different}) == len(different)


@given(extents(), st.integers(0, BLOCK))
def test_batches_cover_the_extents_with_whole_blocks(wanted: list[Extent], less: int) -> None:
    size = SIZE - less
    wanted = [Extent(min(extent.start, size), min(extent.stop, size)) for extent in wanted]
    found = [piece for batch in batches(wanted, size) for piece in batch]
    covered = {block for piece in found for block in range(piece.start // BLOCK, -(-piece.stop // BLOCK))}
    assert covered == {
        block for one in wanted if len(one) for block in range(one.start // BLOCK, -(-one.stop // BLOCK))
    }
    assert all(piece.start % BLOCK == 0 and (piece.stop % BLOCK == 0 or piece.stop == size) for piece in found)
    assert all(before.stop < after.start for before, after in itertools.pairwise(found))


def test_batches_are_cut() -> None:
    size = 3 * BATCH + 5
    cut = list(batches([Extent(0, BLOCK), Extent(2 * BLOCK, size)], size))
    assert [sum(map(len, batch)) for batch in cut] == [BATCH, BATCH, BATCH - BLOCK + 5]
    assert list(batches([], size)) == []


async def test_only_data_is_read() -> None:
    source = SparseSource(1 << 50, {1 << 49: b"far out"})
    digest = await source_digest(source)
    assert source.read_bytes == BLOCK
    assert digest != await source_digest(SparseSource(1 << 50, {}))
    assert await source_digest(BytesSource(b"")) == await source_digest(SparseSource(0, {}))
