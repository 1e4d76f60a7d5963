"""The tables of the catalogue, every column and sentinel documented where it is created.

The catalogue holds two trees side by side. The *desired* tree is what the mount shows: ``links.parent`` and
``links.name`` lead from directory to inode. The *actual* tree is what the store is known to hold: ``links.at_parent``
and ``links.at_name``. A row of ``links`` whose two halves differ is work for the uploader; there is no other queue.
All times are ns since the epoch.
"""

from __future__ import annotations

SCHEMA_VERSION = 4

SCHEMA = """
CREATE TABLE meta (
    key    TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE nodes (
    ino         INTEGER PRIMARY KEY,  -- 1 is the root; never reused while a mount lives
    mode        INTEGER NOT NULL,     -- st_mode, file type included
    uid         INTEGER NOT NULL,
    gid         INTEGER NOT NULL,
    rdev        INTEGER NOT NULL,
    size        INTEGER NOT NULL,     -- bytes; the length of a symbolic link's target
    atime       INTEGER NOT NULL,     -- set by utimensat only: reading does not change it
    mtime       INTEGER NOT NULL,
    ctime       INTEGER NOT NULL,
    nlink       INTEGER NOT NULL,     -- desired names; directories: 2 + subdirectories; 0: an orphan, in use
    target      BLOB,                -- symbolic links; NULL for everything else
    link_group  TEXT NOT NULL,        -- stored with every name of a hard-linked file; '' until there are two
    content     INTEGER NOT NULL,     -- generation of the bytes: one more with each burst of writes
    attrs       INTEGER NOT NULL,     -- generation of everything a store keeps beside the bytes
    listed      INTEGER               -- directories: when last listed; NULL: never, so the names below are not known
);
CREATE INDEX nodes_by_group ON nodes (link_group) WHERE link_group != '';
CREATE INDEX unlisted ON nodes (ino) WHERE listed IS NULL AND (mode & 0xf000) = 0x4000;
CREATE INDEX orphans ON nodes (ino) WHERE nlink = 0;

CREATE TABLE links (
    id          INTEGER PRIMARY KEY,  -- also the cookie of readdir: a listing in progress stays stable
    ino         INTEGER NOT NULL,
    parent      INTEGER,              -- desired directory; NULL: this name is to be deleted from the store
    name        BLOB,                 -- desired name; NULL exactly if parent is; the root's is empty, its parent 0
    at_parent   INTEGER,              -- the directory inode in whose actual place the object is; NULL: not at the store
    at_name     BLOB,                 -- NULL exactly if at_parent is
    identity    TEXT NOT NULL,        -- the store's own id; '' if it has none
    version     TEXT NOT NULL,        -- as the store last told; '' for directories
    at_content  INTEGER NOT NULL,     -- generation of nodes.content that the object holds; 0: none of ours
    at_attrs    INTEGER NOT NULL,     -- generation of nodes.attrs that the object holds; 0: none of ours
    pending     INTEGER,              -- when to act next; NULL: desired and actual agree
    attempts    INTEGER NOT NULL,     -- failures in a row
    reason      TEXT NOT NULL,        -- of the last failure; ''
    parked      INTEGER NOT NULL,     -- 1: failed for a reason that time alone does not cure
    since       INTEGER NOT NULL DEFAULT (unixepoch())  -- while pending: since when, in seconds
);
CREATE TRIGGER links_unsent AFTER UPDATE OF pending ON links WHEN old.pending IS NULL AND new.pending IS NOT NULL BEGIN
    UPDATE links SET since = unixepoch() WHERE id = new.id;
END;
CREATE UNIQUE INDEX links_by_name ON links (parent, name) WHERE parent IS NOT NULL;
CREATE INDEX links_in_order ON links (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX links_by_inode ON links (ino);
CREATE INDEX links_by_place ON links (at_parent, at_name) WHERE at_parent IS NOT NULL;
CREATE INDEX links_by_identity ON links (identity) WHERE identity != '' AND at_parent IS NOT NULL;
CREATE INDEX links_pending ON links (pending) WHERE pending IS NOT NULL;
CREATE INDEX links_parked ON links (id) WHERE parked != 0;

CREATE TABLE staged (
    ino      INTEGER PRIMARY KEY,  -- whose bytes
    file     INTEGER NOT NULL,     -- the number, and name, of the file in the staging directory
    base     INTEGER NOT NULL,     -- generation of nodes.content under the holes; 0: no base, holes are zeros
    visible  INTEGER NOT NULL,     -- only so many bytes of the base show through
    extents  BLOB NOT NULL,        -- with a base: the ranges staged, pairs of little-endian u64 (start, stop)
    writing  INTEGER NOT NULL,     -- 1: an application may be in the middle of a burst of writes
    damaged  TEXT NOT NULL,        -- why the bytes are not what was written, and so not published; ''
    safety   INTEGER NOT NULL      -- what a power cut would leave of it: a value of cloudfs.catalog.stagings.Safety
);
CREATE UNIQUE INDEX staged_by_file ON staged (file);
CREATE INDEX staged_writing ON staged (ino) WHERE writing != 0;
CREATE INDEX staged_unsafe ON staged (safety) WHERE safety != 2;

CREATE TABLE pieces (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,  -- also names its bytes in the cache, so it is never used again
    ino      INTEGER,              -- of whose staged file these bytes are; NULL: nobody's, to be dropped at the store
    content  INTEGER NOT NULL,     -- generation of nodes.content in which they were sent; writing there ends the row
    start    INTEGER NOT NULL,     -- where they are in the file, in bytes
    stop     INTEGER NOT NULL,
    token    TEXT NOT NULL,        -- what the store calls them
    punched  INTEGER NOT NULL,     -- 1: the staged file may have a hole there, and the store has the only copy
    offered  INTEGER NOT NULL      -- the name for which a put with them was not answered, so they are not dropped; or 0
);
CREATE INDEX pieces_by_inode ON pieces (ino, start);

CREATE TABLE memos (
    link     INTEGER PRIMARY KEY,  -- what a store wants remembered of an unfinished upload
    content  INTEGER NOT NULL,     -- of this generation
    memo     BLOB NOT NULL
);

CREATE TABLE doubts (
    link     INTEGER PRIMARY KEY,  -- for which the store was asked to make or move something, without an answer yet
    parent   INTEGER NOT NULL,     -- the directory inode in whose actual place that would be
    name     BLOB NOT NULL,        -- its name there
    moves    INTEGER NOT NULL,     -- 1: it would have been moved there, and be what it was
    content  INTEGER NOT NULL,     -- generation of nodes.content that the object there would hold
    attrs    INTEGER NOT NULL,     -- generation of nodes.attrs that it would hold
    size     INTEGER NOT NULL,     -- how it would look
    mtime    INTEGER NOT NULL,
    version  TEXT NOT NULL         -- of the object of which it would be another name; '' if it would be a new one
);

CREATE TABLE xattrs (
    ino    INTEGER NOT NULL,
    name   BLOB NOT NULL,
    value  BLOB NOT NULL,
    PRIMARY KEY (ino, name)
) WITHOUT ROWID;
"""
