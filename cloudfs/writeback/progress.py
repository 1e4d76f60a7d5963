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

    async def wait(self) -> None:
        """Until something happens from now on."""
        await self._next.wait()
