"""Many calls for one thing each become few calls for many: what waits while others are under way leaves together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import trio

T = TypeVar("T")
R = TypeVar("R")
_GREED = 2
"""Times its share a call takes: while it is under way, others arrive."""


@dataclass(eq=False)
class _Waiting(Generic[T, R]):
    item: T
    weight: int
    woken: trio.Event = field(default_factory=trio.Event)
    leads: list[_Waiting[T, R]] | None = None
    """Set for the one that makes the call for all these, itself included."""
    result: R | Exception | None = None


class Gatherer(Generic[T, R]):
    """Calls ``one`` for an item at once as long as fewer than ``at_once`` calls are under way.

    Everything that arrives meanwhile waits, and leaves as these end. While each call could only take a few of those
    who wait, they still leave one by one; else in calls of ``many`` that share them, so that all ``at_once`` have
    something to do: ``least`` to ``most`` items that weigh at most ``heaviest`` together. ``many`` answers for
    each item, with its result or an exception for the one who gave it. Each call is made in the task of one of those
    who wait for it; if that one is cancelled, the others start again.
    """

    def __init__(
        self,
        one: Callable[[T], Awaitable[R]],
        many: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        at_once: int,
        least: int = 2,
        most: int,
        heaviest: int,
    ) -> None:
        self._one = one
        self._many = many
        self._at_once = at_once
        self._least = least
        self._most = most
        self._heaviest = heaviest
        self._under_way = 0
        self._queue: list[_Waiting[T, R]] = []

    async def call(self, item: T, weight: int = 0) -> R:
        """The result for one item. Raises what the call raised."""
        while True:
            waiting = _Waiting[T, R](item, weight)
            if self._under_way < self._at_once:
                self._under_way += 1
                waiting.leads = [waiting]
            else:
                await self._wait(waiting)
            if waiting.leads is not None:
                await self._lead(waiting.leads)
            if isinstance(waiting.result, Exception):
                raise waiting.result
            if waiting.result is not None:
                return waiting.result

    async def _wait(self, waiting: _Waiting[T, R]) -> None:
        self._queue.append(waiting)
        try:
            await waiting.woken.wait()
        except BaseException:
            if waiting in self._queue:
                self._queue.remove(waiting)
            elif waiting.leads is not None:
                self._end(waiting.leads)
            raise

    async def _lead(self, group: list[_Waiting[T, R]]) -> None:
        """Make the call for a group, and tell everybody in it what came of it."""
        try:
            if len(group) == 1:
                group[0].result = await self._one(group[0].item)
            else:
                for each, result in zip(group, await self._many([each.item for each in group]), strict=True):
                    each.result = result
        except Exception as error:
            for each in group:
                each.result = error
        finally:
            self._end(group)

    def _end(self, group: list[_Waiting[T, R]]) -> None:
        for each in group:
            each.woken.set()
        self._under_way -= 1
        if self._queue:
            self._under_way += 1
            leader = self._queue[0]
            leader.leads = self._take()
            leader.woken.set()

    def _take(self) -> list[_Waiting[T, R]]:
        share = min(-(-_GREED * len(self._queue) // self._at_once), len(self._queue), self._most)
        count = self._fit(share) if share >= self._least else 1
        taken, self._queue = self._queue[:count], self._queue[count:]
        return taken

    def _fit(self, most: int) -> int:
        """How many of the first ``most`` are not too heavy together; one always is not."""
        weight = self._queue[0].weight
        for count in range(1, most):
            weight += self._queue[count].weight
            if weight > self._heaviest:
                return count
        return most
