"""Waiting before the next attempt: longer each time, within limits, and never shorter than the provider wishes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.writeback.backoff import PARKED, delay

jitters = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 1), (1, 2), (2, 4), (8, 256), (9, 300), (20, 300), (21, 300), (100_000, 300)]
)
def test_it_doubles_from_a_second_to_five_minutes(attempts: int, seconds: float) -> None:
    assert delay(attempts, 0.0) == seconds


@given(st.integers(0, 10**9), jitters)
def test_jitter_takes_up_to_half_away(attempts: int, jitter: float) -> None:
    longest = delay(attempts, 0.0)
    assert longest / 2 <= delay(attempts, jitter) <= longest


@given(st.integers(0, 40), jitters, st.floats(0, 86_400))
def test_the_wish_of_the_provider_is_never_undercut(attempts: int, jitter: float, retry_after: float) -> None:
    assert delay(attempts, jitter, retry_after) == max(retry_after, delay(attempts, jitter))


def test_what_is_parked_is_looked_at_less_often_than_what_fails() -> None:
    assert delay(1_000, 0.0) < PARKED
