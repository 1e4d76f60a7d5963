"""Bookkeeping of blocks and sums."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.cache.blocks import BLOCK, CHAPTER, Blocks, blocks_of, checksum, checksums, occupied, unpack_chapter
from cloudfs.cache.runs import Runs
from cloudfs.cache.sums import Sums

from .conftest import noise


def nothing_saved(number: int) -> bytes:
    return b""


def fresh(size: int) -> Blocks:
    return Blocks(size, Runs(), Runs(), nothing_saved)


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [(0, 0, (0, 0)), (0, 1, (0, 1)), (0, BLOCK, (0, 1)), (BLOCK - 1, BLOCK + 1, (0, 2)), (BLOCK, 2 * BLOCK, (1, 2))],
)
def test_blocks_of_bytes(start: int, stop: int, expected: tuple[int, int]) -> None:
    assert blocks_of(start, stop) == expected


@given(st.integers(1, 10 * BLOCK))
def test_a_whole_content_occupies_its_size_in_pages(size: int) -> None:
    whole = occupied(size, Runs([blocks_of(0, size)]))
    assert size <= whole < size + 4096
    assert whole % 4096 == 0


def test_a_sum_tells_a_changed_block_and_a_shortened_one() -> None:
    data = noise(BLOCK)
    assert checksum(data) != checksum(data[:-1])
    assert checksum(data) != checksum(b"\0" + data[1:])
    assert checksums(data + b"tail") == [checksum(data), checksum(b"tail")]


def test_sound_blocks_become_trusted_and_others_absent() -> None:
    data = noise(3 * BLOCK)
    sums = checksums(data)
    blocks = Blocks(3 * BLOCK, Runs([(0, 3)]), Runs(), lambda number: packed)
    writer = fresh(3 * BLOCK)
    writer.add(0, sums)
    packed = writer.take_changed()[0]
    assert not blocks.check(0, [sums[0], 77, sums[2]])
    assert list(blocks.trusted) == list(blocks.present) == [(0, 1), (2, 3)]


def test_an_unsummed_block_gets_the_sum_it_has() -> None:
    blocks = Blocks(2 * BLOCK, Runs([(0, 2)]), Runs([(0, 2)]), nothing_saved)
    assert blocks.check(1, [5])
    assert list(blocks.unsummed) == [(0, 1)]
    assert blocks.sum_of(1) == 5
    assert blocks.trusted.covers(1, 2)


def test_sums_from_elsewhere_are_believed_and_the_bytes_are_not() -> None:
    fetched = fresh(3 * BLOCK)
    fetched.add(1, [7])
    saved = fetched.take_changed()
    blocks = Blocks(3 * BLOCK, Runs([(0, 3)]), Runs([(0, 1), (2, 3)]), lambda number: saved[number])
    sums = Sums(3 * BLOCK)
    sums.note(0, [5])
    blocks.learn(sums.blocks, sums.chapters)
    assert [blocks.sum_of(block) for block in range(3)] == [5, 7, 0]
    assert list(blocks.unsummed) == [(2, 3)]
    assert not blocks.trusted
    assert not blocks.check(0, [6])
    assert list(blocks.present) == [(1, 3)]
    assert list(unpack_chapter(blocks.take_changed()[0])[:3]) == [5, 7, 0]


def test_a_present_block_without_a_sum_is_not_believed() -> None:
    blocks = Blocks(BLOCK, Runs([(0, 1)]), Runs(), nothing_saved)
    assert not blocks.check(0, [5])
    assert not blocks.present


@given(st.dictionaries(st.integers(0, 3 * CHAPTER), st.integers(1, (1 << 64) - 1), max_size=20))
def test_sums_survive_packing(sums: dict[int, int]) -> None:
    blocks = fresh(4 * CHAPTER * BLOCK)
    for block, value in sums.items():
        blocks.add(block, [value])
    packed = blocks.take_changed()
    again = Blocks(blocks.size, blocks.present, Runs(), lambda number: packed.get(number, b""))
    assert {block: again.sum_of(block) for block in sums} == sums
    assert blocks.take_changed() == {}


@given(st.binary(max_size=4000))
def test_any_bytes_are_a_chapter(packed: bytes) -> None:
    assert len(unpack_chapter(packed)) == CHAPTER


def test_a_file_cut_off_loses_its_end_only() -> None:
    blocks = Blocks(10 * BLOCK, Runs([(0, 10)]), Runs([(0, 10)]), nothing_saved)
    assert not blocks.cut(10 * BLOCK)
    assert blocks.cut(4 * BLOCK + 1)
    assert list(blocks.present) == list(blocks.unsummed) == [(0, 4)]
