"""What systemd is told of a service of ``Type=notify``, as sd_notify(3) has it; without systemd nobody is told."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable

import trio

_log = logging.getLogger(__name__)
_STATUS_SECONDS = 10.0


class Notifier:
    """Sends states to the socket ``address``; None sends nothing. What cannot be sent is not worth an error."""

    def __init__(self, address: str | None, watchdog_seconds: float | None = None) -> None:
        self._address = address
        self._watchdog_seconds = watchdog_seconds

    @classmethod
    def from_environment(cls) -> Notifier:
        """The one of this process, taken out of the environment: programs that we run have nothing to tell."""
        address = os.environ.pop("NOTIFY_SOCKET", None)
        interval, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        watched = interval.isdecimal() and int(interval) > 0 and pid in ("", str(os.getpid()))
        return cls(address or None, int(interval) / 1e6 if watched else None)

    def ready(self) -> None:
        """The mount is usable."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={' '.join(text.split())}")

    def stopping(self) -> None:
        """The end has begun; it may take its time."""
        self._send("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """This phase is not over, but getting somewhere: for so long from now it must not count as hung."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    async def report_forever(self, describe: Callable[[], str]) -> None:
        """Keep the status line true, and the watchdog quiet for as long as the event loop turns."""
        if self._address is None:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_status, describe)
            if self._watchdog_seconds is not None:
                nursery.start_soon(self._ping_forever, self._watchdog_seconds / 3)

    async def _keep_status(self, describe: Callable[[], str]) -> None:
        said = ""
        while True:
            now = describe()
            if now != said:
                self.status(now)
                said = now
            await trio.sleep(_STATUS_SECONDS)

    async def _ping_forever(self, interval: float) -> None:
        while True:
            self._send("WATCHDOG=1")
            await trio.sleep(interval)

    def _send(self, state: str) -> None:
        if self._address is None:
            return
        # An address that begins with @ is in the abstract namespace, which begins with a zero byte.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(state.encode("utf-8", "backslashreplace"), address)
        except OSError as error:
            _log.debug("systemd was not told %s: %s", state, error)
