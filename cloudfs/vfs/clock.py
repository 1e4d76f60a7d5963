"""The clock of timestamps: the kernel's own coarse one, so that times it sets and times we set never run backwards."""

from __future__ import annotations

import time

_CLOCK_REALTIME_COARSE = 5
"""From ``linux/time.h``; Python has no name for it."""


def now_ns() -> int:
    """Now, in ns since the epoch, as ``current_time()`` of the kernel would stamp an inode."""
    return time.clock_gettime_ns(_CLOCK_REALTIME_COARSE)
