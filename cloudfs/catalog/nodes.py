"""Inodes: what the mount shows of a file besides its names and its bytes."""

from __future__ import annotations

import stat
from typing import Any

from cachetools import LRUCache

from cloudfs.catalog.database import Database
from cloudfs.errors import NotFound
from cloudfs.types import Attributes, Inode

_COLUMNS = "ino, mode, uid, gid, rdev, size, atime, mtime, ctime, nlink, target, link_group, content, attrs, listed"
_REMEMBERED = 16384


class Node:
    """One row of ``nodes``, identity-mapped: there is at most one object of an inode that is pinned or remembered.

    Mutable, and changed only by the file system on the trio thread; `Nodes.save` writes it back. ``modified`` says
    that it differs from its row (the size of a file being written is saved when the file is flushed).
    """

    __slots__ = (
        "atime_ns",
        "attrs",
        "content",
        "ctime_ns",
        "gid",
        "ino",
        "link_group",
        "listed_ns",
        "mode",
        "modified",
        "mtime_ns",
        "nlink",
        "rdev",
        "size",
        "target",
        "uid",
    )

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.mode: int
        (
            self.ino,
            self.mode,
            self.uid,
            self.gid,
            self.rdev,
            self.size,
            self.atime_ns,
            self.mtime_ns,
            self.ctime_ns,
            self.nlink,
            self.target,
            self.link_group,
            self.content,
            self.attrs,
            self.listed_ns,
        ) = row
        self.modified = False

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)

    def attributes(self, xattrs: tuple[tuple[bytes, bytes], ...] = ()) -> Attributes:
        """What a store is to keep."""
        return Attributes(
            mode=self.mode,
            uid=self.uid,
            gid=self.gid,
            mtime_ns=self.mtime_ns,
            rdev=self.rdev,
            target=self.target or b"",
            link_group=self.link_group,
            xattrs=xattrs,
        )


