"""Two calls that belong together, of which a cancellation should not make only the first."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

T = TypeVar("T")

GRACE = 10.0
"""Seconds that a cancellation waits for the rest of what was begun."""


async def unbroken(
    call: Callable[[], Awaitable[T]], *, begun: bool = False, grace: Callable[[], float] = lambda: GRACE
) -> T:
    """Make ``call`` to its end, also when cancelled meanwhile, but then not for longer than ``grace`` says by then.

    Cancelled before, it does not begin, unless something that belongs to it has ``begun`` already.
    """
    if not begun:
        await trio.lowlevel.checkpoint_if_cancelled()
    shield = trio.CancelScope(shield=True)
    failure: BaseException | None = None

    async def watch() -> None:
        # Swallowed, as the caller meets the same cancellation again at the next checkpoint, and has the answer then.
        with contextlib.suppress(trio.Cancelled):
            await trio.sleep_forever()
        if (rest := grace()) > 0:
            shield.deadline = trio.current_time() + rest
        else:
            shield.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        with shield:
            try:
                answer = await call()
            except Exception as error:
                failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if shield.cancelled_caught:
        await trio.lowlevel.checkpoint()  # which is cancelled, as nothing else ends the scope
    return answer
