"""The I/O errors that programs were given, in the log: whoever reads `EIO` on a terminal finds the reason there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)
_INTERVAL = 10.0
"""Seconds between two lines. A program that goes through a tree while the store is away gets thousands of errors."""


class Complaints:
    """Writes a line for the first error, and then at most one in `_INTERVAL` that counts those in between."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent_until = float("-inf")
        self._untold = 0

    def failed(self, operation: str, error: BaseException) -> None:
        """A program got `EIO` from ``operation``, because of ``error``."""
        now = self._clock()
        if now < self._silent_until:
            self._untold += 1
            _log.debug("%s failed: %s", operation, error)
            return
        more = f" ({self._untold} more since the last such line)" if self._untold else ""
        _log.warning("a program was told of an I/O error in %s: %s%s", operation, error, more)
        self._silent_until = now + _INTERVAL
        self._untold = 0
