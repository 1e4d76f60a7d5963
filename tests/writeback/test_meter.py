"""The speed that ``status`` shows."""

from __future__ import annotations

import pytest

from cloudfs.writeback.meter import Meter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def send(meter: Meter, clock: Clock, seconds: int, each: int) -> None:
    for _ in range(seconds * 10):
        clock.now += 0.1
        meter.add(each // 10)


async def test_a_steady_stream_has_its_rate_from_the_beginning_on() -> None:
    clock = Clock()
    meter = Meter(clock)
    for seconds in (1, 4, 60):
        send(meter, clock, seconds, 1000)
        assert meter.rate() == pytest.approx(1000, rel=0.12)
    assert meter.total == 65_000


async def test_it_follows_changes_and_falls_to_nothing() -> None:
    clock = Clock()
    meter = Meter(clock)
    send(meter, clock, 60, 1000)
    send(meter, clock, 30, 100)
    assert meter.rate() == pytest.approx(100, rel=0.3)
    clock.now += 120
    assert meter.rate() < 1
    send(meter, clock, 3, 5000)
    assert meter.rate() == pytest.approx(5000, rel=0.2), "the pause before does not count"


async def test_nothing_was_sent() -> None:
    assert Meter(Clock()).rate() == 0
