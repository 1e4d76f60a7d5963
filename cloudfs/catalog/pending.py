"""What the store still needs: the rows of ``links`` whose halves differ, in the order in which they are due."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cloudfs.catalog.database import Database
from cloudfs.types import Inode, LinkId

_UNDER = """
WITH RECURSIVE up (id, dir) AS (
    SELECT id, coalesce(parent, at_parent) FROM links WHERE pending IS NOT NULL
    UNION ALL
    SELECT up.id, coalesce(l.parent, l.at_parent) FROM up JOIN links l ON l.ino = up.dir WHERE up.dir NOT IN (0, :ino)
)
SELECT id FROM up WHERE dir = :ino UNION SELECT id FROM links WHERE ino = :ino AND pending IS NOT NULL
"""
_BYTES = (
    "CASE WHEN n.content != l.at_content AND (n.mode & 0xf000) = 0x8000 AND l.parent IS NOT NULL THEN n.size ELSE 0 END"
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is pending: names (files, directories, deletions) and the bytes to be sent for them."""

    files: int
    bytes: int
    parked: int

    @property
    def open(self) -> int:
        """What can still be expected to get done by waiting."""
        return self.files - self.parked


class Condition(StrEnum):
    """How one file stands with the store, in the words that ``status`` shows."""

    STORED = "stored"
    PENDING = "pending"
    FAILING = "failing"
    PARKED = "parked"


_STUBBORN = 3
"""A file that the store, being there, refused so many times in a row fails for a reason of its own."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is not stored of one inode: bytes to send, since when (s since the epoch), failures in a row and why."""

    condition: Condition
    bytes: int = 0
    since: int | None = None
    attempts: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unsent:
    """One name with work left: bytes to send, since when (s since the epoch), failures in a row and why."""

    link: LinkId
    ino: Inode
    bytes: int
    since: int
    attempts: int
    reason: str
    parked: bool


