"""The line that a proxy pretends to be: so many bytes a second in each direction, and a delay behind it.

All connections share one `Line` for each direction, as they would share a modem. A line sends one chunk after the
other; what has left takes half a round trip to arrive.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """When the line sends a chunk, and when the other side has it; seconds of the caller's clock."""

    start: float
    arrival: float


class Line:
    """One direction. ``bandwidth`` is in bytes a second, None for no limit; ``delay`` in seconds, one way.

    Both may be changed at any time, for the chunks to come.
    """

    def __init__(self, bandwidth: float | None = None, delay: float = 0.0) -> None:
        self.bandwidth = bandwidth
        self.delay = delay
        self._free_at = 0.0

    def send(self, now: float, size: int) -> Slot:
        """Take the next slot of the line for ``size`` bytes."""
        start = max(now, self._free_at)
        self._free_at = start + (size / self.bandwidth if self.bandwidth else 0.0)
        return Slot(start, self._free_at + self.delay)
