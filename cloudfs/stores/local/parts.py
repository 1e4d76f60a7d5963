"""The hidden names of a local store: they say who is making what they stand for, so that all can see when nobody is.

``.cloudfs-HERE-PID-BORN-RANDOM.part``, in hexadecimal digits: a namespace of processes (of one machine since it was
started, or of one container there), a process in it, and when that was started, in ticks of the kernel's clock.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

_PART = re.compile(rb"\.cloudfs-([0-9a-f]{16})-([0-9a-f]{8})-([0-9a-f]{16})-[0-9a-f]{16}\.part")
_NOWHERE = "0" * 16
"""Stands for a namespace that the kernel does not tell: nothing is known of its processes."""

_ENDED = frozenset({b"Z", b"X"})


def is_part(name: bytes) -> bool:
    """Whether the name is one of those given to what is not finished: hidden, and refused to anything else."""
    return _PART.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Maker:
    """A process that gives hidden names."""

    here: str
    pid: int
    born: int

    @classmethod
    def this_process(cls) -> Maker:
        pid = os.getpid()
        try:
            seen_as = int(os.readlink("/proc/self"))
            born = _birth(pid) if seen_as == pid else None
            return cls(_NOWHERE, pid, 0) if born is None else cls(_here(), pid, born)
        except OSError:
            return cls(_NOWHERE, pid, 0)

    def new_part(self) -> bytes:
        return f".cloudfs-{self.here}-{self.pid:08x}-{self.born:016x}-{secrets.token_hex(8)}.part".encode()

    def is_abandoned(self, part: bytes) -> bool | None:
        """Whether the process that made up this hidden name is no more; None if that cannot be seen from this one."""
        match = _PART.fullmatch(part)
        if match is None or match[1].decode() != self.here or self.here == _NOWHERE:
            return None
        return _has_ended(int(match[2], 16), int(match[3], 16))


def _here() -> str:
    """Where a number and a time of birth tell a process from all others, now and later."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes()
    kinds = sorted({"pid", "time"}.intersection(os.listdir("/proc/self/ns")))
    namespaces = "".join(os.readlink(f"/proc/self/ns/{kind}") for kind in kinds)
    return hashlib.sha256(boot + namespaces.encode()).hexdigest()[:16]


def _has_ended(pid: int, born: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass  # of another user, but there it is
    try:
        return _birth(pid) != born
    except OSError:
        return False  # other users' processes may be hidden in /proc, and the number may be in use again


def _birth(pid: int) -> int | None:
    """When a process was started; None if it only waits to be buried."""
    status = Path(f"/proc/{pid}/stat").read_bytes()
    # The name is in parentheses, and may itself hold spaces and parentheses.
    fields = status.rpartition(b")")[2].split()
    return None if fields[0] in _ENDED else int(fields[19])
