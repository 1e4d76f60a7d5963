"""One clock for the whole program: the wall clock follows the virtual clock of trio, so nothing ever really waits."""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from unittest.mock import patch

import trio
from trio.testing import MockClock

T = TypeVar("T")
EPOCH_NS = 1_700_000_000 * 10**9


@contextmanager
def virtual_time() -> Iterator[None]:
    """Inside, `time.time_ns` and `time.monotonic_ns` tell trio's time, and never the same time twice.

    Like on a real machine, where no two system calls happen in the same nanosecond.
    """
    really = time.time_ns
    ticks = itertools.count()

    def now_ns() -> int:
        try:
            return EPOCH_NS + round(trio.current_time() * 1e9) + next(ticks)
        except RuntimeError:
            return really()

    def tell_ns(_clock: int) -> int:
        return now_ns()

    with patch("time.time_ns", now_ns), patch("time.monotonic_ns", now_ns), patch("time.clock_gettime_ns", tell_ns):
        yield


def run(scenario: Callable[[], Awaitable[T]]) -> T:
    """Run an async function to its end, in virtual time: when everybody sleeps, the clock jumps."""
    with virtual_time():
        return trio.run(scenario, clock=MockClock(autojump_threshold=0))
