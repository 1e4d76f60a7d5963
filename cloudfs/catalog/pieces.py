"""The record of pieces: bytes of large files that the store has before their file is complete."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cloudfs.catalog.database import Database
from cloudfs.stores.base import Piece
from cloudfs.types import Inode, LinkId


@dataclass(frozen=True, slots=True)
class SentPiece:
    """One row of ``pieces``; the columns are explained in `cloudfs.catalog.schema`."""

    id: int
    ino: Inode | None
    content: int
    piece: Piece
    punched: bool
    offered: LinkId | None

    @property
    def start(self) -> int:
        return self.piece.start

    @property
    def stop(self) -> int:
        return self.piece.stop


class SentPieces:
    """The rows of ``pieces``. Few files have any, so which ones is kept in memory. Run changes in a transaction."""

    def __init__(self, database: Database) -> None:
        self._execute = database.execute
        self._inodes: set[int] = set()
        self._unwanted = False
        self._learn()
        database.when_rolled_back(self._learn)

    def _learn(self) -> None:
        rows = self._execute("SELECT DISTINCT ino FROM pieces").fetchall()
        self._inodes = {ino for (ino,) in rows if ino is not None}
        self._unwanted = (None,) in rows

    def of_inode(self, ino: int) -> list[SentPiece]:
        """In order of their place in the file."""
        if ino not in self._inodes:
            return []
        return self._select("WHERE ino = ? ORDER BY start", ino)

    def add(self, ino: Inode | None, content: int, piece: Piece) -> SentPiece:
        """The store has it. Without ``ino`` nobody wants it any more."""
        cursor = self._execute(
            "INSERT INTO pieces (ino, content, start, stop, token, punched, offered) VALUES (?, ?, ?, ?, ?, 0, 0)",
            (ino, content, piece.start, piece.stop, piece.token),
        )
        assert cursor.lastrowid is not None
        if ino is None:
            self._unwanted = True
        else:
            self._inodes.add(ino)
        return SentPiece(cursor.lastrowid, ino, content, piece, punched=False, offered=None)

    def punch(self, sent: SentPiece) -> SentPiece:
        """The staged file may have a hole there from now on."""
        self._execute("UPDATE pieces SET punched = 1 WHERE id = ?", (sent.id,))
        return replace(sent, punched=True)

    def offer(self, ino: int, link: LinkId) -> None:
        """All that are not offered yet are given to a `Store.put` for that name, which may come to own them."""
        if ino in self._inodes:
            self._execute("UPDATE pieces SET offered = ? WHERE ino = ? AND offered = 0", (link, ino))

    def recall(self, ino: int, link: LinkId) -> None:
        """That put published nothing."""
        if ino in self._inodes:
            self._execute("UPDATE pieces SET offered = 0 WHERE ino = ? AND offered = ?", (ino, link))

    def disown(self, sent: SentPiece) -> None:
        """It is not what the file holds any more: to be dropped at the store, unless an object may own it."""
        self._execute("DELETE FROM pieces WHERE id = ? AND offered != 0", (sent.id,))
        self._unwanted |= self._execute("UPDATE pieces SET ino = NULL WHERE id = ?", (sent.id,)).rowcount > 0

    def disown_all(self, ino: int) -> None:
        """The file is gone."""
        if ino in self._inodes:
            for sent in self.of_inode(ino):
                self.disown(sent)
            self._inodes.discard(ino)

    def published(self, ino: int, link: LinkId) -> None:
        """What was offered for that name belongs to its object now."""
        if ino in self._inodes:
            self._execute("DELETE FROM pieces WHERE ino = ? AND offered = ?", (ino, link))

    def all(self) -> list[Piece]:
        """Every piece that is not known to be gone, or to belong to an object."""
        return [sent.piece for sent in self._select("WHERE id > ?", 0)]

    def unwanted(self) -> list[SentPiece]:
        """Some of those to be dropped at the store."""
        if not self._unwanted:
            return []
        found = self._select("WHERE ino IS NULL LIMIT ?", 100)
        self._unwanted = bool(found)
        return found

    def dropped(self, sent: SentPiece) -> None:
        """The store does not have it any more."""
        self._execute("DELETE FROM pieces WHERE id = ?", (sent.id,))

    def _select(self, condition: str, parameter: int) -> list[SentPiece]:
        columns = "id, ino, content, start, stop, token, punched, offered"
        rows = self._execute(f"SELECT {columns} FROM pieces {condition}", (parameter,)).fetchall()
        return [
            SentPiece(number, ino, content, Piece(start, stop, token), bool(punched), offered or None)
            for number, ino, content, start, stop, token, punched, offered in rows
        ]
