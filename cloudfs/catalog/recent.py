"""Places of the store that this mount changed in the last minutes, about which a listing may still be wrong.

Listings of many stores lag behind: what was just stored is not in them yet, what was just deleted or renamed still is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

LAG = 300.0
"""Seconds after which a listing shows what was done before."""
_REMEMBERED = 100_000

Place = tuple[int, bytes]
"""A directory's inode and a name in it, at the store."""


def _monotonic() -> float:
    return time.monotonic_ns() / 1e9


class Recent:
    """What was changed in the last `LAG` seconds; nothing is known of what an earlier process did."""

    def __init__(self, clock: Callable[[], float] = _monotonic) -> None:
        """``clock`` in seconds."""
        self._clock = clock
        self._changed: dict[Place, float] = {}
        self._directories: Counter[int] = Counter()
        self._complete_from = clock() + LAG

    def add(self, place: Place) -> None:
        """It changes now."""
        self._forget_old()
        self._forget(place)
        self._changed[place] = self._clock()
        self._directories[place[0]] += 1
        if len(self._changed) > _REMEMBERED:
            oldest = next(iter(self._changed))
            self._complete_from = self._changed[oldest] + LAG
            self._forget(oldest)

    def has(self, directory: int, name: bytes) -> bool:
        """Whether that place was changed, as far as is remembered."""
        changed = self._changed.get((directory, name))
        return changed is not None and changed > self._clock() - LAG

    def has_in(self, directory: int) -> bool:
        """Whether a place in that directory may have been changed."""
        self._forget_old()
        return directory in self._directories

    def is_complete(self) -> bool:
        """Whether everything that was changed is remembered."""
        return self._clock() >= self._complete_from

    def _forget_old(self) -> None:
        horizon = self._clock() - LAG
        while self._changed:
            oldest = next(iter(self._changed))
            if self._changed[oldest] > horizon:
                return
            self._forget(oldest)

    def _forget(self, place: Place) -> None:
        if self._changed.pop(place, None) is not None:
            self._directories[place[0]] -= 1
            if not self._directories[place[0]]:
                del self._directories[place[0]]
