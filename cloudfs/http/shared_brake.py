"""A `Brake` that all processes of one account on this machine share, in a small file.

The file holds the moment until which nobody may send, as text; it is read again only when it has changed. It is a
courtesy to the provider: if it cannot be written, this process still obeys by itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

_log = logging.getLogger(__name__)
_LONGEST = 3600.0
"""Seconds; a pause in the file that is longer than any provider asks for is a mistake, or a clock that was wrong."""


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
                self._until = max(self._until, min(_read(self._path), found.st_mtime + _LONGEST))
        return self._until

    def hold(self, until: float) -> None:
        self._until = max(self._until, until)
        try:
            with _locked(self._path) as fd:
                if self._until > _parse(os.pread(fd, 64, 0)):
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, f"{self._until:.3f}\n".encode(), 0)
        except OSError as error:
            _log.debug("cannot tell others of a pause: %s", error)


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
