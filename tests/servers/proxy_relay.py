"""Carries bytes between clients and a server, over a bad line. Runs in the proxy's own process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from tests.servers.proxy_line import Line
from tests.servers.proxy_mishaps import Mischief, Mishap

CHUNK = 64 << 10
WINDOW = 128
"""Chunks under way in one direction of a connection, as the window of TCP would allow."""
BACKLOG = 0.005
"""Seconds of the line that one connection may have taken in advance, so that clocks that wake late waste none of it."""
LISTEN = 1024


class Signal(Enum):
    END = "no more bytes come from here"
    RESET = "the connection is no more"


@dataclass(frozen=True)
class Instead:
    """Arrives in place of a request: the proxy answers, and the server is left alone."""

    answer: bytes


Cargo = bytes | Signal | Instead


class Reset(Exception):
    """Both sides shall see a connection reset."""


@dataclass
class Traffic:
    """What passed so far."""

    connections: int = 0
    exchanges: int = 0
    mishaps: int = 0
    sent: int = 0
    """Bytes from clients to the server."""
    received: int = 0


class Flow:
    """One direction of one connection. ``inspect`` turns what was read into what shall arrive."""

    def __init__(
        self, source: socket.socket, sink: socket.socket, line: Line, inspect: Callable[[bytes], Iterable[Cargo]]
    ) -> None:
        self.source = source
        self.sink = sink
        self._line = line
        self._inspect = inspect
        self._under_way: asyncio.Queue[tuple[float, Cargo]] = asyncio.Queue(WINDOW)

    async def read(self) -> None:
        """Until the source ends, or the inspector said that nothing else shall arrive."""
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(self.source, CHUNK):
            for cargo in self._inspect(data):
                await self.put(cargo)
                if cargo is Signal.END:
                    return
        await self.put(Signal.END)

    async def put(self, cargo: Cargo) -> None:
        """Send it over the line; returns when the line is ready for more."""
        now = asyncio.get_running_loop().time()
        slot = self._line.send(now, len(cargo) if isinstance(cargo, bytes) else 0)
        await self._under_way.put((slot.arrival, cargo))
        await asyncio.sleep(max(slot.start - BACKLOG - now, 0))

    async def next(self) -> Cargo:
        """What arrives next, when it arrives."""
        arrival, cargo = await self._under_way.get()
        late = arrival - asyncio.get_running_loop().time()
        if late > 0:
            await asyncio.sleep(late)
        return cargo


class Connection:
    """One client's connection, and the one to the server that stands behind it."""

    def __init__(self, client: socket.socket, server: socket.socket, relay: Relay) -> None:
        self._relay = relay
        self._up = Flow(client, server, relay.up, self._inspect_request)
        self._down = Flow(server, client, relay.down, self._inspect_answer)
        self._sockets = (client, server)
        self._mishap = Mishap()
        self._answering = True
        self._passed = 0
        """Bytes of the request, or of the answer, that were let through so far."""
        self._limit: int | None = None
        self._at_limit = Signal.RESET

    async def run(self) -> None:
        """Until both sides are done, or one is reset."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._up.read())
                group.create_task(self._down.read())
                group.create_task(self._deliver_requests())
                group.create_task(self._deliver_answers())
        except* (Reset, OSError):
            self.reset()

    def reset(self) -> None:
        """The next `close` of the sockets says RST instead of FIN."""
        for end in self._sockets:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    # What shall arrive

    def _inspect_request(self, data: bytes) -> Iterable[Cargo]:
        self._relay.traffic.sent += len(data)
        if self._mishap.instead is not None:
            return ()
        if self._answering:
            self._begin_request(data)
            if self._mishap.instead is not None:
                return (Instead(self._mishap.instead),)
        return self._let_through(data)

    def _inspect_answer(self, data: bytes) -> Iterable[Cargo]:
        self._relay.traffic.received += len(data)
        if not self._answering and not data.startswith(b"HTTP/1.1 100"):
            self._begin_answer(data)
        return self._let_through(data) if self._answering else (data,)

    def _begin_request(self, data: bytes) -> None:
        self._answering, self._passed = False, 0
        self._mishap = self._relay.mischief.draw(data)
        self._limit, self._at_limit = self._mishap.reset_request_at, Signal.RESET
        self._relay.traffic.exchanges += 1
        self._relay.traffic.mishaps += self._mishap != Mishap()

    def _begin_answer(self, data: bytes) -> None:
        self._answering, self._passed, self._limit = True, 0, None
        if self._mishap.reset_answer:
            self._limit, self._at_limit = self._relay.mischief.cut_point(data), Signal.RESET
        elif self._mishap.truncate_answer:
            self._limit, self._at_limit = self._relay.mischief.truncation_point(data), Signal.END

    def _let_through(self, data: bytes) -> Iterable[Cargo]:
        left = None if self._limit is None else self._limit - self._passed
        self._passed += len(data)
        if left is None or left > len(data):
            return (data,)
        return (data[:left], self._at_limit)

    # What has arrived

    async def _deliver_requests(self) -> None:
        while (cargo := await self._up.next()) is not Signal.END:
            if isinstance(cargo, Instead):
                await self._down.put(cargo.answer)
                self._up.sink.shutdown(socket.SHUT_RDWR)
            else:
                await self._hand_over(self._up, cargo)
        if self._mishap.instead is None:
            self._up.sink.shutdown(socket.SHUT_WR)

    async def _deliver_answers(self) -> None:
        while (cargo := await self._down.next()) is not Signal.END:
            await self._hand_over(self._down, cargo)
        self._down.sink.shutdown(socket.SHUT_WR)

    async def _hand_over(self, flow: Flow, cargo: Cargo) -> None:
        if not isinstance(cargo, bytes):
            raise Reset
        await self._relay.flowing.wait()
        await asyncio.get_running_loop().sock_sendall(flow.sink, cargo)


class Relay:
    """Every connection to one target. A port of its own is held from the beginning, also while it refuses."""

    def __init__(self, target: tuple[str, int], port: int, up: Line, down: Line, mischief: Mischief) -> None:
        self.up = up
        self.down = down
        self.mischief = mischief
        self.traffic = Traffic()
        self.flowing = asyncio.Event()
        """Cleared: nothing arrives any more, in either direction, and nobody is told."""
        self.flowing.set()
        self._target = target
        self._holder = bound(("127.0.0.1", port))
        self.address: tuple[str, int] = self._holder.getsockname()
        self._listening: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Take connections."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._accept())

    async def refuse(self) -> None:
        """No new connections: whoever tries is told so at once."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None

    async def cut(self) -> None:
        """Reset every connection there is."""
        ending = list(self._connections)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)

    async def aclose(self) -> None:
        await self.refuse()
        await self.cut()
        self._holder.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        with bound(self.address) as listener:
            listener.listen(LISTEN)
            while True:
                client, _ = await loop.sock_accept(listener)
                task = asyncio.create_task(self._carry(client))
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)

    async def _carry(self, client: socket.socket) -> None:
        self.traffic.connections += 1
        with client, socket.socket() as server:
            for end in (client, server):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(client, server, self)
            try:
                await asyncio.sleep(self.up.delay + self.down.delay)  # the handshake of TCP
                await self.flowing.wait()
                await asyncio.get_running_loop().sock_connect(server, self._target)
                await connection.run()
            except (asyncio.CancelledError, OSError):
                with contextlib.suppress(OSError):
                    connection.reset()


def bound(address: tuple[str, int]) -> socket.socket:
    """A socket that shares its port with others of ours, of which at most one listens."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.setblocking(False)
    found.bind(address)
    return found
