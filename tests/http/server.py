"""A server whose every word is written in the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio


@dataclass
class Exchange:
    """One request as it arrived, and the connection it came by."""

    stream: trio.abc.Stream
    line: str
    headers: dict[str, str]
    rest: bytearray
    connection: int

    async def body(self) -> bytes:
        size = int(self.headers.get("content-length", "0"))
        while len(self.rest) < size:
            data = await self.stream.receive_some()
            if not data:
                break
            self.rest += data
        body = bytes(self.rest[:size])
        del self.rest[:size]
        return body

    async def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.stream.send_all("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


Handler = Callable[[Exchange], Awaitable[object]]


@dataclass
class ScriptedServer:
    """Calls ``handle`` for each request; a connection ends when that raises `EOFError`, or the client hangs up."""

    handle: Handler
    url: str = ""
    lines: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    connections: int = 0

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        number = self.connections
        rest = bytearray()
        try:
            while (exchange := await self._next(stream, rest, number)) is not None:
                self.lines.append(exchange.line)
                self.headers.append(exchange.headers)
                await self.handle(exchange)
        except (EOFError, trio.BrokenResourceError):
            pass
        await trio.aclose_forcefully(stream)

    async def _next(self, stream: trio.abc.Stream, rest: bytearray, number: int) -> Exchange | None:
        while b"\r\n\r\n" not in rest:
            data = await stream.receive_some()
            if not data:
                return None
            rest += data
        head, _, body = bytes(rest).partition(b"\r\n\r\n")
        rest[:] = body
        line, *pairs = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (pair.partition(":") for pair in pairs)}
        return Exchange(stream, line, headers, rest, number)


@asynccontextmanager
async def serving(handle: Handler) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(handle)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, server.serve, 0)
        port = next(each.socket.getsockname()[1] for each in listeners if len(each.socket.getsockname()) == 2)
        server.url = f"http://127.0.0.1:{port}"
        yield server
        nursery.cancel_scope.cancel()
