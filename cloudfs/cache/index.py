"""What the cache knows of its data files, across restarts: an SQLite file that may be lost, but never lies.

Two rules make that true, whenever the process is killed:

* A block is put into its data file first, and into the index later: `Index.put` collects, `Index.commit` writes. What a
  crash makes it forget is a data file nobody knows, which the next start deletes.
* A block is taken out of the index first, and committed, and then out of its data file.

After a power cut the index may be older than the data files, or newer, or damaged. Summed blocks do not mind, because
they are compared with their sums; unsummed ones are believed only within the boot that wrote them. An index
that SQLite cannot read is deleted and started over.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cloudfs.cache.blocks import occupied
from cloudfs.cache.contract import ContentKey
from cloudfs.cache.files import make_private
from cloudfs.cache.runs import Runs
from cloudfs.errors import StateInUse

log = logging.getLogger(__name__)

LAYOUT = 1
"""Of the tables below, in ``PRAGMA user_version``. An index of another layout is started over."""
_BATCH = 256
_NO_FILE = ":memory:"

_SCHEMA = f"""
CREATE TABLE content (
    key      TEXT PRIMARY KEY,  -- ContentKey; also the name of the data file
    size     INTEGER NOT NULL,  -- bytes of the content, not of what is present
    present  BLOB NOT NULL,     -- Runs.pack of the blocks in the data file, summed or not
    unsummed BLOB NOT NULL,     -- Runs.pack of those among them without a sum; their sums in `chapter` are void
    boot     BLOB NOT NULL,     -- the boot in which the unsummed blocks were written
    touched  INTEGER NOT NULL,  -- Index.tick when it was last used; higher is later
    occupied INTEGER NOT NULL   -- Record.occupied, here so that a start can add it up
) WITHOUT ROWID;
CREATE INDEX content_touched ON content (touched, occupied);
CREATE TABLE chapter (
    key      TEXT NOT NULL,     -- ContentKey
    number   INTEGER NOT NULL,  -- of 256 blocks each, from 0
    sums     BLOB NOT NULL,     -- blocks.pack_chapter; may hold sums of blocks that are not present
    PRIMARY KEY (key, number)
) WITHOUT ROWID;
PRAGMA user_version = {LAYOUT};
"""
_PRAGMAS = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
"""Exclusive: two processes in one cache directory would punch holes into each other's files."""
_PUT = (
    "INSERT INTO content (key, size, present, unsummed, boot, touched, occupied) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET size = excluded.size, present = excluded.present, unsummed = excluded.unsummed,"
    " boot = excluded.boot, touched = excluded.touched, occupied = excluded.occupied"
)


@dataclass(frozen=True, slots=True)
class Record:
    """What the index has to say of one content; ``chapters`` are only those that changed.

    ``touched`` is when it was last used, on the clock of `Index.tick`.
    """

    key: ContentKey
    size: int
    present: bytes
    unsummed: bytes
    touched: int
    chapters: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def occupied(self) -> int:
        return occupied(self.size, Runs.unpack(self.present))


