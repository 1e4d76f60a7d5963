"""`Runs` against the plain set of integers it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.cache.runs import Runs

EDGE = st.integers(0, 40)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), EDGE, EDGE), max_size=30)


def build(steps: list[tuple[str, int, int]]) -> tuple[Runs, set[int]]:
    runs, model = Runs(), set[int]()
    for step, start, stop in steps:
        if step == "add":
            runs.add(start, stop)
            model |= set(range(start, stop))
        else:
            runs.remove(start, stop)
            model -= set(range(start, stop))
    return runs, model


def numbers(runs: list[tuple[int, int]]) -> list[int]:
    return [number for start, stop in runs for number in range(start, stop)]


@given(STEPS, EDGE, EDGE)
def test_runs_are_a_set_of_integers(steps: list[tuple[str, int, int]], start: int, stop: int) -> None:
    runs, model = build(steps)
    asked = set(range(start, stop))
    assert numbers(list(runs)) == sorted(model)
    assert runs.total == len(model)
    assert bool(runs) == bool(model)
    assert runs.covers(start, stop) == (asked <= model)
    assert numbers(runs.overlap(start, stop)) == sorted(asked & model)
    assert numbers(runs.gaps(start, stop)) == sorted(asked - model)


@given(STEPS)
def test_runs_are_as_few_as_possible_and_survive_packing(steps: list[tuple[str, int, int]]) -> None:
    runs, model = build(steps)
    assert len(list(runs)) == len([number for number in model if number - 1 not in model])
    assert Runs.unpack(runs.pack()) == runs
    assert Runs.unpack(runs.pack()).total == runs.total


def test_a_copy_lives_its_own_life() -> None:
    runs = Runs([(0, 5)])
    runs.copy().remove(0, 5)
    assert list(runs) == [(0, 5)]


@pytest.mark.parametrize("packed", [b"x", Runs([(0, 2)]).pack()[:8], Runs([(3, 5)]).pack()[::-1], b"\0" * 16])
def test_damaged_runs_are_refused(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"multiple|packed"):
        Runs.unpack(packed)
