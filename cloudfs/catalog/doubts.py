"""Calls to the store whose outcome is not known: they may have made, or moved, what nobody has seen there yet.

An answer can get lost, and the driver can be killed while a call is under way. By the time it is asked again, the file
may have been written again, renamed or deleted; so what was asked for is written down before every call that makes or
moves something, and the uploader looks what became of it before it does anything else with that name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass

from cloudfs.catalog.database import Database
from cloudfs.types import Inode, LinkId, Version


@dataclass(frozen=True, slots=True)
class Doubt:
    """One row of ``doubts``; the columns are explained in `cloudfs.catalog.schema`."""

    link: LinkId
    parent: Inode
    name: bytes
    moves: bool
    content: int
    attrs: int
    size: int
    mtime_ns: int
    version: Version


class Doubts:
    """At most one for each name. There are few, so all of them are kept in memory as well."""

    def __init__(self, database: Database) -> None:
        self._execute = database.execute
        self._known: dict[LinkId, Doubt] = {}
        self._places: Counter[tuple[int, bytes]] = Counter()
        self._learn()
        database.when_rolled_back(self._learn)

    def _learn(self) -> None:
        rows = self._execute("SELECT link, parent, name, moves, content, attrs, size, mtime, version FROM doubts")
        self._known = {row[0]: Doubt(*row) for row in rows.fetchall()}
        self._places = Counter((doubt.parent, doubt.name) for doubt in self._known.values())

    def __bool__(self) -> bool:
        return bool(self._known)

    def get(self, link: LinkId) -> Doubt | None:
        return self._known.get(link)

    def at(self, directory: int, name: bytes) -> bool:
        """Whether something unseen may be in this place."""
        return self._places[directory, name] > 0

    def holder(self, directory: int, name: bytes) -> LinkId | None:
        """The name of which something unseen may be in this place."""
        if not self.at(directory, name):
            return None
        return next(doubt.link for doubt in self._known.values() if (doubt.parent, doubt.name) == (directory, name))

    def inside(self, directory: int) -> LinkId | None:
        """Some name of which something unseen may be in a directory's actual place."""
        return next((doubt.link for doubt in self._known.values() if doubt.parent == directory), None)

    def beside(self, ino: int, link: LinkId) -> LinkId | None:
        """Another name of a file, of which nobody knows what its object holds."""
        sql = "SELECT d.link FROM links l JOIN doubts d ON d.link = l.id WHERE l.ino = ? AND l.id != ? LIMIT 1"
        row = self._execute(sql, (ino, link)).fetchone()
        return None if row is None else row[0]

    def begin(self, doubt: Doubt) -> None:
        self._execute("INSERT OR REPLACE INTO doubts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(doubt))
        self._forget(doubt.link)
        self._known[doubt.link] = doubt
        self._places[doubt.parent, doubt.name] += 1

    def end(self, link: LinkId) -> None:
        """What became of it is known."""
        if self._forget(link):
            self._execute("DELETE FROM doubts WHERE link = ?", (link,))

    def _forget(self, link: LinkId) -> bool:
        doubt = self._known.pop(link, None)
        if doubt is None:
            return False
        self._places -= Counter([(doubt.parent, doubt.name)])
        return True

    def follow(self, old: int, new: int) -> None:
        """The actual place of directory ``old``, with what is inside, belongs to ``new`` from now on."""
        if self.inside(old) is not None:
            self._execute("UPDATE doubts SET parent = ? WHERE parent = ?", (new, old))
            self._learn()
