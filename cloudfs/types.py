"""The words every layer shares: ids, attributes, ranges. No behaviour beyond the obvious, no I/O."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from typing import NewType

Inode = NewType("Inode", int)
"""A file as the mount shows it. Never reused while a mount lives; 1 is the root."""

LinkId = NewType("LinkId", int)
"""One name of one inode, with its place in the store beside it (``catalog/schema.py``)."""

Version = NewType("Version", str)
"""What a store says to tell one content of an object from the next. Opaque; equal means the same bytes."""

ROOT = Inode(1)
NAME_MAX = 255
"""Longest name of a directory entry, in bytes: what ``statfs`` promises."""
TIME_MAX_NS = (1 << 63) - 1
"""The last time there is, in April 2262; the first is as long before 1970."""


def kept_time(time_ns: int) -> int:
    """A time, or the nearest that can be kept: what Linux does with a time that a file system cannot keep."""
    return max(-TIME_MAX_NS, min(time_ns, TIME_MAX_NS))


@dataclass(frozen=True, slots=True)
class Attributes:
    """What POSIX knows of a file besides its bytes, as a store keeps it.

    ``mode`` includes the file type (``S_IFMT``); times are ns since the epoch (`kept_time`); ``target`` is a symbolic
    link's content; ``rdev`` a device's number; objects with the same non-empty ``link_group`` are names of one file.
    """

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    rdev: int = 0
    target: bytes = b""
    link_group: str = ""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()

    def __post_init__(self) -> None:
        if not -TIME_MAX_NS <= self.mtime_ns <= TIME_MAX_NS:
            object.__setattr__(self, "mtime_ns", kept_time(self.mtime_ns))

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)

    def with_mode(self, mode: int) -> Attributes:
        return replace(self, mode=mode)


@dataclass(frozen=True, slots=True)
class Extent:
    """A half-open range of bytes, ``start <= stop``."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start
