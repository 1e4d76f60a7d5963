"""The window of one reader: pure, so these are plain examples and properties."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cloudfs.cache.readahead import NARROWEST, WIDEST, Window, observe
from cloudfs.types import Extent

STEP = 128 << 10


def sequential(reads: int, widest: int = WIDEST) -> tuple[Window, list[Extent]]:
    window, extents = Window(), list[Extent]()
    for n in range(reads):
        window, extent = observe(window, n * STEP, (n + 1) * STEP, widest)
        extents += [extent] if extent else []
    return window, extents


def test_random_reads_fetch_nothing_else() -> None:
    window = Window()
    for start in (70 << 20, 3 << 20, 500 << 20, 90 << 20, 11):
        window, extent = observe(window, start, start + 4096)
        assert extent is None
        assert window.width == 0


def test_the_window_doubles_up_to_its_widest() -> None:
    _, extents = sequential(400)
    widths = [len(extent) for extent in extents]
    assert widths[0] == NARROWEST
    assert max(widths) <= WIDEST
    window, _ = sequential(400)
    assert window.width == WIDEST
    assert window.ahead - window.expected > WIDEST // 2 - STEP


def test_what_is_read_ahead_is_asked_for_once_and_without_gaps() -> None:
    _, extents = sequential(400)
    assert all(a.stop == b.start for a, b in pairwise(extents))
    assert len(extents) < 20


def test_reads_out_of_order_are_still_sequential() -> None:
    window, _ = sequential(20)
    for n in (21, 20, 23, 22):
        window, _ = observe(window, n * STEP, (n + 1) * STEP)
    assert window.width >= NARROWEST
    assert window.expected == 24 * STEP


def test_a_jump_closes_the_window_and_going_on_from_there_opens_it_again() -> None:
    window, _ = sequential(100)
    window, extent = observe(window, 1 << 40, (1 << 40) + STEP)
    assert (window.width, extent) == (0, None)
    window, extent = observe(window, (1 << 40) + STEP, (1 << 40) + 2 * STEP)
    assert extent == Extent((1 << 40) + 2 * STEP, (1 << 40) + 2 * STEP + NARROWEST)


def test_without_room_there_is_no_reading_ahead() -> None:
    assert sequential(100, widest=NARROWEST - 1)[1] == []


@given(st.lists(st.tuples(st.integers(0, 1 << 26), st.integers(1, 1 << 20)), max_size=50), st.integers(0, WIDEST))
def test_never_more_ahead_than_allowed(reads: list[tuple[int, int]], widest: int) -> None:
    window = Window()
    for start, length in reads:
        window, extent = observe(window, start, start + length, widest)
        if extent is not None:
            assert extent.start < extent.stop <= max(start + length, window.expected) + widest
