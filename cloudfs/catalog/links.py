"""Names: the desired tree, and where the store has what they stand for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cloudfs.catalog.database import Database
from cloudfs.catalog.doubts import Doubts
from cloudfs.catalog.nodes import _COLUMNS as _NODE_COLUMNS
from cloudfs.catalog.nodes import Node, Nodes
from cloudfs.catalog.recent import Recent
from cloudfs.errors import NotFound
from cloudfs.stores.base import Entry, Location
from cloudfs.types import ROOT, Inode, LinkId, Version

_TOUCHES_REMEMBERED = 32768
_COLUMNS = """
    id, ino, parent, name, at_parent, at_name, identity, version, at_content, at_attrs, pending, attempts, reason,
    parked
""".strip()


@dataclass(frozen=True, slots=True)
class Link:
    """One row of ``links``, as it was when read. Desired half: parent, name; actual half: the ``at_`` fields."""

    id: LinkId
    ino: Inode
    parent: Inode | None
    name: bytes | None
    at_parent: Inode | None
    at_name: bytes | None
    identity: str
    version: Version
    at_content: int
    at_attrs: int
    pending_ns: int | None
    attempts: int
    reason: str
    parked: bool

    @property
    def doomed(self) -> bool:
        return self.parent is None

    @property
    def stored(self) -> bool:
        return self.at_parent is not None

    @property
    def in_place(self) -> bool:
        return self.at_parent == self.parent and self.at_name == self.name


def _link(row: tuple[Any, ...]) -> Link:
    return Link(*row)


class Links:
    """All names of one catalogue.

    Methods that change the desired tree leave the row pending at ``due_ns``; methods that record what the store did
    leave it pending if the two halves still differ. A row with neither half is deleted. Run them in a transaction.
    """

    def __init__(self, database: Database, nodes: Nodes, doubts: Doubts) -> None:
        self._database = database
        self._execute = database.execute
        self._nodes = nodes
        self._doubts = doubts
        self.recent = Recent()
        self.tick = 0
        self.forgotten = 0
        self._claimed: set[LinkId] = set()
        self._released: dict[LinkId, int] = {}
        self._places: dict[tuple[int, bytes], int] = {}
        self._dropped: list[LinkId] = []

    # --- what is being worked on -----------------------------------------------------------------------------------

    def claim(self, link: LinkId) -> None:
        """The uploader works on it: its row stays, and listings do not change it."""
        self._claimed.add(link)

    def release(self, link: LinkId, places: Iterable[tuple[int, bytes]]) -> None:
        """The uploader is done with it; ``places`` (directory, name) of the store may have changed meanwhile.

        Listings begun before are not believed about it.
        """
        self._claimed.discard(link)
        self.tick += 1
        if len(self._places) > _TOUCHES_REMEMBERED:
            self._forget_touches()
        self._released[link] = self.tick
        for place in places:
            self._places[place] = self.tick
            self.recent.add(place)

    def _forget_touches(self) -> None:
        recent = self.tick - _TOUCHES_REMEMBERED // 2
        self._released = {link: tick for link, tick in self._released.items() if tick > recent}
        self._places = {place: tick for place, tick in self._places.items() if tick > recent}
        self.forgotten = recent

    def is_busy(self, link: LinkId) -> bool:
        """Whether the uploader works on it right now."""
        return link in self._claimed

    def is_any_busy(self) -> bool:
        """Whether the uploader works on anything right now."""
        return bool(self._claimed)

    def is_claimed(self, link: LinkId, since: int) -> bool:
        """Whether it is being worked on, or has been since `tick` was ``since``, or nobody knows what became of it."""
        return link in self._claimed or self._released.get(link, 0) > since or self._doubts.get(link) is not None

    def touched_since(self, directory: int, name: bytes, since: int) -> bool:
        """Whether this mount changed that place of the store since `tick` was ``since``, or may have."""
        touched = since < self.forgotten or self._places.get((directory, name), 0) > since
        return touched or self._doubts.at(directory, name)

    # --- reading -------------------------------------------------------------------------------------------------

    def get(self, link: LinkId) -> Link | None:
        row = self._execute(f"SELECT {_COLUMNS} FROM links WHERE id = ?", (link,)).fetchone()
        return None if row is None else _link(row)

    def find(self, parent: int, name: bytes) -> Link | None:
        row = self._execute(f"SELECT {_COLUMNS} FROM links WHERE parent = ? AND name = ?", (parent, name)).fetchone()
        return None if row is None else _link(row)

    def lookup(self, parent: int, name: bytes) -> int | None:
        """The inode of a name; the shortest way, for the kernel's most frequent question."""
        row = self._execute("SELECT ino FROM links WHERE parent = ? AND name = ?", (parent, name)).fetchone()
        return None if row is None else row[0]

    def of_inode(self, ino: int) -> list[Link]:
        """All names of an inode, those to be deleted included."""
        rows = self._execute(f"SELECT {_COLUMNS} FROM links WHERE ino = ? ORDER BY id", (ino,))
        return [_link(row) for row in rows.fetchall()]

    def holder(self, ino: int, content: int, besides: LinkId) -> Link | None:
        """Another name of an inode whose object is known to have this content."""
        row = self._execute(
            f"SELECT {_COLUMNS} FROM links WHERE ino = ? AND id != ? AND at_parent IS NOT NULL AND at_content = ?"
            " LIMIT 1",
            (ino, besides, content),
        ).fetchone()
        return None if row is None else _link(row)

    def wanted_name(self, ino: int, content: int) -> Link | None:
        """A name of an inode that is to stay; if there is one, one whose object is known to have this content."""
        row = self._execute(
            f"SELECT {_COLUMNS} FROM links WHERE ino = ? AND parent IS NOT NULL"
            " ORDER BY at_parent IS NOT NULL AND at_content = ? DESC, id LIMIT 1",
            (ino, content),
        ).fetchone()
        return None if row is None else _link(row)

    def directory(self, ino: int) -> Link:
        """The one name of a directory (also of the root, and of one that is to be deleted). Raises `NotFound`."""
        row = self._execute(f"SELECT {_COLUMNS} FROM links WHERE ino = ?", (ino,)).fetchone()
        if row is None:
            raise NotFound(f"directory {ino} has been removed")
        return _link(row)

    def is_empty(self, directory: int) -> bool:
        return self._database.value("SELECT 1 FROM links WHERE parent = ? LIMIT 1", (directory,)) is None

    def children(self, directory: int, after: int, limit: int) -> list[tuple[int, bytes, Node]]:
        """(link id, name, node) of the next names of a directory after a link id, in order of their ids."""
        columns = ", ".join(f"n.{column}" for column in _NODE_COLUMNS.split(", "))
        rows = self._execute(
            f"SELECT l.id, l.name, {columns} FROM links l JOIN nodes n ON n.ino = l.ino"
            " WHERE l.parent = ? AND l.id > ? ORDER BY l.id LIMIT ?",
            (directory, after, limit),
        )
        known = self._nodes.known
        return [(row[0], row[1], known(row[2:])) for row in rows.fetchall()]

    def names_in(self, directory: int) -> list[Link]:
        """Every desired name of a directory."""
        rows = self._execute(f"SELECT {_COLUMNS} FROM links WHERE parent = ?", (directory,))
        return [_link(row) for row in rows.fetchall()]

    def stored_in(self, directory: int) -> list[Link]:
        """Every object known to be in a directory's actual place."""
        rows = self._execute(f"SELECT {_COLUMNS} FROM links WHERE at_parent = ?", (directory,))
        return [_link(row) for row in rows.fetchall()]

    def ids_stored_in(self, directory: int) -> set[LinkId]:
        """The same, as ids: a directory may have a million names."""
        rows = self._execute("SELECT id FROM links WHERE at_parent = ?", (directory,))
        return {LinkId(link) for (link,) in rows}

    def at(self, directory: int, name: bytes) -> Link | None:
        """The object known to be at this place of the store; of several (one is doomed) the one that stays."""
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM links WHERE at_parent = ? AND at_name = ? ORDER BY parent IS NULL LIMIT 1",
            (directory, name),
        )
        row = rows.fetchone()
        return None if row is None else _link(row)

    def by_identity(self, identity: str) -> Link | None:
        """The object that a store names so; of several (one is doomed) the one that stays."""
        rows = self._execute(
            f"SELECT {_COLUMNS} FROM links WHERE identity = ? AND identity != '' AND at_parent IS NOT NULL"
            " ORDER BY parent IS NULL LIMIT 1",
            (identity,),
        )
        row = rows.fetchone()
        return None if row is None else _link(row)

    def directory_at(self, directory: int, path: bytes) -> int | None:
        """The inode of a directory by its place at the store, seen from another one; None if it is not known."""
        for name in path.split(b"/") if path else ():
            found = self._database.value(
                "SELECT l.ino FROM links l JOIN nodes n ON n.ino = l.ino"
                " WHERE at_parent = ? AND at_name = ? AND (n.mode & 0xf000) = 0x4000 ORDER BY parent IS NULL",
                (directory, name),
            )
            if found is None:
                return None
            directory = found
        return directory

    def at_place(self, directory: int, name: bytes, but: int) -> Link | None:
        """Whatever else is at this place of the store."""
        row = self._execute(
            f"SELECT {_COLUMNS} FROM links WHERE at_parent = ? AND at_name = ? AND id != ?", (directory, name, but)
        ).fetchone()
        return None if row is None else _link(row)

    def holds_objects(self, directory: int) -> Link | None:
        """Some object in a directory's actual place, None if it is empty there."""
        row = self._execute(f"SELECT {_COLUMNS} FROM links WHERE at_parent = ? LIMIT 1", (directory,)).fetchone()
        return None if row is None else _link(row)

    def count_names(self, ino: int, *, directory: bool) -> int:
        """What ``st_nlink`` should be: names in the desired tree; of a directory with a name, 2 and its directories."""
        names: int = self._database.value("SELECT count(*) FROM links WHERE ino = ? AND parent IS NOT NULL", (ino,))
        if not directory or not names:
            return names
        inside: int = self._database.value(
            "SELECT count(*) FROM links l JOIN nodes n ON n.ino = l.ino"
            " WHERE l.parent = ? AND (n.mode & 0xf000) = 0x4000",
            (ino,),
        )
        return 2 + inside

    async def measure(self, top: int) -> tuple[int, int, tuple[tuple[int, int, int], ...]]:
        """What is in the desired tree at and below an inode, as far as its directories are known.

        Names of files; bytes of those with one name; and of those with several: inode, bytes, names among these.
        """
        node = self._nodes.get(top)
        if not node.is_directory:
            size = node.size * node.is_regular
            return (1, size, ()) if node.nlink <= 1 else (1, 0, ((node.ino, size, 1),))
        inside = (
            "WITH RECURSIVE t (ino) AS (SELECT :top UNION ALL SELECT l.ino FROM links l JOIN t ON l.parent = t.ino)"
            " SELECT {} FROM t JOIN nodes n ON n.ino = t.ino WHERE (n.mode & 0xf000) {} 0x4000 AND n.nlink {} 1"
        )
        ((files, size),) = await self._database.ask(
            inside.format("count(*), coalesce(sum((n.mode & 0xf000 = 0x8000) * n.size), 0)", "!=", "<="), {"top": top}
        )
        rows = await self._database.ask(
            inside.format("n.ino, (n.mode & 0xf000 = 0x8000) * n.size, count(*)", "!=", ">") + " GROUP BY n.ino",
            {"top": top},
        )
        return files + sum(names for _ino, _size, names in rows), size, tuple((row[0], row[1], row[2]) for row in rows)

    async def unlisted_below(self, top: int) -> list[Inode]:
        """Directories at and below an inode whose names are not known."""
        rows = await self._database.ask(
            "WITH RECURSIVE t (ino) AS (SELECT :top UNION ALL SELECT l.ino FROM links l JOIN t ON l.parent = t.ino"
            " JOIN nodes n ON n.ino = l.ino WHERE (n.mode & 0xf000) = 0x4000)"
            " SELECT n.ino FROM t JOIN nodes n ON n.ino = t.ino WHERE n.listed IS NULL AND (n.mode & 0xf000) = 0x4000",
            {"top": top},
        )
        return [Inode(ino) for (ino,) in rows]

    def is_inside(self, directory: int, ancestor: int) -> bool:
        """Whether a directory is ``ancestor`` or below it in the desired tree."""
        while directory not in (ancestor, ROOT, 0):
            parent = self._database.value("SELECT parent FROM links WHERE ino = ?", (directory,))
            if parent is None:
                return False
            directory = parent
        return directory == ancestor

    def actual_ancestors(self, directory: int) -> Iterator[int]:
        """The inodes on the way from a directory's actual place up to the root, itself included."""
        while directory not in (ROOT, 0):
            yield directory
            above = self._database.value("SELECT at_parent FROM links WHERE ino = ?", (directory,))
            if above is None:
                return
            directory = above

    def may_have_moved(self, link: Link, since: int) -> bool:
        """Whether the uploader may have moved an object, or a directory above it, since `tick` was ``since``."""
        if self.is_claimed(link.id, since):
            return True
        above = self.actual_ancestors(link.at_parent or 0)
        return any(self.is_claimed(self.directory(ino).id, since) for ino in above)

    def path(self, link: Link) -> bytes:
        """Where the mount shows it, without a leading slash; for one to be deleted, where the store has it.

        Empty for one that is in neither tree.
        """
        if link.parent is None or link.name is None:
            return self.location(link).path if link.stored else b""
        return self._join(self._upwards(link.parent, "parent, name"), link.name)

    def location(self, link: Link) -> Location:
        """Where the store has it. The link is stored."""
        assert link.at_parent is not None and link.at_name is not None
        place = self.place(link.at_parent, link.at_name)
        return Location(place.path, link.identity, place.parent_identity)

    def place(self, directory: int, name: bytes) -> Location:
        """A name in a directory's actual place."""
        if directory == 0:
            return Location(b"", self.directory(ROOT).identity)
        path = self._join(self._upwards(directory, "at_parent, at_name"), name)
        return Location(path, parent_identity=self.directory(directory).identity)

    def _upwards(self, directory: int, columns: str) -> Iterator[bytes]:
        while directory not in (ROOT, 0):
            row = self._execute(f"SELECT {columns} FROM links WHERE ino = ?", (directory,)).fetchone()
            if row is None or row[0] is None:
                raise NotFound(f"directory {directory} has been removed")
            directory, name = row
            yield name

    @staticmethod
    def _join(upwards: Iterator[bytes], name: bytes) -> bytes:
        return b"/".join([*reversed(list(upwards)), name])

    # --- the desired tree ----------------------------------------------------------------------------------------

    def add(self, parent: int, name: bytes, ino: int, due_ns: int) -> LinkId:
        """A new name that the store does not have yet."""
        cursor = self._execute(
            "INSERT INTO links (ino, parent, name, identity, version, at_content, at_attrs, pending, attempts, reason,"
            " parked) VALUES (?, ?, ?, '', '', 0, 0, ?, 0, '', 0)",
            (ino, parent, name, due_ns),
        )
        assert cursor.lastrowid is not None
        return LinkId(cursor.lastrowid)

    def move(self, link: LinkId, parent: int, name: bytes, due_ns: int) -> None:
        self._execute(
            "UPDATE links SET parent = ?, name = ?, pending = ?, attempts = 0, parked = 0 WHERE id = ?",
            (parent, name, due_ns, link),
        )

    def doom(self, link: Link, due_ns: int) -> None:
        """Take a name out of the desired tree; the store's object, if there is one, is to be deleted."""
        if link.at_parent is None and link.id not in self._claimed and self._doubts.get(link.id) is None:
            self.drop(link.id)
            return
        self._execute(
            "UPDATE links SET parent = NULL, name = NULL, pending = ?, attempts = 0, parked = 0 WHERE id = ?",
            (due_ns, link.id),
        )

    def take_place(self, winner: LinkId, loser: Link, due_ns: int) -> None:
        """``winner``, of which the store has nothing, becomes a new content of ``loser``'s object, which is doomed."""
        self.drop(loser.id)
        self._execute(
            "UPDATE links SET at_parent = ?, at_name = ?, identity = ?, version = ?, at_content = 0, at_attrs = 0,"
            " pending = ?, attempts = 0, parked = 0 WHERE id = ?",
            (loser.at_parent, loser.at_name, loser.identity, loser.version, due_ns, winner),
        )

    def inherit(self, heir: LinkId, doomed: Link, due_ns: int) -> None:
        """``heir``, of which the store has nothing, gets the object of a doomed name of the same file, as it is."""
        self.drop(doomed.id)
        half = (doomed.at_parent, doomed.at_name, doomed.identity, doomed.version, doomed.at_content, doomed.at_attrs)
        self._execute(
            "UPDATE links SET at_parent = ?, at_name = ?, identity = ?, version = ?, at_content = ?, at_attrs = ?,"
            " pending = ?, attempts = 0, parked = 0 WHERE id = ?",
            (*half, due_ns, heir),
        )

    def touch(self, ino: int, due_ns: int) -> None:
        """Something of an inode is to be stored: all its names are pending, none earlier than ``due_ns``."""
        self._execute(
            "UPDATE links SET pending = ?, attempts = 0, parked = 0 WHERE ino = ? AND parent IS NOT NULL", (due_ns, ino)
        )

    def touch_idle(self, ino: int, due_ns: int) -> None:
        """The same for an inode that changes often: what is pending already keeps its time."""
        self._execute(
            "UPDATE links SET pending = ? WHERE ino = ? AND pending IS NULL AND parent IS NOT NULL", (due_ns, ino)
        )

    def touch_settled(self, ino: int, due_ns: int) -> None:
        """Attributes of an inode are to be stored; what is pending for another reason keeps its later time."""
        self._execute(
            "UPDATE links SET pending = max(?, coalesce(pending, 0)), attempts = 0, parked = 0"
            " WHERE ino = ? AND parent IS NOT NULL",
            (due_ns, ino),
        )

    # --- the actual tree -----------------------------------------------------------------------------------------

    def known_from_store(
        self, parent: int, name: bytes, ino: int, entry: Entry, content: int, attrs: int, due_ns: int | None = None
    ) -> LinkId:
        """A name that the store told us of: both halves are the same, and nothing is pending but at ``due_ns``."""
        cursor = self._execute(
            "INSERT INTO links (ino, parent, name, at_parent, at_name, identity, version, at_content, at_attrs,"
            " pending, attempts, reason, parked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0)",
            (ino, parent, name, parent, name, entry.identity, entry.version, content, attrs, due_ns),
        )
        assert cursor.lastrowid is not None
        return LinkId(cursor.lastrowid)

    def replace(self, link: LinkId, parent: int, name: bytes, *, both: bool) -> None:
        """The object was moved at the store, and with ``both`` its name here too; else it is to be moved back."""
        if both:
            halves = "parent = :parent, name = :name, at_parent = :parent, at_name = :name"
        else:
            halves = "at_parent = :parent, at_name = :name, pending = coalesce(pending, :now)"
        values = {"parent": parent, "name": name, "now": time.time_ns(), "link": link}
        self._execute(f"UPDATE links SET {halves} WHERE id = :link", values)

    def identify(self, ino: int, identity: str) -> None:
        """The store's own id of a directory that was known without."""
        self._execute("UPDATE links SET identity = ? WHERE ino = ?", (identity, ino))

    def stored(self, link: LinkId, parent: int, name: bytes, entry: Entry, content: int, attrs: int) -> None:
        """The store has this object, at this place, with these generations of ours."""
        self._execute(
            "UPDATE links SET at_parent = ?, at_name = ?, identity = ?, version = ?, at_content = ?, at_attrs = ?,"
            " attempts = 0, reason = '', parked = 0 WHERE id = ?",
            (parent, name, entry.identity, entry.version, content, attrs, link),
        )
        self._doubts.end(link)
        self.settle(link)

    def same_object(self, ino: int, content: int, version: Version, attrs: int) -> None:
        """All stored names of an inode are one object at the store, which has this version and these attributes now."""
        self._execute(
            "UPDATE links SET version = ?, at_attrs = ? WHERE ino = ? AND at_content = ? AND at_parent IS NOT NULL",
            (version, attrs, ino, content),
        )

    def absent(self, link: LinkId) -> None:
        """The store does not have this object (any more)."""
        row = self.get(link)
        if row is None:
            return
        if row.doomed:
            self.drop(link)
            return
        self._execute(
            "UPDATE links SET at_parent = NULL, at_name = NULL, identity = '', version = '', at_content = 0,"
            " at_attrs = 0 WHERE id = ?",
            (link,),
        )

    def split_off(self, link: Link, ghost: int, due_ns: int) -> None:
        """A stored directory is to be made anew elsewhere: ``ghost``, doomed, takes over its actual place.

        All that is inside stays there, and is pending: it moves, name by name.
        """
        self._execute(
            "INSERT INTO links (ino, at_parent, at_name, identity, version, at_content, at_attrs, pending, attempts,"
            " reason, parked) VALUES (?, ?, ?, ?, ?, 0, 0, ?, 0, '', 0)",
            (ghost, link.at_parent, link.at_name, link.identity, link.version, due_ns),
        )
        self._execute("UPDATE links SET at_parent = ?, pending = ? WHERE at_parent = ?", (ghost, due_ns, link.ino))
        self._doubts.follow(link.ino, ghost)
        self.absent(link.id)

    def take_directory(self, link: Link, doomed: Link, due_ns: int) -> None:
        """``link``, a directory that the store does not have, takes over ``doomed``'s, with all that is inside."""
        self._execute("UPDATE links SET at_parent = ? WHERE at_parent = ?", (link.ino, doomed.ino))
        self._doubts.follow(doomed.ino, link.ino)
        self.take_place(link.id, doomed, due_ns)

    def detach(self, link: LinkId) -> None:
        """Take a stored name out of the desired tree, for `attach` in the same transaction."""
        self._execute("UPDATE links SET parent = NULL, name = NULL WHERE id = ?", (link,))

    def attach(self, link: Link, attrs: int) -> None:
        """The desired place of a stored name is its actual one again, where it has these attributes of ours."""
        self._execute(
            "UPDATE links SET parent = at_parent, name = at_name, at_attrs = ? WHERE id = ?", (attrs, link.id)
        )
        if self.settle(link.id):
            self._dropped.append(link.id)

    def settle(self, link: LinkId) -> bool:
        """Nothing is pending if both halves agree; returns whether they do."""
        cursor = self._execute(
            "UPDATE links SET pending = NULL, attempts = 0, reason = '', parked = 0 WHERE id = ? AND parent = at_parent"
            " AND name = at_name AND EXISTS (SELECT 1 FROM nodes n WHERE n.ino = links.ino AND n.attrs = links.at_attrs"
            " AND (n.content = links.at_content OR (n.mode & 0xf000) = 0x4000))",
            (link,),
        )
        return cursor.rowcount > 0

    def drop(self, link: LinkId) -> None:
        self._execute("DELETE FROM links WHERE id = ?", (link,))
        self._execute("DELETE FROM memos WHERE link = ?", (link,))
        self._doubts.end(link)
        self._dropped.append(link)

    def take_dropped(self) -> list[LinkId]:
        """The rows deleted, or settled by others than the uploader, since the last call.

        They wait for nobody, and whoever waits for one of them waits in vain.
        """
        dropped, self._dropped = self._dropped, []
        return dropped
