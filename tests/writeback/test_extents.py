"""`Extents` behaves like the set of byte offsets that it stands for."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from cloudfs.types import Extent
from cloudfs.writeback.extents import Extents

LIMIT = 40
offsets = st.integers(0, LIMIT)
ranges = st.tuples(offsets, offsets).map(lambda pair: Extent(min(pair), max(pair)))
changes = st.lists(st.one_of(ranges, offsets), max_size=12)
"""A range is added, a number cuts."""


def play(script: list[Extent | int]) -> tuple[Extents, set[int]]:
    extents, model = Extents(), set[int]()
    for change in script:
        if isinstance(change, Extent):
            extents.add(change.start, change.stop)
            model |= set(range(change.start, change.stop))
        else:
            extents.cut(change)
            model = {byte for byte in model if byte < change}
    return extents, model


def covered(extents: Extents) -> list[int]:
    return [byte for extent in extents for byte in range(extent.start, extent.stop)]


@given(changes)
def test_it_is_the_set_of_the_bytes_added_and_not_cut(script: list[Extent | int]) -> None:
    extents, model = play(script)
    assert covered(extents) == sorted(model)


@given(changes)
def test_ranges_are_ordered_and_do_not_touch(script: list[Extent | int]) -> None:
    extents, _ = play(script)
    assert all(len(extent) > 0 for extent in extents)
    assert all(before.stop < after.start for before, after in itertools.pairwise(extents))
    assert len(extents) == len(list(extents))


@given(changes, ranges)
def test_covers_asks_for_every_byte(script: list[Extent | int], asked: Extent) -> None:
    extents, model = play(script)
    assert extents.covers(asked.start, asked.stop) == set(range(asked.start, asked.stop)).issubset(model)


@given(changes, ranges)
def test_pieces_cut_a_range_into_what_is_in_the_set_and_what_is_not(script: list[Extent | int], asked: Extent) -> None:
    extents, model = play(script)
    pieces = list(extents.pieces(asked.start, asked.stop))
    answer = [(byte, inside) for piece, inside in pieces for byte in range(piece.start, piece.stop)]
    assert answer == [(byte, byte in model) for byte in range(asked.start, asked.stop)]
    assert all(before[1] != after[1] for before, after in itertools.pairwise(pieces)), "pieces are as long as can be"


@given(st.lists(ranges, max_size=8))
def test_made_of_its_own_ranges_it_is_the_same(parts: list[Extent]) -> None:
    extents = Extents(parts)
    assert list(Extents(extents)) == list(extents)


def test_ranges_beyond_four_gigabytes() -> None:
    extents = Extents([Extent(1 << 40, (1 << 40) + 5)])
    extents.add((1 << 40) + 5, (1 << 41))
    assert list(extents) == [Extent(1 << 40, 1 << 41)]