class Nodes:
    """The inodes of one catalogue."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._execute = database.execute
        self._remembered: LRUCache[int, Node] = LRUCache(_REMEMBERED)
        self._pinned: dict[int, Node] = {}
        self._next = (database.value("SELECT max(ino) FROM nodes") or 0) + 1
        database.when_rolled_back(self._reconsider)

    def get(self, ino: int) -> Node:
        """Raises `NotFound`."""
        node = self._pinned.get(ino) or self._remembered.get(ino)
        if node is None:
            row = self._execute(f"SELECT {_COLUMNS} FROM nodes WHERE ino = ?", (ino,)).fetchone()
            if row is None:
                raise NotFound(f"no inode {ino}")
            node = self._remembered[ino] = Node(row)
        return node

    def _reconsider(self) -> None:
        """What was last saved has not happened: pinned nodes have the names they had, and are to be saved."""
        self._remembered.clear()
        for ino, node in self._pinned.items():
            row = self._execute("SELECT nlink, link_group, listed FROM nodes WHERE ino = ?", (ino,)).fetchone()
            if row is not None:
                node.nlink, node.link_group, node.listed_ns = row
                node.modified = True

    def known(self, row: tuple[Any, ...]) -> Node:
        """The node of a row of `_COLUMNS` that was just read."""
        ino = row[0]
        return self._pinned.get(ino) or self._remembered.get(ino) or Node(row)

    def insert(
        self,
        *,
        mode: int,
        uid: int,
        gid: int,
        mtime_ns: int,
        now_ns: int,
        rdev: int = 0,
        size: int = 0,
        target: bytes | None = None,
        link_group: str = "",
        listed_ns: int | None = None,
    ) -> Node:
        """A new inode with one name, to be given at once by `Links.add`."""
        ino = self._next
        self._next += 1
        nlink = 2 if stat.S_ISDIR(mode) else 1
        row = (ino, mode, uid, gid, rdev, size, mtime_ns, mtime_ns, now_ns, nlink, target, link_group, 1, 1, listed_ns)
        self._execute(f"INSERT INTO nodes ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", row)
        node = self._remembered[ino] = Node(row)
        return node

    def save(self, node: Node) -> None:
        updated = self._execute(
            "UPDATE nodes SET mode = ?, uid = ?, gid = ?, size = ?, atime = ?, mtime = ?, ctime = ?, nlink = ?,"
            " link_group = ?, content = ?, attrs = ?, listed = ? WHERE ino = ?",
            (
                node.mode,
                node.uid,
                node.gid,
                node.size,
                node.atime_ns,
                node.mtime_ns,
                node.ctime_ns,
                node.nlink,
                node.link_group,
                node.content,
                node.attrs,
                node.listed_ns,
                node.ino,
            ),
        ).rowcount
        if updated != 1:
            raise NotFound(f"inode {node.ino} is gone from the catalogue")
        node.modified = False

    def delete(self, ino: int) -> None:
        """Forget an orphan; nothing may refer to it any more."""
        self._execute("DELETE FROM nodes WHERE ino = ?", (ino,))
        self._execute("DELETE FROM xattrs WHERE ino = ?", (ino,))
        self._remembered.pop(ino, None)
        self._pinned.pop(ino, None)

    def pin(self, ino: int) -> Node:
        """Keep the node in memory until `unpin`: it may be modified without being saved."""
        node = self._pinned[ino] = self.get(ino)
        return node

    def unpin(self, ino: int) -> None:
        node = self._pinned.pop(ino, None)
        if node is not None:
            self._remembered[ino] = node

    def pinned(self) -> list[Node]:
        return list(self._pinned.values())

    def in_group(self, group: str) -> Node | None:
        """The inode whose names carry this hard-link group at the store."""
        ino = self._database.value("SELECT ino FROM nodes WHERE link_group = ? AND nlink > 0", (group,))
        return None if ino is None else self.get(ino)

    def unlisted(self, limit: int) -> list[Inode]:
        """Some directories whose names are not known."""
        rows = self._execute(
            "SELECT ino FROM nodes WHERE listed IS NULL AND (mode & 0xf000) = 0x4000 AND nlink > 0 LIMIT ?", (limit,)
        )
        return [Inode(ino) for (ino,) in rows.fetchall()]

    def orphans(self) -> list[Inode]:
        """Inodes without a name that no name to be deleted refers to either: left over by a crash."""
        rows = self._execute(
            "SELECT ino FROM nodes WHERE nlink = 0 AND NOT EXISTS (SELECT 1 FROM links WHERE links.ino = nodes.ino)"
        )
        return [Inode(ino) for (ino,) in rows.fetchall()]


class Xattrs:
    """Extended attributes of inodes; small and rarely used."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._execute = database.execute

    def all(self, ino: int) -> tuple[tuple[bytes, bytes], ...]:
        rows = self._execute("SELECT name, value FROM xattrs WHERE ino = ? ORDER BY name", (ino,))
        return tuple((bytes(name), bytes(value)) for name, value in rows.fetchall())

    def get(self, ino: int, name: bytes) -> bytes | None:
        value = self._database.value("SELECT value FROM xattrs WHERE ino = ? AND name = ?", (ino, name))
        return None if value is None else bytes(value)

    def set(self, ino: int, name: bytes, value: bytes) -> None:
        self._execute("INSERT OR REPLACE INTO xattrs (ino, name, value) VALUES (?, ?, ?)", (ino, name, value))

    def remove(self, ino: int, name: bytes) -> bool:
        return self._execute("DELETE FROM xattrs WHERE ino = ? AND name = ?", (ino, name)).rowcount > 0

    def replace(self, ino: int, xattrs: tuple[tuple[bytes, bytes], ...]) -> None:
        self._execute("DELETE FROM xattrs WHERE ino = ?", (ino,))
        for name, value in xattrs:
            self.set(ino, name, value)
