"""The record of staged files: bytes that the store has not got yet."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from cloudfs.catalog.database import Database
from cloudfs.catalog.pieces import SentPieces
from cloudfs.types import Extent, Inode


class Safety(IntEnum):
    """What a power cut would do to the bytes of a staged file."""

    LOST = -1
    """It has happened, and they may be anything."""
    NEW = 0
    """Nobody knows."""
    WAITING = 1
    """The same, and they have been closed for a while."""
    SYNCED = 2
    """Nothing: they are worth storing after it."""


@dataclass(frozen=True, slots=True)
class StagedRow:
    """One row of ``staged``; the columns are explained in `cloudfs.catalog.schema`."""

    ino: Inode
    file: int
    base: int
    visible: int
    extents: tuple[Extent, ...]
    writing: bool
    damaged: str = ""
    safety: Safety = Safety.NEW


class Stagings:
    """The rows of ``staged``, at most one an inode."""

    def __init__(self, database: Database, pieces: SentPieces) -> None:
        self._database = database
        self._pieces = pieces
        self._execute = database.execute

    def get(self, ino: int) -> StagedRow | None:
        row = self._execute(
            "SELECT ino, file, base, visible, extents, writing, damaged, safety FROM staged WHERE ino = ?", (ino,)
        ).fetchone()
        if row is None:
            return None
        return StagedRow(row[0], row[1], row[2], row[3], _unpack(row[4]), bool(row[5]), row[6], Safety(row[7]))

    def put(self, row: StagedRow) -> None:
        self._execute(
            """INSERT OR REPLACE INTO staged (ino, file, base, visible, extents, writing, damaged, safety)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                row.ino,
                row.file,
                row.base,
                row.visible,
                _pack(row.extents),
                int(row.writing),
                row.damaged,
                int(row.safety),
            ),
        )

    def sealed(self, ino: int, safety: Safety) -> None:
        """Nobody is writing it any longer."""
        self._execute("UPDATE staged SET writing = 0, safety = ? WHERE ino = ?", (int(safety), ino))

    def damaged(self, ino: int, reason: str) -> None:
        self._execute("UPDATE staged SET damaged = ? WHERE ino = ?", (reason, ino))

    def await_sync(self) -> bool:
        """What is sealed by now waits to be synced; returns whether there is anything new."""
        found = self._database.value(
            "SELECT 1 FROM staged INDEXED BY staged_unsafe WHERE safety != 2 AND safety = 0 AND writing = 0 LIMIT 1"
        )
        if found is not None:
            self._execute("UPDATE staged SET safety = 1 WHERE safety != 2 AND safety = 0 AND writing = 0")
        return found is not None

    def awaits_sync(self) -> bool:
        return self._database.value("SELECT 1 FROM staged WHERE safety != 2 AND safety = 1 LIMIT 1") is not None

    def synced(self) -> None:
        """What waited to be synced is."""
        self._execute("UPDATE staged SET safety = 2 WHERE safety != 2 AND safety = 1")

    def lose_unsynced(self) -> None:
        """The power was cut."""
        self._execute("UPDATE staged SET safety = -1 WHERE safety != 2")

    def remove(self, ino: int) -> None:
        """The file is staged no more. What the store has of it in pieces, and no object owns, is to be dropped."""
        self._pieces.disown_all(ino)
        self._execute("DELETE FROM staged WHERE ino = ?", (ino,))

    def interrupted(self) -> list[StagedRow]:
        """Those an application was writing when the driver was killed."""
        inodes = self._execute("SELECT ino FROM staged WHERE writing != 0").fetchall()
        return [row for (ino,) in inodes if (row := self.get(ino)) is not None]

    def of_orphans(self) -> list[Inode]:
        """The inodes without a name whose bytes are here."""
        sql = "SELECT s.ino FROM nodes n CROSS JOIN staged s ON s.ino = n.ino WHERE n.nlink = 0"  # seldom any orphans
        return [Inode(ino) for (ino,) in self._execute(sql).fetchall()]

    def once_synced(self, callback: Callable[[], None]) -> None:
        """See `Database.once_synced`."""
        self._database.once_synced(callback)

    def owns(self, file: int) -> bool:
        """Whether a file of the staging directory belongs to anybody."""
        return self._database.value("SELECT 1 FROM staged WHERE file = ?", (file,)) is not None

    def exists(self, ino: int) -> bool:
        return self._database.value("SELECT 1 FROM staged WHERE ino = ?", (ino,)) is not None


def _pack(extents: Iterable[Extent]) -> bytes:
    return b"".join(struct.pack("<QQ", extent.start, extent.stop) for extent in extents)


def _unpack(packed: bytes) -> tuple[Extent, ...]:
    return tuple(Extent(start, stop) for start, stop in struct.iter_unpack("<QQ", packed))