class Index:
    """The table of contents. All methods are for one thread; none raises for a broken index, they start over.

    ``used`` is the bytes on disk, as the index has them at the start, and kept by the caller from then on. ``lost()``
    is called after the index was started over: all that was known is gone, but for `pending`.
    """

    def __init__(self, directory: Path, boot: bytes, lost: Callable[[], None]) -> None:
        self.used = 0
        self._path = os.path.join(directory, "index.db")
        self._boot = boot
        self._lost = lost
        self._pending: dict[ContentKey, Record] = {}
        self._clock = 0
        self._closed = False
        self._identity: tuple[int, int] | None = None
        try:
            self._database = self._open()
        except sqlite3.Error as error:
            log.warning("the index of the cache is unusable, starting over: %s", error)
            self._delete()
            self._database = self._open()

    def tick(self) -> int:
        """The time of a use that happens now; only the order means anything."""
        self._clock += 1
        return self._clock

    def find(self, key: ContentKey) -> Record | None:
        pending = self._pending.get(key)
        if pending is not None:
            return pending
        rows = self._query("SELECT size, present, unsummed, boot, touched FROM content WHERE key = ?", key)
        try:
            return self._record(key, *rows[0]) if rows else None
        except (TypeError, ValueError):  # no such blob was ever written
            self._start_over("a record makes no sense")
            return None

    def chapter(self, key: ContentKey, number: int) -> bytes:
        """Packed sums; empty if there are none."""
        pending = self._pending.get(key)
        if pending is not None and number in pending.chapters:
            return pending.chapters[number]
        rows = self._query("SELECT sums FROM chapter WHERE key = ? AND number = ?", key, number)
        return rows[0][0] if rows and isinstance(rows[0][0], bytes) else b""

    def put(self, record: Record) -> None:
        """Remember, and write it some time soon."""
        before = self._pending.get(record.key)
        if before is not None and before.chapters:
            record = replace(record, chapters={**before.chapters, **record.chapters})
        self._pending[record.key] = record
        if len(self._pending) >= _BATCH:
            self.commit()

    def pending(self) -> Iterable[Record]:
        """What was put and is not written."""
        return self._pending.values()

    def oldest(self, count: int, after: int = -1) -> list[tuple[ContentKey, int]]:
        """Contents in the order of their last use, with the time of it."""
        self.commit()
        sql = "SELECT key, touched FROM content WHERE touched > ? ORDER BY touched LIMIT ?"
        return [(ContentKey(key), touched) for key, touched in self._query(sql, after, count)]

    def commit(self, removed: Iterable[ContentKey] = ()) -> None:
        """Write what was put, and forget what is ``removed``. Holds against ``kill -9`` when it returns."""
        removed = list(removed)
        for key in removed:
            self._pending.pop(key, None)
        if self._closed or not (self._pending or removed):
            return
        if self._identity != self._identify():
            self._start_over("it was deleted")
        self._write(lambda: self._write_batch(removed))

    def inherit(self, old: ContentKey, key: ContentKey) -> None:
        """Give ``key`` the sums that ``old`` has, before its own are put."""
        self.commit()
        sql = "INSERT OR REPLACE INTO chapter SELECT ?, number, sums FROM chapter WHERE key = ?"
        self._write(lambda: self._database.execute(sql, (key, old)))

    def close(self) -> None:
        """Afterwards nothing is known, and nothing is written."""
        self.commit()
        self._closed = True
        self._database.close()

    # --- SQLite -------------------------------------------------------------------------------------------------

    def _record(self, key: ContentKey, size: int, present: bytes, unsummed: bytes, boot: bytes, touched: int) -> Record:
        here, doubtful = Runs.unpack(present), Runs.unpack(unsummed)
        if boot == self._boot:
            return Record(key, int(size), present, unsummed, touched)
        for start, stop in doubtful:
            here.remove(start, stop)
        return Record(key, int(size), here.pack(), b"", touched)

    def _write_batch(self, removed: list[ContentKey]) -> None:
        keys = [(key,) for key in removed]
        records = list(self._pending.values())
        rows = [(r.key, r.size, r.present, r.unsummed, self._boot, r.touched, r.occupied) for r in records]
        sums = [(r.key, number, packed) for r in records for number, packed in r.chapters.items()]
        database = self._database
        database.executemany("DELETE FROM content WHERE key = ?", keys)
        database.executemany("DELETE FROM chapter WHERE key = ?", keys)
        database.executemany(_PUT, rows)
        database.executemany("INSERT OR REPLACE INTO chapter VALUES (?, ?, ?)", sums)
        self._pending.clear()

    def _write(self, change: Callable[[], object]) -> None:
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                change()
        except sqlite3.Error as error:
            self._start_over(error)

    def _query(self, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        try:
            return self._database.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            self._start_over(error)
            return []

    def _open(self) -> sqlite3.Connection:
        database = connect(self._path)
        self._identity = self._identify()
        self._clock = database.execute("SELECT coalesce(max(touched), 0) FROM content").fetchone()[0]
        self.used = database.execute("SELECT coalesce(sum(occupied), 0) FROM content").fetchone()[0]
        return database

    def _start_over(self, reason: object) -> None:
        if self._closed:
            return
        log.warning("the index of the cache is lost, starting over: %s", reason)
        with suppress(sqlite3.Error):
            self._database.close()
        try:
            self._delete()
            self._database = self._open()
        except (sqlite3.Error, OSError) as error:
            log.warning("the cache will be forgotten at the end, no index can be written: %s", error)
            self._database = connect(_NO_FILE)
            self._identity = self._identify()
        self._lost()

    def _delete(self) -> None:
        make_private(os.path.dirname(self._path))
        for suffix in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(self._path + suffix)

    def _identify(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_dev, status.st_ino


def connect(path: str) -> sqlite3.Connection:
    """The index at ``path``, made if it is missing, and locked. `StateInUse` if another process has it."""
    if path != _NO_FILE:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        database.executescript(_PRAGMAS)
        if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
            database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        if database.execute("PRAGMA user_version").fetchone()[0] != LAYOUT:
            raise sqlite3.DatabaseError("it has another layout")
    except sqlite3.Error as error:
        database.close()
        if error_code(error) == sqlite3.SQLITE_BUSY:
            raise StateInUse(f"another process uses the cache directory {os.path.dirname(path)}") from None
        raise
    return database


def error_code(error: sqlite3.Error) -> int:
    """The primary result code, 0 if it is Python's own error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
