"""Many calls at once, and one call that is not to be left in the middle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import trio

T = TypeVar("T")
R = TypeVar("R")


async def in_parallel(call: Callable[[T], Awaitable[R]], items: Iterable[T], at_once: int = 64) -> list[R]:
    """What ``call`` returns for each, in their order. The first exception ends all, and is raised as it is."""
    queue = list(enumerate(items))
    results: dict[int, R] = {}
    failures: list[BaseException] = []
    if len(queue) == 1:
        return [await call(queue[0][1])]
    pending = iter(queue)

    async def work() -> None:
        for index, item in pending:
            try:
                results[index] = await call(item)
            except Exception as error:  # a nursery would make a group of it
                failures.append(error)
                nursery.cancel_scope.cancel()
                return

    async with trio.open_nursery() as nursery:
        for _ in range(min(at_once, len(queue))):
            nursery.start_soon(work)
    if failures:
        raise failures[0]
    return [results[index] for index, _ in queue]


async def settled(call: Callable[[], Awaitable[R]], grace: float = 10.0) -> R:
    """What ``call`` returns. Cancelled, it still has ``grace`` seconds to get to its end: so that a request which the
    server may already be carrying out has had its effect, or none, when nobody waits for it any more.
    """
    results: list[R] = []
    failures: list[Exception] = []
    done = trio.Event()
    scope = trio.CancelScope(shield=True)

    async def run() -> None:
        with scope:
            try:
                results.append(await call())
            except Exception as error:  # a nursery would make a group of it
                failures.append(error)
        done.set()

    await trio.lowlevel.checkpoint_if_cancelled()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        try:
            await done.wait()
        except trio.Cancelled:
            scope.deadline = trio.current_time() + grace
            raise
    if failures:
        raise failures[0]
    return results[0]
