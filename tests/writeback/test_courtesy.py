"""Uploads while applications are at work."""

from __future__ import annotations

import pytest

from cloudfs.writeback.courtesy import Courtesy

HERE, FAR_AWAY = 0.0, 0.04
LIMIT = 100


def test_a_pause_lets_everything_go() -> None:
    courtesy = Courtesy(HERE, LIMIT)
    assert courtesy.allowed(10.0, busy=True) == 0
    assert courtesy.is_holding_back
    assert courtesy.allowed(11.0, busy=False) == LIMIT
    assert not courtesy.is_holding_back
    assert courtesy.allowed(14.9, busy=True) == 0, "and then it begins anew"


@pytest.mark.parametrize(("round_trip", "held", "share"), [(HERE, 5.0, 2), (FAR_AWAY, 1.0, LIMIT)])
def test_who_never_pauses_has_to_share(round_trip: float, held: float, share: int) -> None:
    courtesy = Courtesy(round_trip, LIMIT)
    assert courtesy.allowed(0.0, busy=True) == 0
    assert courtesy.allowed(held - 0.1, busy=True) == 0
    assert courtesy.allowed(held, busy=True) == share
    assert courtesy.allowed(held + 100, busy=True) == share


def test_the_share_is_within_the_limit() -> None:
    courtesy = Courtesy(HERE, 1)
    courtesy.allowed(0.0, busy=True)
    assert courtesy.allowed(9.0, busy=True) == 1
