"""Swift's first way to sign in (``/auth/v1.0``), answered from a sign-in of ours.

Duplicity, python-swiftclient, rclone and whatever else speaks it then use the same account, without knowing how one
gets into it. Only the sign-in passes through here: they are told the address of the storage and a token for it.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import trio

from cloudfs.config import Remote
from cloudfs.daemon.notify import Notifier
from cloudfs.daemon.privacy import keep_private
from cloudfs.errors import AccessDenied, SignInRequired, StoreError, Unavailable, UsageError
from cloudfs.http.server import Question, Reply, listen, port_of, serve
from cloudfs.settings.secret import Secret
from cloudfs.stores.swift.hubic import Doorway, open_doorway

PATH = "/auth/v1.0"
_PATHS = frozenset({PATH, "/auth", "/v1.0"})
_PENALTY = 1.0
"""Seconds that a wrong password costs."""
_PRIVATE = {"Cache-Control": "no-store"}
_ASK = {"WWW-Authenticate": 'Swift realm="cloudfs"'}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gate:
    """Where it listens, and who may ask."""

    host: str
    port: int
    user: str
    password: Secret


class SwiftAuth:
    """Answers questions at `PATH`, for whoever knows ``user`` and ``password``."""

    def __init__(self, doorway: Doorway, user: str, password: Secret) -> None:
        self._doorway = doorway
        self._user = Secret(user)
        self._password = password

    async def answer(self, question: Question) -> Reply:
        if (question.path.rstrip("/") or "/") not in _PATHS:
            return Reply(404, f"there is nothing here; sign in at {PATH}\n")
        if question.method not in ("GET", "HEAD"):
            return Reply(405, "ask with GET\n", {"Allow": "GET, HEAD"})
        user = question.headers.get("x-auth-user") or question.headers.get("x-storage-user")
        key = question.headers.get("x-auth-key") or question.headers.get("x-storage-pass")
        if user is None or key is None:
            return Reply(401, "the headers X-Auth-User and X-Auth-Key are needed\n", _ASK)
        # Both are always compared, so that the time tells nothing about either.
        if not (Secret(user) == self._user) & (Secret(key) == self._password):
            _log.warning("somebody had a wrong user or password")
            await trio.sleep(_PENALTY)
            return Reply(401, "wrong user or password\n", _ASK)
        return await self._let_in()

    async def _let_in(self) -> Reply:
        try:
            access, seconds = await self._doorway.access()
        except (SignInRequired, AccessDenied) as error:
            # Not 401: the password was right, and asking again with it does not help.
            return _refused(403, error)
        except Unavailable as error:
            return _refused(503, error, {"Retry-After": str(int(error.retry_after or 10) or 1)})
        except StoreError as error:
            return _refused(502, error)
        _log.info("let somebody in")
        told = {"X-Storage-Url": access.url, "X-Auth-Token": access.token, "X-Storage-Token": access.token}
        return Reply(200, "", {**told, "X-Auth-Token-Expires": str(int(seconds)), **_PRIVATE})


def serve_swift_auth(remote: Remote, gate: Gate, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is given the address to sign in at. Raises `UsageError`."""
    keep_private()
    trio.run(_serve, remote, gate, ready)


async def _serve(remote: Remote, gate: Gate, ready: Callable[[str], None]) -> None:
    notifier = Notifier.from_environment()
    listeners = await _listen(gate)
    doorway = await open_doorway(remote)
    try:
        async with trio.open_nursery() as nursery:
            port = port_of(listeners)
            nursery.start_soon(serve, SwiftAuth(doorway, gate.user, gate.password).answer, listeners)
            nursery.start_soon(notifier.report_forever, lambda: f"answers for {remote.name} on port {port}")
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                host = f"[{gate.host}]" if ":" in gate.host else gate.host
                ready(f"http://{host}:{port}{PATH}")
                notifier.ready()
                await anext(aiter(signals))
            notifier.stopping()
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await doorway.aclose()


async def _listen(gate: Gate) -> list[trio.SocketListener]:
    try:
        return await listen(gate.host, gate.port)
    except OSError as error:
        reason = os.strerror(error.errno) if isinstance(error.errno, int) and error.errno > 0 else str(error.strerror)
        raise UsageError(f"cannot listen on {gate.host} port {gate.port}: {reason}") from None


def _refused(status: int, error: StoreError, headers: Mapping[str, str] = _PRIVATE) -> Reply:
    _log.warning("nobody is let in: %s", error)
    return Reply(status, f"{error}\n", headers)
