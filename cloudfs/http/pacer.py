"""How many requests of one account are in flight, and when none may leave because the provider asked for a pause.

One object for everything that uses the same account, since a provider counts accounts and not mounts: a refusal of
one request slows all of them down.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import trio

_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_SUCCESSES_TO_GROW = 4
"""Times the limit: so many requests have to succeed before one more may be in flight."""


class Brake(Protocol):
    """Until when the account has to be left alone, by everybody who uses it; seconds since the epoch."""

    def until(self) -> float: ...

    def hold(self, until: float) -> None:
        """Never shortens a pause."""
        ...


class OwnBrake:
    """For an account that no other process uses, or none that we know of."""

    def __init__(self) -> None:
        self._until = 0.0

    def until(self) -> float:
        return self._until

    def hold(self, until: float) -> None:
        self._until = max(self._until, until)


class Pacer:
    """Halves the number of requests in flight when the provider complains, and adds one after many successes.

    Without a wish of the provider (``Retry-After``) the account pauses for a second, and for twice as long each time
    that nothing has succeeded since. ``now`` is the wall clock, ``jitter`` a random number of [0, 1).
    """

    def __init__(
        self, limit: int, now: Callable[[], float], jitter: Callable[[], float], brake: Brake | None = None
    ) -> None:
        self.limit = limit
        self._now = now
        self._jitter = jitter
        self._brake = brake or OwnBrake()
        self._slots = trio.CapacityLimiter(limit)
        self._successes = 0
        self._pause = _PAUSE

    @property
    def throttled_until(self) -> float | None:
        """When requests leave again, in seconds since the epoch; None if they do."""
        until = self._brake.until()
        return until if until > self._now() else None

    @property
    def in_flight(self) -> int:
        return int(self._slots.borrowed_tokens)

    @property
    def at_once(self) -> int:
        """How many may be in flight now."""
        return int(self._slots.total_tokens)

    @asynccontextmanager
    async def turn(self, *, inside: bool = False) -> AsyncIterator[None]:
        """Wait for a pause to end and for a slot, and hold it.

        ``inside``: for a request that another one waits for in the middle of its body. That one has a slot already, and
        would wait for ever if this one needed a second, and all were taken by such as itself.
        """
        if inside:
            await self._pass()
            yield
            return
        await self._slots.acquire_on_behalf_of(token := object())
        try:
            await self._pass()
            yield
        finally:
            self._slots.release_on_behalf_of(token)

    def succeeded(self) -> None:
        """The provider did what it was asked."""
        self._pause = _PAUSE
        if self._slots.total_tokens >= self.limit:
            return
        self._successes += 1
        if self._successes >= _SUCCESSES_TO_GROW * self._slots.total_tokens:
            self._successes = 0
            self._slots.total_tokens += 1

    def throttled(self, retry_after: float | None = None) -> None:
        """The provider wants fewer requests, and none for ``retry_after`` seconds."""
        already = self.throttled_until
        if retry_after is None:
            retry_after = self._pause * (0.75 + 0.5 * self._jitter())
            # Those that were in flight together complain together: that is one complaint.
            if already is None:
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if already is None:
            self._successes = 0
            self._slots.total_tokens = max(1, int(self._slots.total_tokens) // 2)
        self._brake.hold(self._now() + retry_after)

    async def _pass(self) -> None:
        # Those who wait do not all go in the same instant.
        while (until := self.throttled_until) is not None:  # noqa: ASYNC110 - other processes hold the brake too
            await trio.sleep(max(0.0, until - self._now()) * (1 + 0.1 * self._jitter()))
