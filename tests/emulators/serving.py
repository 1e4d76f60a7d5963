"""An HTTP/1.1 server for emulators: h11 for the protocol, trio for the sockets, and the right to be rude.

A framework would do, if it could hang up in the middle of a request, keep an answer to itself, or hand over a path
exactly as it was sent. Emulators need all three.
"""

from __future__ import annotations

import json
import signal
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import h11
import trio

_CHUNK = 256 << 10
_DRAINED = 1 << 20
"""Bytes of a body that nobody wanted, which are read for the sake of the connection."""


class HangUp(Exception):
    """Raised by a handler: reset the connection, without an answer."""


@dataclass(frozen=True)
class Slice:
    """A body that is a part of a file."""

    path: Path
    start: int
    stop: int


@dataclass
class Answer:
    """What a handler says. ``cut``: of the body only so many bytes are sent, then the connection is reset.

    ``length``: what a HEAD says that the body would have.
    """

    status: int
    body: bytes | Slice = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    length: int | None = None

    @classmethod
    def json(cls, status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
        found = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        return cls(status, json.dumps(value, separators=(",", ":")).encode(), found)

    @property
    def size(self) -> int:
        return self.body.stop - self.body.start if isinstance(self.body, Slice) else len(self.body)


class Request:
    """What a client asks. ``path`` is as it was sent, percent signs and all; header names are in lower case."""

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: AsyncIterator[bytes]) -> None:
        self.method = method
        self.target = target
        self.path, _, query = target.partition("?")
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.headers = headers
        self.body = body
        self.received = 0
        """Bytes of the body so far."""

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.body])

    async def json(self) -> Any:
        """Raises `ValueError`."""
        return json.loads(await self.read())

    async def form(self) -> dict[str, str]:
        return dict(parse_qsl((await self.read()).decode(), keep_blank_values=True))


Handler = Callable[[Request], Awaitable[Answer]]


async def serve(
    handler: Handler, port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve on loopback for ever; the started value is the port."""
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    task_status.started(listeners[0].socket.getsockname()[1])

    async def talk(stream: trio.SocketStream) -> None:
        with trio.CancelScope():
            await _Conversation(stream, handler).hold()

    await trio.serve_listeners(talk, listeners)


async def told_to_end() -> None:
    """Until a signal says so."""
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        await anext(aiter(signals))


class _Conversation:
    """One connection, request after request."""

    def __init__(self, stream: trio.SocketStream, handler: Handler) -> None:
        self._stream = stream
        self._handler = handler
        self._protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=256 << 10)
        self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def hold(self) -> None:
        try:
            while await self._exchange():
                self._protocol.start_next_cycle()
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            pass
        finally:
            self._stream.socket.close()

    async def _exchange(self) -> bool:
        """Whether another request may follow."""
        event = await self._next()
        if not isinstance(event, h11.Request):
            return False
        headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
        request = Request(event.method.decode(), event.target.decode("latin-1"), headers, self._body())
        request.body = self._counted(request)
        try:
            answer = await self._handler(request)
        except HangUp:
            self._reset()
            return False
        await self._send(answer, request.method)
        if answer.cut is not None:
            return False
        return await self._drain(request)

    async def _next(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while True:
            event = self._protocol.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self._protocol.they_are_waiting_for_100_continue:
                go_ahead = h11.InformationalResponse(status_code=100, headers=[])
                await self._stream.send_all(self._protocol.send(go_ahead) or b"")
            self._protocol.receive_data(await self._stream.receive_some(_CHUNK))

    async def _body(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)

    async def _counted(self, request: Request) -> AsyncIterator[bytes]:
        async for chunk in self._body():
            request.received += len(chunk)
            yield chunk

    async def _drain(self, request: Request) -> bool:
        before = request.received
        async for _ in request.body:
            if request.received - before > _DRAINED:
                return False
        return self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    async def _send(self, answer: Answer, method: str) -> None:
        length = answer.size if answer.length is None else answer.length
        pairs = [("Content-Length", str(length)), *answer.headers.items()]
        headers = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
        if answer.status == 204:
            headers = headers[1:]
        head = self._protocol.send(h11.Response(status_code=answer.status, headers=headers)) or b""
        if isinstance(answer.body, Slice):
            await self._stream.send_all(head)
            await self._send_slice(answer.body, answer.cut)
            head = b""
        elif method != "HEAD" and answer.body:
            head += self._protocol.send(h11.Data(data=answer.body[: answer.cut])) or b""
        if answer.cut is not None:
            await self._stream.send_all(head)
            self._reset()
            return
        await self._stream.send_all(head + (self._protocol.send(h11.EndOfMessage()) or b""))

    async def _send_slice(self, body: Slice, cut: int | None) -> None:
        stop = body.stop if cut is None else min(body.stop, body.start + cut)
        with open(body.path, "rb") as file:  # noqa: ASYNC230  (a local file, and mostly in memory)
            file.seek(body.start)
            while file.tell() < stop:
                data = file.read(min(_CHUNK, stop - file.tell()))
                await self._stream.send_all(self._protocol.send(h11.Data(data=data)) or b"")

    def _reset(self) -> None:
        """So that the other side sees a broken connection and not a short answer."""
        self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stream.socket.close()
