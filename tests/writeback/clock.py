"""One clock for the whole program: the wall clock follows the virtual clock of trio, so nothing ever really waits.

There are no threads either: they would know nothing of that clock, and no two runs of a scenario would be the same.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import pytest
import trio
from trio.testing import MockClock

T = TypeVar("T")
EPOCH_NS = 1_700_000_000 * 10**9


@contextmanager
def virtual_time() -> Iterator[None]:
    """Inside, `time.time_ns` and `time.monotonic_ns` tell trio's time, and never the same time twice; see above.

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

    with (
        patch("time.time_ns", now_ns),
        patch("time.monotonic_ns", now_ns),
        patch("time.clock_gettime_ns", tell_ns),
        patch("trio.to_thread.run_sync", _at_once),
    ):
        yield


async def _at_once(work: Callable[..., T], *arguments: Any, **_options: Any) -> T:
    """Instead of a thread: like one, it does not begin for who is cancelled, and then comes to its end."""
    await trio.lowlevel.checkpoint()
    return work(*arguments)


def run(scenario: Callable[[], Awaitable[T]], **options: Any) -> T:
    """Run an async function to its end, in virtual time: when everybody sleeps, the clock jumps."""
    options["clock"] = MockClock(autojump_threshold=0)
    with virtual_time():
        return trio.run(scenario, **options)


def run_virtually(items: Iterable[pytest.Item], directory: Path) -> None:
    """All async tests of a directory run in virtual time."""
    for item in items:
        if item.path.is_relative_to(directory) and iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.trio(run=run), append=False)
