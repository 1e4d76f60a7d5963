"""Which boot of this machine this is: bytes written before the last one may never have reached the disk."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> bytes:
    """The same for every process until the machine starts anew; never the same where the kernel does not say."""
    try:
        return _BOOT_ID.read_bytes().strip()
    except OSError:
        return os.urandom(16)
