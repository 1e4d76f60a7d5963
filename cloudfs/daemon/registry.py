"""The running mounts of a user: one small file for each, written by its daemon.

Nothing depends on these files but the command line; a daemon that was killed leaves one behind, which whoever reads
it next removes.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from cloudfs.daemon.directories import make_private, runtime_directory, slug
from cloudfs.daemon.process import birth


@dataclass(frozen=True, slots=True)
class Record:
    """One running mount. ``born`` is `cloudfs.daemon.process.birth` of ``pid``; ``started`` seconds since the epoch."""

    mountpoint: Path
    source: str
    pid: int
    born: int
    socket: Path
    started: float

    @property
    def is_alive(self) -> bool:
        return birth(self.pid) == self.born


class Registry:
    """The records in one runtime directory; by default this user's."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = (directory or runtime_directory()) / "mounts"

    def socket(self, mountpoint: Path) -> Path:
        """Where the daemon of this mountpoint has its control socket."""
        return self._directory / f"{slug(os.fspath(mountpoint))}.sock"

    def register(self, mountpoint: Path, source: str) -> Record:
        """Record that this process is the daemon of ``mountpoint``, in place of any other. Makes the directory."""
        make_private(self._directory.parent)
        make_private(self._directory)
        pid = os.getpid()
        record = Record(mountpoint, source, pid, birth(pid) or 0, self.socket(mountpoint), time.time())
        file = self._file(mountpoint)
        fresh = file.with_suffix(f".{pid}")
        fresh.write_text(_to_json(record))
        fresh.replace(file)
        return record

    def unregister(self, record: Record) -> None:
        """Take the record away, unless another process has replaced it."""
        if _read(self._file(record.mountpoint)) == record:
            self._file(record.mountpoint).unlink(missing_ok=True)

    def find(self, mountpoint: Path) -> Record | None:
        """The live daemon of an absolute ``mountpoint``, None if there is none."""
        return self._living(self._file(mountpoint))

    def all(self) -> list[Record]:
        """Every live daemon, by mountpoint."""
        try:
            files = sorted(self._directory.glob("*.json"))
        except OSError:
            return []
        records = (self._living(file) for file in files)
        return sorted((record for record in records if record), key=lambda record: record.mountpoint)

    def _file(self, mountpoint: Path) -> Path:
        return self._directory / f"{slug(os.fspath(mountpoint))}.json"

    def _living(self, file: Path) -> Record | None:
        record = _read(file)
        if record is None or record.is_alive:
            return record
        file.unlink(missing_ok=True)
        record.socket.unlink(missing_ok=True)
        return None


def _to_json(record: Record) -> str:
    return json.dumps(
        {
            "mountpoint": os.fspath(record.mountpoint),
            "source": record.source,
            "pid": record.pid,
            "born": record.born,
            "socket": os.fspath(record.socket),
            "started": record.started,
        }
    )


def _read(file: Path) -> Record | None:
    """The record in ``file``; None if there is none, or none that makes sense."""
    try:
        fields = json.loads(file.read_text())
        return Record(
            mountpoint=Path(fields["mountpoint"]),
            source=str(fields["source"]),
            pid=int(fields["pid"]),
            born=int(fields["born"]),
            socket=Path(fields["socket"]),
            started=float(fields["started"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
