"""The daemon's side of its control socket.

The commands, their arguments and what they give (``daemon/wire.py`` has the framing):

``status`` (path?)
    What ``cloudfs status --json`` shows of one mount, and ``pid`` and ``options`` besides.
``wait`` (paths, timeout?)
    Waits until nothing under the paths is pending but what is parked; paths are relative to the mountpoint, ``""``
    is all of it. Events ``{"files", "bytes", "uploading": [{"path", "done", "size"}]}`` say what is left: files and
    their whole sizes, those being uploaded included, and how far these are. The result
    ``{"parked": [{"path", "reason"}], "pending": {"files", "bytes"}}`` comes when the wait is over, or when
    ``timeout`` seconds are: only then is ``pending`` more than nothing. What is parked does not count as pending.
``unmounting`` (timeout?)
    For a client that unmounts when it gets the event ``{"unmount": true}``. Stores what was written until then, gives
    what `wait` gives, with its events, and has the driver live that long.
``flush``
    Uploads now what is waiting for its time.
``retry``
    Takes up again what is parked.
``pending`` (path, most)
    What is pending at and below a path, at most so many names: ``{"rows": [{"path", "from", "type", "change", "state",
    "bytes", "since", "attempts", "reason"}], "more"}``.
``retry-path`` (path), ``discard`` (path)
    Try it again now, or show again what the store has; ``{"names"}`` says how many that were.
``verify`` (path, deep?)
    Compares catalogue and store, and reads ``deep`` percent of the bytes there. Events ``{"names", "read",
    "differences"}``; the result is ``{"checked": {"names", "files", "bytes"}, "read": {"files", "bytes"}, "count",
    "differences": [{"path", "difference", "detail"}]}``.
``usage`` (path)
    ``{"path", "files", "bytes", "entries": [{"name", "directory", "files", "bytes", "time"}], "store": {"used",
    "total", "free"}}``.
``prune`` (rules, dry_run)
    Applies one ``[[retention]]``, whose ``path`` is relative to the mountpoint: ``{"path", "snapshots": [{"name",
    "time", "bytes", "stored", "keep", "verdict", "deleted"}], "deleted", "freed"}``.
``stop``
    Ends the mount without waiting for uploads.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import trio

from cloudfs.daemon.wire import MAX_LINE, decode, encode, socket_address
from cloudfs.errors import CloudfsError, StateInUse

Report = Callable[[dict[str, Any]], Awaitable[None]]
"""Sends a progress event to the client."""

Handler = Callable[[dict[str, Any], Report], Awaitable[object]]
"""Carries out one command with its arguments; what it returns is the result, in terms of JSON.

A `CloudfsError` it raises is told to the client. It is cancelled when the client goes away.
"""

_log = logging.getLogger(__name__)

_REQUEST_SECONDS = 10
_CREDENTIALS = struct.Struct("3i")


class ControlServer:
    """Answers commands on the Unix socket ``path``, for its own user and root only."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled; started once clients can connect. Removes the socket at the end.

        A socket left by a dead daemon is replaced; a live one raises `StateInUse`.
        """
        listening = _listen(self._path)
        identity = _identity(self._path)
        try:
            async with trio.open_nursery() as nursery:
                listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
                nursery.start_soon(trio.serve_listeners, self._converse, [listener])
                task_status.started()
        finally:
            listening.close()
            # Somebody may have put another socket there meanwhile.
            if _identity(self._path) == identity:
                self._path.unlink(missing_ok=True)

    async def _converse(self, stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await self._answer(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                _log.debug("a client went away")

    async def _answer(self, stream: trio.SocketStream) -> None:
        # Read even from those we refuse: closing a socket with unread data takes our answer away again.
        line = b""
        with trio.move_on_after(_REQUEST_SECONDS):
            line = await _receive_line(stream)
        user = _peer_user(stream)
        if not may_control(user, os.geteuid()):
            _log.warning("user %d may not control this mount", user)
            await stream.send_all(_error("AccessDenied", "this mount belongs to another user"))
        elif line:
            await self._carry_out(stream, line)

    async def _carry_out(self, stream: trio.SocketStream, line: bytes) -> None:
        """Answer the request in ``line``, for no longer than its client listens."""
        async with trio.open_nursery() as nursery:

            async def send(message: bytes) -> None:
                try:
                    await stream.send_all(message)
                except trio.BrokenResourceError:
                    nursery.cancel_scope.cancel()
                    await trio.lowlevel.checkpoint()

            async def report(event: dict[str, Any]) -> None:
                await send(encode({"event": event}))

            nursery.start_soon(_cancel_when_gone, stream, nursery.cancel_scope)
            await send(await self._reply(line, report))
            nursery.cancel_scope.cancel()

    async def _reply(self, line: bytes, report: Report) -> bytes:
        """The last message of a conversation. Whatever goes wrong in a handler ends here, and not the daemon."""
        try:
            request = decode(line)
            command, arguments = request["command"], request.get("arguments", {})
            handler = self._handlers[command]
        except (ValueError, KeyError, TypeError):
            return _error("UsageError", "this daemon does not know such a command; is it of another version?")
        try:
            return encode({"result": await handler(arguments, report)})
        except CloudfsError as error:
            return _error(type(error).__name__, str(error))
        except Exception:
            _log.exception("the command %s failed", command)
            return _error("InternalError", f"an internal error in {command}; the log of the mount has more")


def may_control(user: int, owner: int) -> bool:
    """Whether a process of ``user`` may command the daemon of ``owner``."""
    return user in (0, owner)


async def _cancel_when_gone(stream: trio.SocketStream, scope: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some():
            pass
    scope.cancel()


async def _receive_line(stream: trio.SocketStream) -> bytes:
    """The first line; empty if the client leaves before its end, or talks too much."""
    line = bytearray()
    while len(line) <= MAX_LINE:
        part = await stream.receive_some()
        if not part:
            break
        line += part
        if part.endswith(b"\n"):
            return bytes(line)
    return b""


def _peer_user(stream: trio.SocketStream) -> int:
    credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(credentials)[1]
    return user


def _error(kind: str, message: str) -> bytes:
    return encode({"error": {"kind": kind, "message": message}})


def _listen(path: Path) -> socket.socket:
    """A listening socket at ``path``. It appears there by rename: never half made, and never open to others."""
    if _is_live(path):
        raise StateInUse(f"another process answers at {path}")
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(fresh) as address:
            listening.bind(address)
        fresh.chmod(0o600)
        listening.listen(16)
        fresh.replace(path)
    except BaseException:
        listening.close()
        fresh.unlink(missing_ok=True)
        raise
    return listening


def _is_live(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            with socket_address(path) as address:
                probe.connect(address)
        except BlockingIOError:
            return True  # somebody listens, and is too busy to accept
        except OSError:
            return False
        return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
