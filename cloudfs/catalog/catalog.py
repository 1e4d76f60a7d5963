"""The catalogue as a whole: one file of one mount, with the tables as collaborators."""

from __future__ import annotations

import contextlib
import time
import uuid
from pathlib import Path

from cloudfs.catalog.database import Database, DurableStep
from cloudfs.catalog.doubts import Doubts
from cloudfs.catalog.links import Links
from cloudfs.catalog.nodes import Nodes, Xattrs
from cloudfs.catalog.pending import Memos, Pending
from cloudfs.catalog.pieces import SentPieces
from cloudfs.catalog.stagings import Stagings
from cloudfs.errors import NotFound, UsageError
from cloudfs.types import ROOT, Inode


class Catalog:
    """The desired and the actual state of one mount. ``with catalog:`` is a transaction."""

    def __init__(self, path: Path, source: str, root: tuple[int, int, int], durable_step: DurableStep) -> None:
        """``source`` is what is mounted: a catalogue belongs to one source. ``root`` is (mode, uid, gid) of a new one.

        Raises `UsageError` if the catalogue at ``path`` belongs to another source.
        """
        self.database = Database(path, durable_step)
        self.nodes = Nodes(self.database)
        self.xattrs = Xattrs(self.database)
        self.doubts = Doubts(self.database)
        self.links = Links(self.database, self.nodes, self.doubts)
        self.pending = Pending(self.database)
        self.memos = Memos(self.database)
        self.pieces = SentPieces(self.database)
        self.stagings = Stagings(self.database, self.pieces)
        self.refused: set[int] = set()
        """Directories that the store does not list for us: nobody waits for their names."""
        self._held: dict[int, int] = {}
        self._orphans: set[int] = set()
        try:
            with self.database:
                self._introduce(source, root)
        except BaseException:
            self.close()
            raise
        self.uuid: str = self.database.value("SELECT value FROM meta WHERE key = 'uuid'")

    def _introduce(self, source: str, root: tuple[int, int, int]) -> None:
        known = self.database.value("SELECT value FROM meta WHERE key = 'source'")
        if known is None:
            self.remember("source", source)
            self.remember("uuid", uuid.uuid4().hex)
            self._make_root(root)
        elif known != source:
            raise UsageError(f"this state directory belongs to {known}, not to {source}; choose another state_dir")

    def _make_root(self, root: tuple[int, int, int]) -> None:
        mode, uid, gid = root
        now = time.time_ns()
        node = self.nodes.insert(mode=mode, uid=uid, gid=gid, mtime_ns=now, now_ns=now)
        assert node.ino == ROOT
        self.database.execute(
            "INSERT INTO links (ino, parent, name, at_parent, at_name, identity, version, at_content, at_attrs,"
            " pending, attempts, reason, parked) VALUES (1, 0, x'', 0, x'', '', '', 1, 1, NULL, 0, '', 0)"
        )

    def recall(self, key: str) -> str | None:
        """What was last remembered under a key, also by an earlier process."""
        value: str | None = self.database.value("SELECT value FROM meta WHERE key = ?", (key,))
        return value

    def remember(self, key: str, value: str | None) -> None:
        """None: forget it."""
        if value is None:
            self.database.execute("DELETE FROM meta WHERE key = ?", (key,))
        else:
            self.database.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))

    def new_group(self, ino: int) -> str:
        """A hard-link group that no other catalogue uses."""
        return f"{self.uuid[:16]}-{ino:x}"

    def may_have_unknown_names(self, group: str) -> bool:
        """Whether a file of this hard-link group may have names in directories that were never listed."""
        return bool(group) and not group.startswith(self.uuid[:16]) and bool(self.unlisted(1))

    def unlisted(self, limit: int) -> list[Inode]:
        """Some directories whose names are not known, and may become so."""
        found = self.nodes.unlisted(limit + len(self.refused))
        return [ino for ino in found if ino not in self.refused][:limit]

    def hold(self, ino: int) -> None:
        """Somebody (an open file, the kernel) uses this inode: keep it, also without a name, until `let_go`."""
        self._held[ino] = self._held.get(ino, 0) + 1

    def is_held(self, ino: int) -> bool:
        return ino in self._held

    def orphaned(self, ino: int) -> None:
        """The inode lost its last name, but the kernel still knows it: keep it until `forgotten`.

        The transaction may fail, and be tried again: that is one use all the same.
        """
        if ino not in self._orphans:
            self._orphans.add(ino)
            self.hold(ino)

    def forgotten(self, ino: int) -> bool:
        """The kernel forgot the inode; True if that was a use of an orphan, to be ended with `let_go`."""
        if ino not in self._orphans:
            return False
        self._orphans.discard(ino)
        return True

    def let_go(self, ino: int) -> bool:
        """One use less. Returns whether nobody will ask for its bytes any more; then `reap` it."""
        uses = self._held.get(ino, 0) - 1
        if uses > 0:
            self._held[ino] = uses
            return False
        self._held.pop(ino, None)
        try:
            nlink: int = self.nodes.get(ino).nlink
            return nlink == 0
        except NotFound:
            return True

    def reap(self, ino: int) -> None:
        """Delete an inode that has no name, is not in use, and is not needed to delete anything from the store."""
        if ino in self._held:
            return
        nlink = self.database.value("SELECT nlink FROM nodes WHERE ino = ?", (ino,))
        if nlink == 0 and self.database.value("SELECT 1 FROM links WHERE ino = ?", (ino,)) is None:
            self.stagings.remove(ino)
            self.nodes.delete(ino)

    def lazily(self) -> contextlib.AbstractContextManager[None]:
        """A transaction that may be committed a moment later (`Database.lazily`)."""
        return self.database.lazily()

    def __enter__(self) -> None:
        self.database.__enter__()

    def __exit__(self, *exc: object) -> None:
        self.database.__exit__(*exc)  # type: ignore[arg-type]

    def close(self) -> None:
        self.database.close()
