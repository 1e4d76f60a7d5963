"""Everything the emulator knows, in one SQLite file of its state directory; bytes are in files beside it."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, name TEXT, kind TEXT);
CREATE TABLE IF NOT EXISTS token (
    secret TEXT PRIMARY KEY, account TEXT, what TEXT,   -- 'access', 'refresh', 'code', 'device'
    expires REAL,                                       -- s since the epoch
    spent INTEGER DEFAULT 0,
    extra TEXT DEFAULT '{}'                             -- JSON: PKCE challenge, redirect, user code ...
);
CREATE TABLE IF NOT EXISTS drive (
    id TEXT PRIMARY KEY, account TEXT, kind TEXT,       -- 'personal', 'business', 'documentLibrary'
    name TEXT,
    total INTEGER,                                      -- bytes of quota; 0: not told
    page INTEGER,                                       -- rows of a page at most
    used INTEGER DEFAULT 0, binned INTEGER DEFAULT 0,   -- bytes, with old versions; and in the recycle bin
    epoch INTEGER DEFAULT 1,                            -- delta tokens of another epoch are too old
    seq INTEGER DEFAULT 0                               -- of the last change
);
CREATE TABLE IF NOT EXISTS item (
    id TEXT PRIMARY KEY, drive TEXT, parent TEXT,       -- parent is NULL for the root
    name TEXT, folded TEXT, kind TEXT,                  -- 'root', 'folder', 'file', 'package'
    guid TEXT, etag INTEGER DEFAULT 1, ctag INTEGER DEFAULT 1,
    size INTEGER DEFAULT 0, hash TEXT DEFAULT '', blob TEXT DEFAULT '',
    created TEXT, modified TEXT,                        -- the server's times
    client_created TEXT, client_modified TEXT,          -- fileSystemInfo
    deleted INTEGER DEFAULT 0,
    seq INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS name ON item (parent, folded) WHERE deleted = 0;
CREATE INDEX IF NOT EXISTS news ON item (drive, seq);
CREATE TABLE IF NOT EXISTS version (
    item TEXT, number INTEGER, modified TEXT, size INTEGER, hash TEXT, blob TEXT, PRIMARY KEY (item, number)
);
CREATE TRIGGER IF NOT EXISTS item_added AFTER INSERT ON item BEGIN
    UPDATE drive SET used = used + NEW.size WHERE id = NEW.drive;
END;
CREATE TRIGGER IF NOT EXISTS item_changed AFTER UPDATE OF size, deleted ON item BEGIN
    UPDATE drive SET used = used - OLD.size * (NOT OLD.deleted) + NEW.size * (NOT NEW.deleted),
        binned = binned - OLD.size * OLD.deleted + NEW.size * NEW.deleted WHERE id = NEW.drive;
END;
CREATE TRIGGER IF NOT EXISTS version_kept AFTER INSERT ON version BEGIN
    UPDATE drive SET used = used + NEW.size WHERE id = (SELECT drive FROM item WHERE id = NEW.item);
END;
CREATE TABLE IF NOT EXISTS session (
    id TEXT PRIMARY KEY, drive TEXT, parent TEXT, name TEXT, item TEXT, behaviour TEXT,
    times TEXT,                                         -- JSON: fileSystemInfo
    if_match TEXT, etag TEXT, total INTEGER DEFAULT -1,
    received INTEGER DEFAULT 0,                         -- bytes kept, always a prefix
    arrived INTEGER DEFAULT 0,                          -- bytes that came over the network, also twice
    expires REAL
);
CREATE TABLE IF NOT EXISTS monitor (id TEXT PRIMARY KEY, item TEXT, error TEXT, polls INTEGER DEFAULT 0);
"""


class Database:
    """In autocommit mode: a handler changes things without awaiting, so requests do not see each other half done."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.blobs = directory / "blobs"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(directory / "emulator.db", isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + _SCHEMA)

    def new_blob(self) -> Path:
        return self.blobs / uuid.uuid4().hex

    def blob(self, name: str) -> Path:
        return self.blobs / name

    def one(self, statement: str, *values: object) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self.db.execute(statement, values).fetchone()
        return found

    def all(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self.db.execute(statement, values).fetchall()

    def do(self, statement: str, *values: object) -> int:
        """How many rows it changed."""
        return self.db.execute(statement, values).rowcount

    def close(self) -> None:
        self.db.close()
