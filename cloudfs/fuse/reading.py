"""Who reads the next request from the kernel.

pyfuse3 lets its tasks take turns at the FUSE descriptor, through trio's event loop, for every single request. Nearly
all of our handlers answer without suspending, and an application at work sends its next request some microseconds
after the answer to the last: so one task keeps reading for as long as its handlers do not suspend, and waits a
millisecond for the next request in the kernel before it goes through the event loop. That saves more than a
third of the driver's CPU time for small files (docs/explanation/decisions/0014-reading-requests.md).
"""

from __future__ import annotations

import os
import select

import trio

_PATIENCE_MS = 1
_IN_A_ROW = 32
"""After so many requests, other tasks get their turn."""


class Reader:
    """Decides which of pyfuse3's tasks waits for the descriptor; `wait` takes the place of its own function."""

    def __init__(self) -> None:
        self._holder: trio.lowlevel.Task | None = None
        self._idle = trio.lowlevel.ParkingLot()
        self._ended = False
        self._in_a_row = 0
        self._fd = -1
        self._poll = select.poll()

    def attach(self, fd: int) -> None:
        """The descriptor of the mounted session."""
        self._fd = fd
        self._poll.register(fd, select.POLLIN)

    def end(self) -> None:
        """No task reads any more."""
        self._ended = True
        self._idle.unpark_all()

    def pass_on(self) -> None:
        """The handler of the reading task suspends: another task reads meanwhile."""
        if self._holder is trio.lowlevel.current_task():
            self._holder = None
            self._idle.unpark()

    async def wait(self) -> bool:
        """Return True when there is a request to be read by the calling task, False when it shall end."""
        task = trio.lowlevel.current_task()
        while self._holder is not task and not self._ended:
            if self._holder is None:
                self._holder = task
            else:
                await self._idle.park()
        if self._ended:
            return False
        try:
            return await self._readable()
        except BaseException as error:
            self.end()
            if isinstance(error, trio.ClosedResourceError):
                return False
            raise

    async def _readable(self) -> bool:
        events = self._poll.poll(_PATIENCE_MS) if self._in_a_row < _IN_A_ROW else []
        self._in_a_row += 1
        while not events:
            self._in_a_row = 0
            await trio.lowlevel.wait_readable(self._fd)
            events = self._poll.poll(0)
        if events[0][1] & select.POLLERR:
            self.end()  # unmounted: this task reads that, the others need not
        return True


def fuse_descriptor() -> int:
    """The descriptor of this process's session, which pyfuse3 does not tell."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}") == "/dev/fuse":
                return int(name)
        except OSError:
            continue
    raise RuntimeError("there is no FUSE session in this process")
