"""A small HTTP/1.1 server, for short questions without a body that programs on this machine ask.

It takes nothing for granted of who asks: questions are bounded in size, number and time, and what makes no sense ends
its own connection and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import h11
import trio

_log = logging.getLogger(__name__)
_MOST_CONNECTIONS = 32
_MOST_HEAD = 16 << 10
"""Bytes of a question."""
_PATIENCE = 15.0
"""Seconds for a question to arrive, or an answer to be taken."""


@dataclass(frozen=True, slots=True)
class Question:
    """``path`` is without the query; the names of headers are in lower case. Headers may hold secrets."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """``text`` is for people to read."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


Answerer = Callable[[Question], Awaitable[Reply]]


async def listen(host: str, port: int) -> list[trio.SocketListener]:
    """Where `serve` shall answer; port 0 is any that is free. Raises `OSError`."""
    return await trio.open_tcp_listeners(port, host=host)


def port_of(listeners: Sequence[trio.SocketListener]) -> int:
    port: int = listeners[0].socket.getsockname()[1]
    return port


async def serve(answer: Answerer, listeners: list[trio.SocketListener]) -> None:
    """Answer for ever."""
    limit = trio.CapacityLimiter(_MOST_CONNECTIONS)

    async def talk(stream: trio.SocketStream) -> None:
        try:
            limit.acquire_nowait()
        except trio.WouldBlock:
            return  # whoever listens closes it
        try:
            await _Conversation(stream, answer).hold()
        finally:
            limit.release()

    await trio.serve_listeners(talk, listeners)


class _Conversation:
    """One connection, question after question."""

    def __init__(self, stream: trio.SocketStream, answer: Answerer) -> None:
        self._stream = stream
        self._answer = answer
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)

    async def hold(self) -> None:
        try:
            while await self._exchange():
                self._protocol.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass  # whoever it was has gone, or might as well have

    async def _exchange(self) -> bool:
        """Whether another question may follow."""
        try:
            with trio.fail_after(_PATIENCE):
                question = await self._question()
        except h11.RemoteProtocolError as error:
            if self._protocol.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                await self._send(Reply(error.error_status_hint, "this is no HTTP that is understood here\n"), last=True)
            return False
        if question is None:
            return False
        # What somebody sends along is not read: the connection ends instead.
        last = self._protocol.their_state is not h11.DONE
        await self._send(await self._replied(question), last=last, head=question.method == "HEAD")
        return not last and self._protocol.our_state is h11.DONE

    async def _question(self) -> Question | None:
        """None if there is none any more."""
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                self._protocol.receive_data(bytes(await self._stream.receive_some(_MOST_HEAD)))
            elif isinstance(event, h11.Request):
                headers = {name.decode(): value.decode("utf-8", "surrogateescape") for name, value in event.headers}
                # A question without a body ends with its headers.
                if "content-length" not in headers and "transfer-encoding" not in headers:
                    self._protocol.next_event()
                path = event.target.decode("latin-1").partition("?")[0]
                return Question(event.method.decode(), path, headers)
            else:
                return None

    async def _replied(self, question: Question) -> Reply:
        try:
            return await self._answer(question)
        except Exception:
            _log.exception("%s was not answered", question)
            return Reply(500, "internal error; the log has more\n")

    async def _send(self, reply: Reply, *, last: bool, head: bool = False) -> None:
        body = reply.text.encode()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            *reply.headers.items(),
            *([("Connection", "close")] if last else []),
        ]
        response = h11.Response(
            status_code=reply.status,
            reason=HTTPStatus(reply.status).phrase.encode(),
            headers=[(name.encode(), value.encode()) for name, value in headers],
        )
        data = self._protocol.send(response) or b""
        if not head:
            data += self._protocol.send(h11.Data(data=body)) or b""
        data += self._protocol.send(h11.EndOfMessage()) or b""
        with trio.fail_after(_PATIENCE):
            await self._stream.send_all(data)
