"""The pacer: how many requests are in flight, and when none leaves."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from cloudfs.http.pacer import OwnBrake, Pacer


def pacer(limit: int = 8, brake: OwnBrake | None = None) -> Pacer:
    return Pacer(limit, trio.current_time, lambda: 0.5, brake)


async def test_no_more_than_the_limit_are_in_flight() -> None:
    paced = pacer(3)
    most = 0

    async def request() -> None:
        nonlocal most
        async with paced.turn():
            most = max(most, paced.in_flight)
            await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(request)
    assert (most, paced.in_flight) == (3, 0)


async def test_a_complaint_stops_everybody_for_a_while(autojump_clock: MockClock) -> None:
    paced = pacer()
    began = trio.current_time()
    paced.throttled(20.0)
    assert paced.throttled_until == began + 20
    async with paced.turn():
        assert 20 <= trio.current_time() - began < 23
    assert paced.throttled_until is None


async def test_a_pause_is_never_shortened(autojump_clock: MockClock) -> None:
    paced = pacer()
    paced.throttled(20.0)
    paced.throttled(1.0)
    until = paced.throttled_until
    assert until is not None
    assert until - trio.current_time() == 20


async def test_fewer_in_flight_after_a_complaint_and_more_again_after_successes(autojump_clock: MockClock) -> None:
    paced = pacer(8)
    for _ in range(5):
        paced.throttled(1.0)
    assert paced.at_once == 4, "complaints of the same moment are one"
    await trio.sleep(2)
    paced.throttled(1.0)
    assert paced.at_once == 2
    for _ in range(200):
        paced.succeeded()
    assert paced.at_once == 8


async def test_pauses_grow_until_something_succeeds(autojump_clock: MockClock) -> None:
    paced = pacer()
    pauses = []
    for _ in range(8):
        began = trio.current_time()
        paced.throttled()
        until = paced.throttled_until
        assert until is not None
        pauses.append(until - began)
        await trio.sleep(until - began + 0.1)
    assert [round(pause, 6) for pause in pauses] == [1, 2, 4, 8, 16, 32, 60, 60]
    paced.succeeded()
    paced.throttled()
    until = paced.throttled_until
    assert until is not None
    assert round(until - trio.current_time(), 6) == 1


async def test_a_brake_is_shared(autojump_clock: MockClock) -> None:
    brake = OwnBrake()
    mine, other = pacer(brake=brake), pacer(brake=brake)
    mine.throttled(5.0)
    began = trio.current_time()
    async with other.turn():
        assert trio.current_time() - began >= 5
