"""Sums of what passes by."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudfs.cache.blocks import BLOCK, CHAPTER, checksums
from cloudfs.cache.runs import Runs
from cloudfs.cache.sums import Sums

from .conftest import noise, sums_of

SIZE = 3 * BLOCK + 777
DATA = noise(SIZE)
PLACE = st.one_of(st.integers(0, SIZE), st.sampled_from([0, BLOCK, 2 * BLOCK, 3 * BLOCK, SIZE]))


def noted(sums: Sums) -> dict[int, int]:
    found = {}
    for number, chapter in sums.chapters.items():
        found.update({number * CHAPTER + at: value for at, value in enumerate(chapter) if value})
    return found


@given(st.lists(st.tuples(PLACE, PLACE), max_size=6))
def test_exactly_the_blocks_that_were_seen_whole_are_noted(pairs: list[tuple[int, int]]) -> None:
    sums = Sums(SIZE)
    seen: set[int] = set()
    for start, stop in map(sorted, pairs):
        sums.note(*sums.measure(start, DATA[start:stop]))
        seen |= {block for block in range(4) if start <= block * BLOCK and min((block + 1) * BLOCK, SIZE) <= stop}
    assert noted(sums) == {block: value for block, value in enumerate(checksums(DATA)) if block in seen}
    assert sums.blocks == Runs((block, block + 1) for block in seen)


def test_what_was_read_last_counts() -> None:
    sums = sums_of(DATA)
    sums.note(*sums.measure(BLOCK, bytes(BLOCK)))
    assert noted(sums)[1] == checksums(bytes(BLOCK))[0]


def test_a_hole_of_a_petabyte_takes_no_memory() -> None:
    size = (1 << 50) + 5
    sums = Sums(size)
    sums.note(*sums.measure(0, DATA[:BLOCK]))
    sums.note(*sums.measure(1 << 50, b"hello"))
    assert noted(sums) == {0: checksums(DATA)[0], 1 << 34: checksums(b"hello")[0]}
    assert len(sums.chapters) == 2
