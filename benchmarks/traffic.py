"""What a Swift server was asked for, as it tells itself: no proxy between the client and it, which would cost time."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from typing import Self

from tests.servers.swift_files import LOG_FORMAT

_BUFFER = 4 << 20
_FIELDS = len(LOG_FORMAT.split())
_SETTLING_SECONDS = 0.05
"""The server tells of a request just after its answer."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of clients, and the bytes of their bodies."""

    requests: int = 0
    sent: int = 0
    """From clients to the server."""
    received: int = 0

    def __sub__(self, before: Traffic) -> Traffic:
        return Traffic(self.requests - before.requests, self.sent - before.sent, self.received - before.received)


class Ear:
    """Hears of every request from the moment it exists until it is closed. Give ``port`` to the server."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._heard = Traffic()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def heard(self) -> Traffic:
        """Everything so far."""
        time.sleep(_SETTLING_SECONDS)
        return self._heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._listener.join()
        self._socket.close()

    def _listen(self) -> None:
        while line := self._socket.recv(4096):
            _method, _status, sent, received, source = line.partition(b": ")[2].split()[:_FIELDS]
            if source == b"-":
                heard = self._heard
                self._heard = Traffic(
                    heard.requests + 1, heard.sent + _number(sent), heard.received + _number(received)
                )


def _number(text: bytes) -> int:
    return 0 if text == b"-" else int(text)
