"""How far to read ahead of a reader, from what it has read so far. Pure.

A reader that jumps gets what it asks for and no more. One that goes on where it stopped gets a window of blocks
ahead of it, twice as wide every time half of it is used up. The kernel sends the reads of one sequential reader
in parallel and a little out of order, so once there is a window, whatever falls near it counts as going on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloudfs.types import Extent

NARROWEST = 256 << 10
WIDEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Window:
    """What is known of one reader, in bytes of the file.

    ``expected`` is where a sequential reader reads next; ``width`` how much is kept ahead of it, 0 for one that
    jumps; what lies before ``ahead`` has been asked for.
    """

    expected: int = 0
    width: int = 0
    ahead: int = 0


def observe(window: Window, start: int, stop: int, widest: int = WIDEST) -> tuple[Window, Extent | None]:
    """The window after a read of ``[start, stop)``, and what to fetch in the background now.

    The extent may go beyond the end of the file. With ``widest < NARROWEST`` nothing is read ahead, ever.
    """
    if abs(start - window.expected) > window.width:
        return Window(expected=stop), None
    reached = max(stop, window.expected)
    if widest < NARROWEST or window.ahead - reached > window.width // 2:
        return replace(window, expected=reached), None
    width = min(max(window.width * 2, NARROWEST), widest)
    begin, end = max(window.ahead, reached), reached + width
    return Window(reached, width, max(end, window.ahead)), Extent(begin, end) if begin < end else None
