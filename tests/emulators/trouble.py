"""Misbehaviour on command, for any emulator: which requests it happens to, how often, and what it is.

The words of ``do``:

``answer``   ``status`` with ``headers`` and ``body``; the request has no effect
``lose``     the request has its effect, and then the connection breaks without an answer
``refuse``   the connection breaks before the request has any effect
``cut``      the answer ends after ``bytes`` bytes of its body
``delay``    the answer comes ``seconds`` later

Emulators have more words of their own; those stay in the plan until the emulator asks for them with `Trouble.takes`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import trio

from tests.emulators.serving import Answer, Handler, HangUp, Request

GENERIC = frozenset({"answer", "lose", "refuse", "cut", "delay"})


@dataclass
class Order:
    """Happens to requests whose ``METHOD path`` matches: not to the first ``skip`` of them, then to ``times``.

    With ``every`` it happens to one of so many of those only.
    """

    do: str
    match: str = ""
    times: int = 1
    skip: int = 0
    every: int = 1
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    bytes: int = 0
    seconds: float = 0.0

    def applies(self, line: str) -> bool:
        """Whether it happens now; counts down."""
        if self.times <= 0 or not re.search(self.match, line):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.skip = self.every - 1
        self.times -= 1
        return True


class Trouble:
    """The plan, and a count of what was asked. Wraps a handler."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.requests: Counter[str] = Counter()
        """By kind, which `kind_of` of the emulator says."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.happened: Counter[str] = Counter()

    def takes(self, do: str, line: str) -> Order | None:
        """The order of this kind that applies to a request, if any."""
        return next((self._took(order) for order in self.orders if order.do == do and order.applies(line)), None)

    def around(self, handler: Handler, kind_of: Any) -> Handler:
        async def guarded(request: Request) -> Answer:
            self.requests[kind_of(request)] += 1
            try:
                answer = await self._troubled(request, handler)
                self.bytes_out += answer.size
            finally:
                self.bytes_in += request.received
            return answer

        return guarded

    async def _troubled(self, request: Request, handler: Handler) -> Answer:
        line = f"{request.method} {request.path}"
        order = next((order for order in self.orders if order.do in GENERIC and order.applies(line)), None)
        if order is None:
            return await handler(request)
        self._took(order)
        if order.do == "refuse":
            raise HangUp
        if order.do == "answer":
            return _planned(order)
        answer = await handler(request)
        if order.do == "lose":
            raise HangUp
        if order.do == "delay":
            await trio.sleep(order.seconds)
        if order.do == "cut":
            answer.cut = order.bytes
        return answer

    def _took(self, order: Order) -> Order:
        self.happened[order.do] += 1
        return order


def _planned(order: Order) -> Answer:
    if order.body is None:
        return Answer(order.status, headers=dict(order.headers))
    return Answer.json(order.status, order.body, order.headers)
