"""Crash points: the crash tests end the driver at each durable step in turn, as ``kill -9`` would."""

from __future__ import annotations

import os
import signal


class CrashPoints:
    """Counts durable steps, and kills this process at the one wished for. Does nothing unless asked."""

    def __init__(self, at: int | None) -> None:
        self._left = at

    @classmethod
    def from_environment(cls) -> CrashPoints:
        """``CLOUDFS_CRASH_AT=N``: die at the N-th durable step."""
        wish = os.environ.get("CLOUDFS_CRASH_AT", "")
        return cls(int(wish) if wish.isdigit() else None)

    def durable_step(self, _name: str) -> None:
        """A change that a crash would not undo has just been made."""
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
