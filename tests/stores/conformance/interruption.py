"""Cancelling a call at each point where it can be, one after the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


class _CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when a task is about to run for the n-th time from now on."""

    def __init__(self, task: trio.lowlevel.Task, scope: trio.CancelScope, step: int) -> None:
        self._task = task
        self._scope = scope
        self._left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self._scope.cancel()


async def finishes(call: Callable[[], Awaitable[object]], step: int) -> bool:
    """Whether ``call`` gets to its end when it is cancelled as it goes on for the ``step``-th time; 0 is at once."""
    with trio.CancelScope() as scope:
        instrument = _CancelAtStep(trio.lowlevel.current_task(), scope, step)
        trio.lowlevel.add_instrument(instrument)
        if step == 0:
            scope.cancel()
        try:
            await call()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return not scope.cancelled_caught
