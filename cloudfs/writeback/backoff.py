"""How long to wait before trying again. Pure: randomness and the clock are arguments."""

from __future__ import annotations

_FIRST = 1.0
_LONGEST = 300.0
PARKED = 900.0
"""Seconds until a parked name is looked at again: a person may have made room, or changed permissions."""


def delay(attempts: int, jitter: float, retry_after: float | None = None) -> float:
    """Seconds to wait after ``attempts`` failures in a row.

    Doubles from one second to five minutes; ``jitter`` in [0, 1) takes up to half of it away, so that many clients
    do not come back together. A provider's own ``retry_after`` is never undercut.
    """
    wait = min(_FIRST * 2.0 ** min(attempts, 20), _LONGEST) * (1 - jitter / 2)
    return max(wait, retry_after or 0.0)
