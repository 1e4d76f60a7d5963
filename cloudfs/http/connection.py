"""One connection to a server, HTTP/1.1: a request, its answer, and then the next.

h11 knows the protocol and trio the socket. (httpx and httpcore are comfortable, but take five to nine times as much
of the processor for a small request; docs/explanation/performance.md has the numbers.)
"""

from __future__ import annotations

import select

import h11
import trio

from cloudfs.http.message import Answer, Body, Headers, Origin, Request, Sink

_RECEIVE = 256 << 10
_SEND = 1 << 20
_AT_ONCE = 64 << 10
"""A body of so many bytes leaves together with its head."""
_MAX_HEAD = 256 << 10
_REFUSAL = 64 << 10
"""Bytes in which a server may explain why it does not do what it was asked."""
_LAST_WORDS = 1.0
"""Seconds in which a server that hung up on a request may still be heard."""

Wire = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class Stale(Exception):
    """The server had closed the connection before it saw the request: another one may do."""


class Malformed(Exception):
    """The answer is no HTTP, ends early, or is larger than was allowed."""


class Connection:
    """Owns its stream. After any exception it can only be closed; so too if `is_reusable` says no."""

    def __init__(self, origin: Origin, wire: Wire, idle_since: float = 0.0) -> None:
        self.origin = origin
        self.idle_since = idle_since
        self.answers = 0
        self._wire = wire
        self._socket = (wire.transport_stream if isinstance(wire, trio.SSLStream) else wire).socket
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)
        self._broken = False

    @property
    def is_reusable(self) -> bool:
        return not self._broken and self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE

    def has_news(self) -> bool:
        """Whether something arrived that nobody asked for: most likely, that the server hangs up."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """At once, without a word to the server."""
        self._broken = True
        self._socket.close()

    async def exchange(self, request: Request, target: str, limit: int, into: Sink | None, patience: float) -> Answer:
        """Send ``request`` and receive the answer; the body of a success may have ``limit`` bytes and goes to ``into``.

        ``patience`` is in seconds and begins anew with every chunk. Raises `Stale`, `Malformed`, `trio.TooSlowError`,
        what the wire raises (`trio.BrokenResourceError`, `OSError`) and what the request's body does.
        """
        if self.answers:
            self._protocol.start_next_cycle()
        head = await self._ask(request, target, patience)
        if not 200 <= head.status_code < 300:
            into, limit = None, max(limit, _REFUSAL)
        body = await self._receive_body(limit, into, patience)
        self.answers += 1
        return Answer(head.status_code, Headers(list(head.headers)), body)

    # --- the request ---------------------------------------------------------------------------------------------

    async def _ask(self, request: Request, target: str, patience: float) -> h11.Response:
        head = self._head(request, target)
        body = request.body
        if not isinstance(body, bytes) and body.size <= _AT_ONCE:
            body = await body.read(0, body.size)
        if isinstance(body, bytes) and len(body) <= _AT_ONCE:
            sending = head + self._encode(h11.Data(data=body)) if body else head
            return await self._ask_at_once(sending + self._encode(h11.EndOfMessage()), patience)
        return await self._ask_at_length(head, body, patience)

    def _head(self, request: Request, target: str) -> bytes:
        headers = [(b"Host", self.origin.authority.encode())]
        # What came in an answer, in whatever encoding, leaves as it was (`Headers`).
        headers += [
            (name.encode("ascii"), value.encode("utf-8", "surrogateescape")) for name, value in request.headers.items()
        ]
        if request.size or request.method in ("PUT", "POST"):
            headers.append((b"Content-Length", b"%d" % request.size))
        return self._encode(h11.Request(method=request.method, target=target.encode("ascii"), headers=headers))

    async def _ask_at_once(self, message: bytes, patience: float) -> h11.Response:
        try:
            with trio.fail_after(patience):
                await self._wire.send_all(message)
        except trio.BrokenResourceError:
            if self.answers:
                raise Stale from None
            raise
        return await self.receive_head(patience)

    async def _ask_at_length(self, head: bytes, body: bytes | Body, patience: float) -> h11.Response:
        """Send a large body, but stop as soon as the server says that it does not want it."""
        listener = _Listener(self)
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listener.listen)
            try:
                with listener.sending:
                    await self._send_at_length(head, body, patience)
            except trio.BrokenResourceError as error:
                failure = error
                patience = min(patience, _LAST_WORDS)
            except Exception as error:  # left alone, the nursery would make a group of it
                failure = error
                patience = 0.0
            with trio.move_on_after(patience):
                await listener.done.wait()
            nursery.cancel_scope.cancel()
        if listener.head is not None:
            return listener.head
        raise failure or listener.failure or trio.TooSlowError

    async def _send_at_length(self, head: bytes, body: bytes | Body, patience: float) -> None:
        size = len(body) if isinstance(body, bytes) else body.size
        with trio.fail_after(patience):
            await self._wire.send_all(head)
        for start in range(0, size, _SEND):
            stop = min(start + _SEND, size)
            chunk = body[start:stop] if isinstance(body, bytes) else await body.read(start, stop)
            for at in range(0, len(chunk), _AT_ONCE):
                with trio.fail_after(patience):
                    await self._wire.send_all(self._encode(h11.Data(data=chunk[at : at + _AT_ONCE])))
        self._encode(h11.EndOfMessage())

    def _encode(self, event: h11.Event) -> bytes:
        return self._protocol.send(event) or b""

    # --- the answer ----------------------------------------------------------------------------------------------

    async def receive_head(self, patience: float | None) -> h11.Response:
        """The status and headers of the answer, as soon as they are there."""
        silent = True
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                return event
            if event is h11.NEED_DATA:
                try:
                    silent = not await self._feed(patience) and silent
                except trio.BrokenResourceError:
                    if self.answers and silent:
                        raise Stale from None
                    raise
                if silent:
                    if self.answers:
                        raise Stale
                    raise Malformed("the server hung up without an answer")
            elif not isinstance(event, h11.InformationalResponse):
                raise Malformed("the answer makes no sense")

    async def _receive_body(self, limit: int, into: Sink | None, patience: float) -> bytes:
        parts: list[bytes] = []
        received = 0
        while True:
            event = self._next_event()
            if event is h11.NEED_DATA:
                await self._feed(patience)
            elif isinstance(event, h11.Data):
                received += len(event.data)
                if received > limit:
                    raise Malformed(f"the answer is larger than {limit} bytes")
                if into is not None:
                    into.extend(event.data)
                else:
                    parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                return parts[0] if len(parts) == 1 else b"".join(parts)
            else:
                raise Malformed("the answer ended early")

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            return self._protocol.next_event()
        except h11.RemoteProtocolError as error:
            raise Malformed(f"the answer ended early or makes no sense ({error})") from None

    async def _feed(self, patience: float | None) -> bool:
        """Give h11 what the server sends next; False if it sends no more."""
        if patience is None:
            data = await self._wire.receive_some(_RECEIVE)
        else:
            with trio.fail_after(patience):
                data = await self._wire.receive_some(_RECEIVE)
        try:
            self._protocol.receive_data(bytes(data))
        except h11.RemoteProtocolError as error:
            raise Malformed(str(error)) from None
        return bool(data)


class _Listener:
    """Waits for the answer while a large body is still being sent."""

    def __init__(self, connection: Connection) -> None:
        self.sending = trio.CancelScope()
        self.done = trio.Event()
        self.head: h11.Response | None = None
        self.failure: Exception | None = None
        self._connection = connection

    async def listen(self) -> None:
        try:
            self.head = await self._connection.receive_head(None)
        except (Stale, Malformed, trio.BrokenResourceError) as error:
            self.failure = error
        self.done.set()
        self.sending.cancel()
