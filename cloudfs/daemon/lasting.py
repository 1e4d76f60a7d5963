"""Background work that outlives its failures.

Whoever has files open here must not lose the mount because something that they did not ask for went wrong. So a task
that fails, with an error that it should have expected or with a bug, says so in the log and is begun again: all that
it has to know is in the catalogue, as at the start of a mount.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable

import trio

_log = logging.getLogger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a task is begun again; twice as long each time, unless it has worked for longer than the longest."""


async def lasting(task: Callable[[], Awaitable[object]]) -> None:
    """Run ``task`` until it returns, or is cancelled."""
    pause = _FIRST_PAUSE
    while True:
        began = trio.current_time()
        try:
            await task()
            return
        except Exception:
            _log.exception("%s failed; it begins again in %g s", _name(task), pause)
        await trio.sleep(pause)
        worked = trio.current_time() - began - pause
        pause = _FIRST_PAUSE if worked > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)


def _name(task: Callable[[], Awaitable[object]]) -> str:
    function = task.func if isinstance(task, functools.partial) else task
    return str(getattr(function, "__qualname__", function))
