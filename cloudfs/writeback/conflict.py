"""When both sides changed a file: nothing is overwritten, both versions are kept. Pure.

The version that came from elsewhere keeps the name, because other clients refer to it by that name; ours becomes
``name (conflict HOST DATE).ext``.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cloudfs.types import NAME_MAX


def conflict_name(name: bytes, host: str, now_ns: int, attempt: int = 0) -> bytes:
    """A name for our version, at most `NAME_MAX` bytes; ``attempt`` tells several of one second apart."""
    stem, dot, extension = name.rpartition(b".")
    if not stem or len(extension) > 16:
        stem, dot, extension = name, b"", b""
    date = datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y-%m-%d %H%M%S")
    number = f" {attempt + 1}" if attempt else ""
    tag = f" (conflict {host} {date}{number})".encode()
    room = NAME_MAX - len(tag) - len(dot) - len(extension)
    return _cut(stem, room) + tag + dot + extension


def _cut(stem: bytes, room: int) -> bytes:
    """At most ``room`` bytes of it; what is UTF-8 stays UTF-8."""
    if len(stem) <= room:
        return stem
    ends = (room - back for back in range(4) if stem[room - back] & 0xC0 != 0x80)
    return stem[: next(ends, room)]
