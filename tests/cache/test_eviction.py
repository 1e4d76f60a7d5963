"""Which blocks of an open content go first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudfs.cache.eviction import victims
from cloudfs.cache.runs import Run, Runs


def test_what_lies_behind_the_reader_goes_first_then_what_is_farthest_ahead() -> None:
    present = Runs([(0, 4), (6, 20)])
    assert victims(present, 8, 3) == [(0, 3)]
    assert victims(present, 8, 5) == [(0, 4), (6, 7)]
    assert victims(present, 8, 10) == [(0, 4), (6, 8), (16, 20)]


def test_what_nobody_reads_loses_its_end() -> None:
    assert victims(Runs([(0, 4), (6, 20)]), 0, 16) == [(6, 20), (2, 4)]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60))), st.integers(0, 70), st.integers(1, 80))
def test_as_many_as_asked_and_only_what_is_there(runs: list[Run], position: int, count: int) -> None:
    present = Runs(runs)
    chosen = victims(present, position, count)
    assert sum(stop - start for start, stop in chosen) == Runs(chosen).total == min(count, present.total)
    assert all(present.covers(start, stop) for start, stop in chosen)
