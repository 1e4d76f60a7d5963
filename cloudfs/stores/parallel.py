"""Many calls at once."""

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
