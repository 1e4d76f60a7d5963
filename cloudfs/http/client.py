"""Sends requests and receives answers; keeps connections alive between them. The one place that knows the network.

Whatever a socket, TLS or a server can do wrong is one of two errors here: `Unavailable` (also a time-out, or a name
that is not known) and `BrokenAnswer` (an answer that ends early or makes no sense). What a status means is the
caller's business, and so is trying again, but for one case: a connection that the server had closed while it was idle.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

import trio

from cloudfs.errors import BrokenAnswer, Unavailable
from cloudfs.http.connection import Connection, Malformed, Stale, Wire
from cloudfs.http.message import Answer, Origin, Request, Sink, resolve, split_url

_log = logging.getLogger(__name__)
ANSWER_LIMIT = 16 << 20
"""Bytes of an answer's body, if not said otherwise."""
_ROUND_TRIP = 0.1
_IDLE_SECONDS = 20.0
_IDLE_KEPT = 64
_REDIRECTIONS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_CREDENTIALS = frozenset({"authorization", "cookie", "x-auth-token", "x-auth-key", "x-auth-user", "x-storage-token"})


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. ``quiet`` is how long a server may take for anything: a chunk to take, an answer to begin or go on."""

    connect: float = 15.0
    quiet: float = 60.0


class HttpClient:
    """Every request may be in flight at the same time; how many should be is the `Pacer`'s business."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
        agent: str = "",
        sign: Callable[[Request], Request] | None = None,
    ) -> None:
        """``tls`` is needed for https (`cloudfs.http.tls`); ``agent`` is how we introduce ourselves.

        ``sign`` has the last word on every request that leaves, those again that are redirected or tried again:
        for signatures that are good for one address and one time only.
        """
        self._tls = tls
        self._timeouts = timeouts or Timeouts()
        self._agent = agent or "cloudfs"
        self._sign = sign
        self._quickest: float | None = None
        self._idle: defaultdict[Origin, list[Connection]] = defaultdict(list)
        self._closed = False

    @property
    def round_trip(self) -> float:
        """Seconds for the quickest answer so far; before the first, what is usual between far away places."""
        return _ROUND_TRIP if self._quickest is None else self._quickest

    async def send(self, request: Request, *, limit: int = ANSWER_LIMIT, into: Sink | None = None) -> Answer:
        """The answer, whatever its status. Only a GET follows redirections, and takes no credentials elsewhere.

        The body of an answer may have ``limit`` bytes; that of a success (2xx) goes to ``into``, if given, which
        keeps what had arrived when the answer broke off.
        """
        for _ in range(_REDIRECTIONS):
            origin, target = split_url(request.url)
            answer = await self._send_once(request, origin, target, limit, into)
            location = answer.headers.get("location")
            if request.method != "GET" or answer.status not in _MOVED or not location:
                return answer
            request = _redirected(request, origin, location)
        raise BrokenAnswer(f"{request}: too many redirections")

    async def aclose(self) -> None:
        """Close the connections that are idle; the others close when they are done."""
        self._closed = True
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._idle.clear()

    async def _send_once(self, request: Request, origin: Origin, target: str, limit: int, into: Sink | None) -> Answer:
        started = time.monotonic()
        sent = replace(request, headers={"User-Agent": self._agent, "Accept-Encoding": "identity", **request.headers})
        if self._sign is not None:
            sent = self._sign(sent)
        try:
            answer = await self._exchange(sent, origin, target, limit, into)
        except trio.TooSlowError:
            raise Unavailable(f"{request}: {origin} did not answer in time") from None
        except Stale:
            raise Unavailable(f"{request}: {origin} hung up") from None
        except Malformed as error:
            raise BrokenAnswer(f"{request}: {error}") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise Unavailable(f"{request}: the connection to {origin} broke ({_reason(error)})") from None
        seconds = time.monotonic() - started
        self._quickest = seconds if self._quickest is None else min(seconds, self._quickest)
        _log.debug("%s: %d in %.0f ms", request, answer.status, 1000 * seconds)
        return answer

    async def _exchange(self, request: Request, origin: Origin, target: str, limit: int, into: Sink | None) -> Answer:
        connection = self._take_idle(origin)
        if connection is not None:
            try:
                return await self._use(connection, request, target, limit, into)
            except Stale:
                if not request.is_idempotent:
                    raise
        return await self._use(await self._connect(origin), request, target, limit, into)

    async def _use(
        self, connection: Connection, request: Request, target: str, limit: int, into: Sink | None
    ) -> Answer:
        try:
            quiet = self._timeouts.quiet if request.quiet is None else request.quiet
            answer = await connection.exchange(request, target, limit, into, quiet)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)
        return answer

    # --- connections -------------------------------------------------------------------------------------------------

    def _take_idle(self, origin: Origin) -> Connection | None:
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if trio.current_time() - connection.idle_since < _IDLE_SECONDS and not connection.has_news():
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        idle = self._idle[connection.origin]
        if self._closed or not connection.is_reusable or len(idle) >= _IDLE_KEPT:
            connection.close()
            return
        connection.idle_since = trio.current_time()
        idle.append(connection)

    async def _connect(self, origin: Origin) -> Connection:
        try:
            with trio.fail_after(self._timeouts.connect):
                return Connection(origin, await self._open(origin))
        except trio.TooSlowError:
            raise Unavailable(f"cannot connect to {origin}: it does not answer") from None
        except ssl.SSLCertVerificationError as error:
            raise Unavailable(f"cannot trust {origin}: {error.verify_message}") from None
        except (OSError, trio.BrokenResourceError) as error:
            raise Unavailable(f"cannot connect to {origin}: {_reason(error)}") from None

    async def _open(self, origin: Origin) -> Wire:
        stream = await trio.open_tcp_stream(origin.host, origin.port)
        if origin.scheme == "http":
            return stream
        assert self._tls is not None, "https needs a TLS context"
        wire = trio.SSLStream(stream, self._tls, server_hostname=origin.host, https_compatible=True)
        try:
            await wire.do_handshake()
        except trio.BrokenResourceError as error:
            stream.socket.close()
            if isinstance(error.__cause__, ssl.SSLError):
                raise error.__cause__ from None
            raise
        except BaseException:
            stream.socket.close()
            raise
        return wire


def _redirected(request: Request, origin: Origin, location: str) -> Request:
    url = resolve(request.url, location)
    if split_url(url)[0] == origin:
        return replace(request, url=url)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _CREDENTIALS}
    return replace(request, url=url, headers=headers)


def _reason(error: BaseException) -> str:
    """The words of the system, which are at the end of the chain of causes."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
