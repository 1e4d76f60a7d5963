"""What the kernel counts about a driver process."""

from __future__ import annotations

import re
import time
from pathlib import Path

_CPUCLOCK_SCHED = 2
"""Of Linux: what the scheduler has counted, in nanoseconds."""


def cpu_seconds(pid: int) -> float:
    """Processor time of all its threads so far, in user space and in the kernel."""
    return time.clock_gettime(_clock_of(pid))


def _clock_of(pid: int) -> int:
    """What clock_getcpuclockid(3) tells, for which Python has no name."""
    return ~pid << 3 | _CPUCLOCK_SCHED


def resident_bytes(pid: int) -> int:
    """Memory it occupies now."""
    return _status_bytes(pid, "VmRSS")


def peak_resident_bytes(pid: int) -> int:
    """The most memory it has occupied, ever or since `forget_peak`."""
    return _status_bytes(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """`peak_resident_bytes` starts anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status_bytes(pid: int, key: str) -> int:
    found = re.search(rf"^{key}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0