class Pending:
    """The uploader's view of the catalogue.

    What has to look at everything pending, which may be a million rows, is asked in a thread.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._execute = database.execute

    def due(self, now_ns: int, limit: int) -> list[LinkId]:
        rows = self._execute(
            "SELECT id FROM links WHERE pending <= ? ORDER BY pending LIMIT ?", (now_ns, limit)
        ).fetchall()
        return [LinkId(link) for (link,) in rows]

    def next_due_ns(self, after_ns: int) -> int | None:
        """When the next row that is not due yet becomes due."""
        due: int | None = self._database.value("SELECT min(pending) FROM links WHERE pending > ?", (after_ns,))
        return due

    def count(self) -> int:
        count: int = self._database.value("SELECT count(*) FROM links WHERE pending IS NOT NULL")
        return count

    def parked_count(self) -> int:
        count: int = self._database.value("SELECT count(*) FROM links WHERE parked != 0")
        return count

    async def backlog(self) -> Backlog:
        """Everything pending."""
        (row,) = await self._database.ask(
            f"SELECT count(*), coalesce(sum({_BYTES}), 0), coalesce(sum(l.parked != 0), 0)"
            " FROM links l JOIN nodes n ON n.ino = l.ino WHERE l.pending IS NOT NULL"
        )
        return Backlog(*row)

    async def backlog_under(self, ino: int) -> Backlog:
        """What is pending of an inode, and below it if it is a directory."""
        (row,) = await self._database.ask(
            f"SELECT count(*), coalesce(sum({_BYTES}), 0), coalesce(sum(l.parked != 0), 0)"
            f" FROM links l JOIN nodes n ON n.ino = l.ino WHERE l.id IN ({_UNDER})",
            {"ino": ino},
        )
        return Backlog(*row)

    async def under(self, ino: int) -> list[LinkId]:
        """The pending rows of an inode, and below it if it is a directory."""
        return [LinkId(link) for (link,) in await self._database.ask(_UNDER, {"ino": ino})]

    async def waiting_under(self, ino: int, due_ns: int) -> list[LinkId]:
        """Those of them that have not failed, and are not due at ``due_ns``."""
        rows = await self._database.ask(
            f"SELECT id FROM links WHERE pending > :due AND attempts = 0 AND parked = 0 AND id IN ({_UNDER})",
            {"ino": ino, "due": due_ns},
        )
        return [LinkId(link) for (link,) in rows]

    def backlog_of(self, ino: int) -> Backlog:
        """What is pending of one inode itself."""
        row = self._execute(
            f"SELECT count(*), coalesce(sum({_BYTES}), 0), coalesce(sum(l.parked != 0), 0)"
            " FROM links l JOIN nodes n ON n.ino = l.ino WHERE l.ino = ? AND l.pending IS NOT NULL",
            (ino,),
        ).fetchone()
        return Backlog(*row)

    async def unsent(self, after: int, limit: int) -> list[Unsent]:
        """The next pending names after a link id, in order of their ids."""
        rows = await self._database.ask(
            f"SELECT l.id, l.ino, {_BYTES}, l.since, l.attempts, l.reason, l.parked != 0 FROM links l"
            " JOIN nodes n ON n.ino = l.ino WHERE l.pending IS NOT NULL AND l.id > ? ORDER BY l.id LIMIT ?",
            (after, limit),
        )
        return [Unsent(*row) for row in rows]

    async def oldest(self) -> int | None:
        """Since when the change that waits longest is unsent, in seconds since the epoch."""
        ((since,),) = await self._database.ask("SELECT min(since) FROM links WHERE pending IS NOT NULL")
        return None if since is None else int(since)

    def standing(self, ino: int) -> Standing:
        """How an inode stands with the store; of several names the worst."""
        count, size, since, attempts, parked = self._execute(
            f"SELECT count(*), coalesce(sum({_BYTES}), 0), min(l.since), max(l.attempts), max(l.parked)"
            " FROM links l JOIN nodes n ON n.ino = l.ino WHERE l.ino = ? AND l.pending IS NOT NULL",
            (ino,),
        ).fetchone()
        if not count:
            return Standing(Condition.STORED)
        condition = Condition.PARKED if parked else Condition.FAILING if attempts else Condition.PENDING
        reason: str | None = self._database.value(
            "SELECT reason FROM links WHERE ino = ? AND pending IS NOT NULL AND reason != ''"
            " ORDER BY parked DESC, attempts DESC LIMIT 1",
            (ino,),
        )
        return Standing(condition, size, since, attempts, reason or "")

    def failure_of(self, ino: int, *, away: bool) -> str:
        """Why an inode will not be stored by waiting a little: it is parked, or the store refused it several times.

        '' if it is none of that; what fails while the store is ``away`` does not count.
        """
        stubborn = "" if away else f" OR attempts >= {_STUBBORN}"
        reason: str | None = self._database.value(
            f"SELECT reason FROM links WHERE ino = ? AND pending IS NOT NULL AND (parked != 0{stubborn}) LIMIT 1",
            (ino,),
        )
        return "" if reason is None else reason or "it could not be stored"

    def parked(self, limit: int) -> list[tuple[LinkId, str]]:
        """The first ``limit`` parked rows, with their reasons."""
        rows = self._execute("SELECT id, reason FROM links WHERE parked != 0 ORDER BY id LIMIT ?", (limit,)).fetchall()
        return [(LinkId(link), reason) for link, reason in rows]

    async def oldest_failure(self) -> str:
        """The reason of the failure that has been tried most often, '' if nothing fails."""
        rows = await self._database.ask(
            "SELECT reason FROM links WHERE pending IS NOT NULL AND reason != '' ORDER BY attempts DESC LIMIT 1"
        )
        return str(rows[0][0]) if rows else ""

    def defer(self, link: LinkId, due_ns: int) -> None:
        """Look again later; not a failure."""
        self._execute("UPDATE links SET pending = ? WHERE id = ? AND pending IS NOT NULL", (due_ns, link))

    def start(self, link: LinkId, due_ns: int) -> None:
        """Something is to be done for a name that was settled."""
        self._execute("UPDATE links SET pending = ? WHERE id = ?", (due_ns, link))

    def failed(self, link: LinkId, due_ns: int, reason: str, *, parked: bool, away: bool = False) -> None:
        """``away``: the store answers nobody, which is not held against this name when it is back."""
        attempts = "max(attempts, 1)" if away else "attempts + 1"
        self._execute(
            f"UPDATE links SET pending = ?, attempts = {attempts}, reason = ?, parked = ? WHERE id = ?"
            " AND pending IS NOT NULL",
            (due_ns, reason, int(parked), link),
        )

    def hasten(self, link: LinkId, due_ns: int) -> None:
        """Due at ``due_ns``, unless it is earlier or failing."""
        self._execute(
            "UPDATE links SET pending = ? WHERE id = ? AND pending > ? AND attempts = 0 AND parked = 0",
            (due_ns, link, due_ns),
        )

    def hasten_all(self, due_ns: int) -> None:
        """Nothing that has not failed waits for its write-back delay any longer."""
        self._execute(
            "UPDATE links SET pending = ? WHERE pending > ? AND attempts = 0 AND parked = 0", (due_ns, due_ns)
        )

    def hasten_children(self, directory: int, due_ns: int) -> None:
        """What waited for a directory need not wait any longer."""
        self._execute(
            "UPDATE links SET pending = ?, parked = 0 WHERE parent = ? AND pending > ?", (due_ns, directory, due_ns)
        )

    def retry_failed(self, due_ns: int) -> None:
        """The store is back: everything that failed, and is not parked, is tried again, and starts from nothing."""
        self._execute(
            "UPDATE links SET pending = ?, attempts = 0 WHERE pending > ? AND attempts > 0 AND parked = 0",
            (due_ns, due_ns),
        )

    def retry(self, link: LinkId, due_ns: int) -> None:
        """It is tried again at ``due_ns``, as if it had never failed."""
        self._execute(
            "UPDATE links SET pending = ?, attempts = 0, parked = 0 WHERE id = ? AND pending IS NOT NULL",
            (due_ns, link),
        )

    def retry_all(self, due_ns: int) -> None:
        """Everything that failed or is parked is tried again."""
        self._execute(
            "UPDATE links SET pending = ?, attempts = 0, parked = 0"
            " WHERE pending > ? AND (attempts > 0 OR parked != 0)",
            (due_ns, due_ns),
        )


class Memos:
    """What stores want remembered of unfinished uploads, for one generation of content each."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._execute = database.execute

    def recall(self, link: LinkId, content: int) -> bytes | None:
        memo = self._database.value("SELECT memo FROM memos WHERE link = ? AND content = ?", (link, content))
        return None if memo is None else bytes(memo)

    def remember(self, link: LinkId, content: int, memo: bytes) -> None:
        self._execute("INSERT OR REPLACE INTO memos (link, content, memo) VALUES (?, ?, ?)", (link, content, memo))

    def forget(self, link: LinkId) -> None:
        self._execute("DELETE FROM memos WHERE link = ?", (link,))
