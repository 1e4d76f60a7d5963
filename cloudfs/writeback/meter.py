"""How fast bytes leave: a total, and a rate that forgets the past."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

_SECONDS = 8.0
"""What was sent so long ago counts for a third."""
_PAUSE = 30.0
"""After a pause as long as that, the next burst is measured from its own beginning."""


class Meter:
    """``total`` is what was added since the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._level = 0.0
        self._last = self._began = clock()
        self.total = 0

    def add(self, amount: int) -> None:
        now = self._clock()
        if now - self._last > _PAUSE:
            self._level, self._began = 0.0, now
        self._level = self._level * math.exp((self._last - now) / _SECONDS) + amount
        self._last = now
        self.total += amount

    def rate(self) -> float:
        """Per second, about the last few seconds."""
        now = self._clock()
        level = self._level * math.exp((self._last - now) / _SECONDS)
        # The weights of all moments since the beginning add up to this many seconds.
        weight = _SECONDS * (1 - math.exp((self._began - now) / _SECONDS))
        return level / max(weight, 0.5)
