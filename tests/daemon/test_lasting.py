"""A background task that fails is begun again, and the mount goes on."""

from __future__ import annotations

import sqlite3
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from cloudfs.daemon.lasting import lasting


class Task:
    """Fails after each of the ``lives``, in seconds, and then returns."""

    def __init__(self, *lives: float) -> None:
        self._lives = list(lives)
        self.began: list[float] = []

    async def run(self) -> None:
        self.began.append(trio.current_time())
        if self._lives:
            await trio.sleep(self._lives.pop(0))
            raise sqlite3.OperationalError("database or disk is full")


async def test_it_is_begun_again_later_and_later(caplog: pytest.LogCaptureFixture, autojump_clock: MockClock) -> None:
    task = Task(*[0] * 8)
    await lasting(task.run)
    pauses = [later - earlier for earlier, later in pairwise(task.began)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert "Task.run failed; it begins again in 32 s" in caplog.text
    assert "database or disk is full" in caplog.text


async def test_after_long_work_it_is_begun_again_soon(autojump_clock: MockClock) -> None:
    task = Task(0, 0, 0, 100, 0)
    await lasting(task.run)
    pauses = [later - earlier for earlier, later in pairwise(task.began)]
    assert pauses == [1, 2, 4, 100 + 8, 1]


async def test_it_can_be_cancelled(autojump_clock: MockClock) -> None:
    with trio.move_on_after(10) as scope:
        await lasting(trio.sleep_forever)
    assert scope.cancelled_caught


async def test_the_failure_of_one_of_its_children_is_its_own(autojump_clock: MockClock) -> None:
    beginnings = 0

    async def run() -> None:
        nonlocal beginnings
        beginnings += 1
        if beginnings == 1:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                raise OSError("broken")

    await lasting(run)
    assert beginnings == 2
