"""Programs that wait for the store: whoever is told to stop waits no longer.

The kernel says when a signal comes for a waiting program, but libfuse does not pass that on to us; and as long as we
owe the program an answer, not even SIGKILL ends it. So while somebody waits, we look whether a signal does as well.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import trio

_T = TypeVar("_T")
_LOOK_SECONDS = 0.1
_ENDING = sum(
    1 << number - 1 for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM)
)
"""As bits of the kernel's signal sets. Others (a timer, a child that ended) are no reason to fail a system call."""
_PENDING = ("SigPnd", "ShdPnd")
_PF_EXITING = 0x4
_FLAGS = 6
"""Where the flags are in ``/proc/PID/stat``, behind the name."""


class Callers:
    """The requests that cannot be answered at once, and whose they are."""

    def __init__(self) -> None:
        self._waiting: dict[trio.CancelScope, int] = {}
        self._somebody = trio.Event()

    async def wait_for(self, pid: int, work: Awaitable[_T]) -> _T:
        """What ``work`` gives; `InterruptedError` once the process is told to end. ``pid`` 0 is of nobody we see."""
        with trio.CancelScope() as scope:
            self._waiting[scope] = pid
            self._somebody.set()
            try:
                return await work
            finally:
                del self._waiting[scope]
        raise InterruptedError(errno.EINTR, "the program was interrupted")

    async def look_forever(self) -> None:
        """End the waits of those who are told to end."""
        while True:
            await self._somebody.wait()
            await trio.sleep(_LOOK_SECONDS)
            for scope, pid in list(self._waiting.items()):
                if pid and is_ending(pid):
                    scope.cancel()
            if not self._waiting:
                self._somebody = trio.Event()


def is_ending(pid: int) -> bool:
    """Whether a process has a signal to take that asks it to end, or ends already. Of unknown ones: no."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    sets = dict(line.split(":\t", 1) for line in status.splitlines() if line.startswith(("Sig", "Shd")))
    pending = 0
    for name in _PENDING:
        pending |= int(sets[name], 16)
    heeded = pending & ~(int(sets["SigBlk"], 16) | int(sets["SigIgn"], 16))
    return bool(heeded & _ENDING) or bool(int(stat.rpartition(b")")[2].split()[_FLAGS]) & _PF_EXITING)
