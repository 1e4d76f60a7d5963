"""How many uploads may run while applications are at work, so that nobody waits for us who need not. Pure.

A store on this machine, or next to it, takes the processors and the disk from whoever writes. One that is far away
mostly makes us wait, and while nothing is sent the line to it lies idle.
"""

from __future__ import annotations

_NEAR = 0.02
"""Seconds in which a store answers that is nearby."""
_HELD_NEAR, _HELD_FAR = 5.0, 1.0
"""Seconds: applications that never pause have everything to themselves for so long, and then share it."""
_SHARE_NEAR = 2


class Courtesy:
    """Towards the applications of one mount. Times are in seconds of any clock that only advances."""

    def __init__(self, round_trip: float, limit: int) -> None:
        """``round_trip`` is as in `Capabilities`; ``limit`` is how many uploads may run when nobody is disturbed."""
        self._limit = limit
        is_near = round_trip < _NEAR
        self._held_for = _HELD_NEAR if is_near else _HELD_FAR
        self._share = min(_SHARE_NEAR, limit) if is_near else limit
        self._since: float | None = None

    @property
    def is_holding_back(self) -> bool:
        """Whether to look again soon, though nothing happens."""
        return self._since is not None

    def allowed(self, now: float, *, busy: bool) -> int:
        """How many uploads may run."""
        if not busy:
            self._since = None
            return self._limit
        if self._since is None:
            self._since = now
        return 0 if now - self._since < self._held_for else self._share
