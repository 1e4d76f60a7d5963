"""Small requests that come together leave together: up to 20 in one ``$batch``.

Whoever calls when a place is free takes it and sends what is waiting, itself first; those that call meanwhile wait, and
leave together when a place is free again. So a single call is not delayed, and a storm needs a twentieth of the
requests. Nobody owns a task: a batch is sent by one of those who wait for it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

import trio

from cloudfs.errors import BrokenAnswer, Unavailable
from cloudfs.stores.onedrive.graph import Ask, Graph, Json, Reply, part_of_batch, settled
from cloudfs.stores.unbroken import unbroken

_log = logging.getLogger(__name__)
BATCH = 20
"""Requests that Graph takes in one batch."""
_AGAIN = frozenset({408, 424, 429, 500, 502, 503, 504, 509})
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 8.0


class _Waiting:
    """A request that has not been answered. ``turn`` is set when it is answered, or is to send the next batch."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.turn = trio.Event()
        self.leads = False
        self.reply: Reply | Unavailable | None = None


class Batches:
    """``places`` batches are under way at a time; calls are tried again for ``patience`` seconds."""

    def __init__(self, graph: Graph, jitter: Callable[[], float], places: int = 4, patience: float = 30.0) -> None:
        self._graph = graph
        self._jitter = jitter
        self._free = places
        self._patience = patience
        self._queue: deque[_Waiting] = deque()

    async def call(self, ask: Ask) -> Json:
        """The body of the answer; raises what `cloudfs.stores.onedrive.graph.refusal` makes of a refusal."""
        deadline = trio.current_time() + self._patience
        attempt = 0
        while True:
            reply = await self._once(ask)
            if isinstance(reply, Reply) and reply.status == 401:
                # A request by itself is tried again with a new token, and only then counts as refused.
                reply = await self._graph.send(ask)
            if isinstance(reply, Reply) and reply.status not in _AGAIN:
                return settled(ask, reply)
            pause = self._pause(reply, attempt)
            attempt += 1
            if trio.current_time() + pause > deadline:
                if isinstance(reply, Unavailable):
                    raise reply
                raise Unavailable(f"{ask.what}: OneDrive is too busy ({reply.status})", retry_after=reply.retry_after)
            await trio.sleep(pause)

    def _pause(self, reply: Reply | Unavailable, attempt: int) -> float:
        """Seconds until the next attempt; a wish of Graph's slows everything down that uses the account."""
        if isinstance(reply, Reply) and reply.status in (429, 503):
            self._graph.calls.pacer.throttled(reply.retry_after)
        if reply.retry_after is not None:
            return reply.retry_after
        return float(min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE) * (0.5 + self._jitter()))

    async def _once(self, ask: Ask) -> Reply | Unavailable:
        waiting = _Waiting(ask)
        self._queue.append(waiting)
        if self._free:
            self._free -= 1
        else:
            await self._wait(waiting)
            if not waiting.leads:
                assert waiting.reply is not None
                return waiting.reply
        try:
            # The others should not have to pay for the cancellation of this one.
            await unbroken(lambda: self._lead(waiting), begun=True)
        finally:
            self._hand_over()
        assert waiting.reply is not None
        return waiting.reply

    async def _wait(self, waiting: _Waiting) -> None:
        try:
            await waiting.turn.wait()
        except trio.Cancelled:
            if waiting in self._queue:
                self._queue.remove(waiting)
            if waiting.leads:
                self._hand_over()
            raise

    def _hand_over(self) -> None:
        """The place is free: whoever has waited longest leads the next batch."""
        heir = next((waiting for waiting in self._queue if not waiting.leads), None)
        if heir is None:
            self._free += 1
        else:
            heir.leads = True
            heir.turn.set()

    async def _lead(self, leader: _Waiting) -> None:
        """Send the leader's request and those that wait, and tell each what came of it."""
        self._queue.remove(leader)
        batch = [leader]
        for waiting in [waiting for waiting in self._queue if not waiting.leads][: BATCH - 1]:
            self._queue.remove(waiting)
            batch.append(waiting)
        try:
            replies = await self._send([waiting.ask for waiting in batch])
        except Unavailable as error:
            replies = [error] * len(batch)
        except BaseException:
            # Those who are not to blame try again: this one was cancelled, or has to sign in.
            for waiting in batch[1:]:
                waiting.reply = Unavailable(f"{waiting.ask.what}: the request was not sent", retry_after=0.0)
                waiting.turn.set()
            raise
        for waiting, reply in zip(batch, replies, strict=True):
            waiting.reply = reply
            waiting.turn.set()

    async def _send(self, asks: list[Ask]) -> list[Reply | Unavailable]:
        if len(asks) == 1:
            return [await self._graph.send(asks[0])]
        parts = [part_of_batch(ask, str(number)) for number, ask in enumerate(asks)]
        batch = Ask("POST", "/$batch", {"requests": parts}, what=f"{len(asks)} requests in one")
        answers = settled(batch, await self._graph.send(batch)).get("responses")
        if not isinstance(answers, list):
            raise BrokenAnswer("OneDrive answered a batch with something else")
        found = {str(answer.get("id")): _reply(answer) for answer in answers}
        missing = Unavailable("OneDrive did not answer a part of a batch")
        return [found.get(part["id"], missing) for part in parts]


def _reply(answer: Json) -> Reply:
    headers = {str(name).lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    wish = headers.get("retry-after", "")
    body = answer.get("body")
    return Reply(int(answer.get("status", 500)), body if isinstance(body, dict) else {}, _seconds(wish))


def _seconds(wish: str) -> float | None:
    return float(wish) if wish.replace(".", "", 1).isdecimal() else None
