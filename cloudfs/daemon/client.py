"""The command line's side of a daemon's control socket. Plain sockets: without an event loop it starts fast."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from cloudfs.daemon.wire import MAX_LINE, decode, encode, socket_address
from cloudfs.errors import CloudfsError

ANSWER_SECONDS = 10.0
"""How long a daemon may take for what should be immediate."""


class DaemonGone(CloudfsError):
    """There is no daemon behind the socket, or it ended before it answered."""


class DaemonSilent(CloudfsError):
    """The daemon did not answer in time."""


class DaemonRefused(CloudfsError):
    """The daemon answered with an error. ``kind`` is the name of its class there."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ControlClient:
    """Commands one daemon through its socket at ``path``. Every call is a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def call(self, command: str, /, *, limit: float | None = ANSWER_SECONDS, **arguments: object) -> Any:
        """The result of ``command``, within ``limit`` seconds; None waits for ever."""
        return self.follow(command, lambda event: None, limit=limit, **arguments)

    def follow(
        self,
        command: str,
        progress: Callable[[dict[str, Any]], None],
        /,
        *,
        limit: float | None = ANSWER_SECONDS,
        **arguments: object,
    ) -> Any:
        """The same, and ``progress`` sees each event on the way."""
        with closing(self._messages(command, limit, arguments)) as messages:
            for message in messages:
                if "error" in message:
                    raise DaemonRefused(message["error"]["kind"], message["error"]["message"])
                if "result" in message:
                    return message["result"]
                progress(message.get("event", {}))
        raise DaemonGone("the daemon ended before it answered")

    def _messages(
        self, command: str, limit: float | None, arguments: dict[str, object]
    ) -> Generator[dict[str, Any], None, None]:
        deadline = None if limit is None else time.monotonic() + limit
        with _translated(self._path), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_SECONDS if limit is None else limit)
            with socket_address(self._path) as address:
                connection.connect(address)
            connection.sendall(encode({"command": command, "arguments": arguments}))
            for line in _lines(connection, deadline):
                yield decode(line)


def _lines(connection: socket.socket, deadline: float | None) -> Iterator[bytes]:
    """Whole lines until the other side closes. Raises `TimeoutError` after ``deadline``."""
    buffer = bytearray()
    while len(buffer) <= MAX_LINE:
        connection.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
        part = connection.recv(65536)
        if not part:
            return
        *lines, rest = bytes(buffer + part).split(b"\n")
        yield from lines
        buffer = bytearray(rest)
    raise ValueError("the line is too long")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise DaemonSilent("the daemon does not answer; it may be stopped or very busy") from None
    except BlockingIOError:
        raise DaemonSilent("the daemon has too many clients") from None
    except PermissionError:
        raise DaemonGone("this mount belongs to another user") from None
    except OSError as error:
        raise DaemonGone(f"no daemon answers at {path} ({os.strerror(error.errno or 0)})") from None
    except ValueError:
        raise DaemonGone("the daemon gave an answer that makes no sense; is it of another version?") from None
