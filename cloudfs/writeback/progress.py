"""Something happened: whoever waits for it looks again."""

from __future__ import annotations

import trio


class Progress:
    """Wakes everybody who waits for the next time."""

    def __init__(self) -> None:
        self._next = trio.Event()

    def made(self) -> None:
        self._next.set()
        self._next = trio.Event()

    @property
    def next(self) -> trio.Event:
        """Set when something happens from now on: for who looks in between, which takes its time."""
        return self._next

    async def wait(self) -> None:
        """Until something happens from now on."""
        await self._next.wait()
