"""A `Brake` that all processes of one account on this machine share, in a small file.

The file holds the moment until which nobody may send, as text; it is read again only when it has changed. It is a
courtesy to the provider: if it cannot be written, this process still obeys by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

_log = logging.getLogger(__name__)
_LONGEST = 3600.0
"""Seconds; no pause is longer."""
_CORRECTION = 60.0
"""Seconds; what ends later than that after the longest pause was noted by a clock that was wrong then."""


class SharedBrake:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._until = 0.0
        self._stamp: tuple[int, int] | None = None

    def until(self) -> float:
        with contextlib.suppress(OSError, ValueError):
            found = os.stat(self._path)
            stamp = (found.st_ino, found.st_mtime_ns)
            if stamp != self._stamp:
                self._stamp = stamp
                self._until = max(_believable(self._until), _believable(_read(self._path)))
        return _believable(self._until)

    def hold(self, until: float) -> None:
        self._until = max(_believable(self._until), min(until, time.time() + _LONGEST))
        try:
            with _locked(self._path) as fd:
                if self._until > _believable(_parse(os.pread(fd, 64, 0))):
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, f"{self._until:.3f}\n".encode(), 0)
        except OSError as error:
            _log.debug("cannot tell others of a pause: %s", error)


def _believable(until: float) -> float:
    """The end of a pause; the epoch if no pause that has begun can end then."""
    return until if until <= time.time() + _LONGEST + _CORRECTION else 0.0


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Held for microseconds by whoever has it, so that waiting in place is right.
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield fd
    finally:
        os.close(fd)


def _read(path: Path) -> float:
    return _parse(path.read_bytes()[:64])


def _parse(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
