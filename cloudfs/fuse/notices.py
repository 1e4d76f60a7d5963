"""Names that the kernel may remember wrongly, and telling it so."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable

import trio

Forget = Callable[[int, bytes], None]
"""Makes the kernel forget a name (directory inode, name). May block, and raise `OSError`."""


class Notices:
    """A queue to the kernel, worked off in a thread: the kernel may have to wait for a request that we answer."""

    def __init__(self) -> None:
        self._names: deque[tuple[int, bytes]] = deque()
        self._some = trio.Event()
        self._none = trio.Event()
        self._none.set()

    def stale(self, parent: int, name: bytes) -> None:
        """The kernel should ask again about a name."""
        self._names.append((parent, name))
        if self._none.is_set():
            self._none = trio.Event()
        self._some.set()

    @property
    def outstanding(self) -> bool:
        return not self._none.is_set()

    async def delivered(self) -> None:
        """Return when the kernel knows of everything so far."""
        await self._none.wait()

    async def deliver_forever(self, forget: Forget) -> None:
        """Pass the notices on."""
        while True:
            await self._some.wait()
            self._some = trio.Event()
            names = [self._names.popleft() for _ in range(len(self._names))]
            await trio.to_thread.run_sync(_forget_all, forget, names)
            if not self._names:
                self._none.set()


def _forget_all(forget: Forget, names: list[tuple[int, bytes]]) -> None:
    for parent, name in names:
        with contextlib.suppress(OSError):  # it does not remember the name, or the mount is gone
            forget(parent, name)
