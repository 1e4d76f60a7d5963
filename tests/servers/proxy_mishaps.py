"""What a bad network and a tired server do to an exchange: a request and its answer.

An exchange begins with the first bytes that a client sends on a connection after the server was last heard on it,
which is right for HTTP/1.1 without pipelining.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from http import HTTPStatus

_REQUEST = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"


@dataclass
class Mishap:
    """What will happen to one exchange; numbers are bytes of the request, or of the answer, that still pass."""

    reset_request_at: int | None = None
    reset_answer: bool = False
    truncate_answer: bool = False
    instead: bytes | None = None
    """An answer of the proxy's own; the server never sees the request."""


@dataclass
class Planned:
    """Answers ordered by a test: for the next ``times`` requests whose first line contains ``matching``."""

    status: int
    times: int
    retry_after: float | None
    matching: bytes


@dataclass
class Mischief:
    """Draws the mishaps. Probabilities are per exchange; the same seed draws the same."""

    dice: random.Random
    cuts: float = 0.0
    """The connection is reset: in the request, in the answer, or before the answer, after the server has acted."""
    truncations: float = 0.0
    """The answer ends early, as if the server had closed the connection."""
    failures: float = 0.0
    """The request is answered with one of ``statuses`` and goes no further."""
    statuses: tuple[int, ...] = (500, 502, 503, 429)
    retry_after: float | None = None
    planned: list[Planned] = field(default_factory=list)

    def draw(self, request: bytes) -> Mishap:
        """For an exchange whose request begins with these bytes."""
        is_http = _REQUEST.match(request) is not None
        if is_http and (order := self._next_order(request)):
            return Mishap(instead=answer(order.status, order.retry_after))
        if is_http and self._happens(self.failures):
            return Mishap(instead=answer(self.dice.choice(self.statuses), self.retry_after))
        if self._happens(self.truncations):
            return Mishap(truncate_answer=True)
        if not self._happens(self.cuts):
            return Mishap()
        if self.dice.random() < 1 / 3:
            return Mishap(reset_request_at=self.dice.randrange(message_size(request)))
        return Mishap(reset_answer=True)

    def cut_point(self, answer: bytes) -> int:
        """How many bytes of an answer that begins with these still arrive. In one case of two, none: the worst."""
        return self.dice.choice((0, self.dice.randrange(message_size(answer))))

    def truncation_point(self, answer: bytes) -> int:
        """The same for answers that end early: if there is a body, somewhere in it."""
        size = message_size(answer)
        head = answer.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        return self.dice.randrange(head, size) if len(_END_OF_HEAD) <= head < size else self.dice.randrange(size)

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self.dice.random() < probability

    def _next_order(self, request: bytes) -> Planned | None:
        line = request.partition(b"\r\n")[0]
        for order in self.planned:
            if order.times > 0 and order.matching in line:
                order.times -= 1
                return order
        return None


def message_size(beginning: bytes) -> int:
    """Bytes of a message that begins with these, as far as it says; at least as many as there are."""
    head, separator, _ = beginning.partition(_END_OF_HEAD)
    length = _LENGTH.search(head)
    announced = int(length[1]) if length else 0
    return max(len(beginning), len(head) + len(separator) + announced, 1)


def answer(status: int, retry_after: float | None = None) -> bytes:
    """A whole HTTP/1.1 answer without a body, after which the connection is closed."""
    wish = "" if retry_after is None else f"Retry-After: {retry_after:g}\r\n"
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\nContent-Length: 0\r\n{wish}Connection: close\r\n\r\n".encode()
