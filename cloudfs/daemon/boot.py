"""Which start of the machine this is."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Another one each time the machine starts (random(4)); ``CLOUDFS_BOOT_ID`` is for tests. '' if it does not say."""
    try:
        return os.environ.get("CLOUDFS_BOOT_ID") or _BOOT_ID.read_text().strip()
    except OSError:
        return ""
