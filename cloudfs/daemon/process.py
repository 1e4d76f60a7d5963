"""Other processes, told apart even if the kernel uses a number again."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path


def birth(pid: int) -> int | None:
    """When process ``pid`` was started, in the kernel's ticks since boot; None if there is none, or only a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name is in parentheses, and may itself hold spaces and parentheses.
    fields = status.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def await_exit(pid: int, born: int, seconds: float) -> bool:
    """Whether the process ``pid`` ``born`` then has ended, after waiting for that at most ``seconds``."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if birth(pid) != born:
            return True
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return bool(ready)
    finally:
        os.close(descriptor)


def name(pid: int) -> str:
    """The command name of a process, empty if it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    return ""
