"""Whether applications are at work right now: uploads can wait a moment, whoever calls ``write()`` cannot."""

from __future__ import annotations

import time

_PAUSE = 0.1
"""Seconds without a request after which nobody is considered to be waiting for us."""


class Pulse:
    """Beats with every request of the kernel."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = 0.0

    def beat(self) -> None:
        self._last = time.monotonic()

    def is_busy(self) -> bool:
        return time.monotonic() - self._last < _PAUSE
