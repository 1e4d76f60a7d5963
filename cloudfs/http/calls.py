"""A request until it is answered: tried again within the call's patience, at the account's pace.

One of the two owners of retry in cloudfs; the other is the uploader, for whole steps. What comes back from here is
either an answer that a server meant, or `Unavailable`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from cloudfs.errors import BrokenAnswer, Unavailable
from cloudfs.http.client import ANSWER_LIMIT, HttpClient
from cloudfs.http.message import Answer, Request, Sink
from cloudfs.http.pacer import Pacer

_log = logging.getLogger(__name__)
THROTTLED = frozenset({429, 498, 503})
"""The server asks for fewer requests, or has no capacity left: everybody slows down. (498 is Swift's own.)"""
_PASSING = frozenset({408, 425, 499, 500, 502, 504})
"""It was bad luck, and may go well the next time."""
_FULL = 507
"""Trying again does not help: there is no room."""
_FIRST_PATIENCE = 4.0
"""Seconds for an address that never answered."""
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 8.0


class Calls:
    """``patience`` is in seconds: after that no further attempt begins. ``now`` and ``jitter`` are as the pacer's.

    As long as no server has ever answered, the address may be wrong: then patience ends sooner.
    """

    def __init__(
        self,
        client: HttpClient,
        pacer: Pacer,
        now: Callable[[], float],
        jitter: Callable[[], float],
        patience: float = 30.0,
    ) -> None:
        self.pacer = pacer
        self._client = client
        self._now = now
        self._jitter = jitter
        self._patience = patience
        self._was_answered = False

    @property
    def round_trip(self) -> float:
        """As the client's."""
        return self._client.round_trip

    async def send(
        self, request: Request, *, limit: int = ANSWER_LIMIT, into: Sink | None = None, inside: bool = False
    ) -> Answer:
        """The answer, of any status but those that mean "again": they are `Unavailable`, once patience is over.

        With ``into`` a call is tried once only, since what has arrived is worth keeping: the caller asks for the rest.
        ``inside`` is the pacer's: whoever reads the body of a request may only make others like this.
        """
        began = trio.current_time()
        attempt = 0
        while True:
            failure = await self._attempt(request, limit, into, inside=inside)
            if isinstance(failure, Answer):
                return failure
            pause = self._next_pause(attempt, failure)
            attempt += 1
            once = into is not None or (not request.is_idempotent and failure.retry_after is None)
            patience = self._patience if self._was_answered else min(self._patience, _FIRST_PATIENCE)
            if once or trio.current_time() + pause > began + patience:
                raise failure
            _log.debug("%s: attempt %d failed: %s", request, attempt, failure)
            await trio.sleep(pause)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _attempt(self, request: Request, limit: int, into: Sink | None, *, inside: bool) -> Answer | Unavailable:
        async with self.pacer.turn(inside=inside):
            try:
                answer = await self._client.send(request, limit=limit, into=into)
            except Unavailable as error:
                return error
        self._was_answered = True
        if answer.status in THROTTLED:
            wish = answer.retry_after(self._now())
            self.pacer.throttled(wish)
            until = self.pacer.throttled_until
            wait = max(0.0, until - self._now()) if until is not None else 0.0
            return Unavailable(f"{request}: the server asks for patience ({answer.status})", retry_after=wait)
        if answer.status in _PASSING or (answer.status > 504 and answer.status != _FULL):
            return BrokenAnswer(f"{request}: the server failed ({answer.status} {answer.text()})")
        self.pacer.succeeded()
        return answer

    def _next_pause(self, attempt: int, failure: Unavailable) -> float:
        if failure.retry_after is not None:
            return failure.retry_after  # the pacer holds the request back itself; this only tells how long
        return min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE) * (0.5 + self._jitter())
