"""The redo log: what was done since the database last committed, so that a commit can serve many operations.

A commit of SQLite writes every page that an operation touched, some of them again and again. So the transaction stays
open for a moment, and what an operation changed is kept as the statements themselves, a few hundred bytes, in a file
that ``kill -9`` leaves as it is. The next start does again what the database had not committed: the same statements,
in the same order, on the same state, make the same rows.

A record belongs to an epoch, which ends with a commit; the database knows its own. Records of another epoch are in the
database already, or (after a power cut that took the end of SQLite's log along) build on what is lost: they are not
read. Every epoch writes over the one before, so the file stays as small as the longest.
"""

from __future__ import annotations

import contextlib
import itertools
import marshal
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Statement = tuple[str, Sequence[Any] | Mapping[str, Any]]
"""SQL and its parameters."""

_RECORD = struct.Struct("<QII")
"""The epoch, the length of what follows, and its CRC-32, which begins with the epoch's."""
_ROOM = 256 << 10
"""Bytes that the file has from the beginning: a full disk does not stop small changes, such as deleting."""


class RedoLog:
    """The file. Nothing in it is ever needed after a commit."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "r+b", buffering=0, opener=_private)  # noqa: SIM115 - open as long as the log
        self._fd = self._file.fileno()
        self._end = 0
        self.epoch = 0
        with contextlib.suppress(OSError):
            os.posix_fallocate(self._fd, 0, _ROOM)

    def begin(self, epoch: int) -> None:
        """From here on records belong to ``epoch``; there are none yet."""
        self.epoch = epoch
        self._end = 0

    def resume(self, epoch: int) -> list[Statement]:
        """What a killed process did in ``epoch`` (not 0), up to a record that is not whole. More may follow."""
        self.begin(epoch)
        return list(itertools.chain.from_iterable(self._records()))

    @property
    def is_long(self) -> bool:
        """Whether the epoch should end."""
        return self._end > _ROOM

    def append(self, statements: Sequence[Statement]) -> None:
        """They survive ``kill -9`` from here on. Raises `OSError`; then the log is as it was."""
        body = marshal.dumps(statements)  # type: ignore[arg-type]
        record = _RECORD.pack(self.epoch, len(body), self._sum(body)) + body
        done = 0
        while done < len(record):
            done += os.pwrite(self._fd, record[done:], self._end + done)
        self._end += len(record)

    def _records(self) -> Iterator[list[Statement]]:
        while len(head := os.pread(self._fd, _RECORD.size, self._end)) == _RECORD.size:
            epoch, length, checksum = _RECORD.unpack(head)
            if epoch != self.epoch:
                return
            body = os.pread(self._fd, length, self._end + _RECORD.size)
            if len(body) != length or self._sum(body) != checksum:
                return
            yield marshal.loads(body)
            self._end += _RECORD.size + length

    def _sum(self, body: bytes) -> int:
        return zlib.crc32(body, self.epoch & 0xFFFFFFFF)

    def close(self) -> None:
        self._file.close()


def _private(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
