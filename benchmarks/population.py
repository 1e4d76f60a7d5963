"""A catalogue of any size, without the hours it takes to become one: rows as a listing would have left them.

``shelf-0000`` and so on have 100 names each, and ``flat`` a tenth of all names in one directory. The directories exist
in the local store as well, so that what is made in them can be stored; the files are known by their rows alone.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cloudfs.catalog.catalog import Catalog
from cloudfs.types import ROOT

NAMES_ON_A_SHELF = 100
FLAT = "flat"
_SIZE = 4096
_NODES = (
    "INSERT INTO nodes (ino, mode, uid, gid, rdev, size, atime, mtime, ctime, nlink, target, link_group, content,"
    " attrs, listed) VALUES (?1, ?2, 0, 0, 0, ?3, ?4, ?4, ?4, ?5, NULL, '', 1, 1, ?6)"
)
_LINKS = (
    "INSERT INTO links (ino, parent, name, at_parent, at_name, identity, version, at_content, at_attrs, pending,"
    " attempts, reason, parked) VALUES (?1, ?2, ?3, ?2, ?3, '', ?4, 1, 1, NULL, 0, '', 0)"
)


@dataclass(frozen=True, slots=True)
class Population:
    """How many names, and where they are."""

    names: int

    @property
    def flat(self) -> int:
        """Names in the large directory."""
        return self.names // 10

    @property
    def shelves(self) -> int:
        return (self.names - self.flat) // NAMES_ON_A_SHELF

    def shelf(self, number: int) -> str:
        return f"shelf-{number:04}"

    def file(self, number: int) -> str:
        """The same names in every directory."""
        return f"file-{number:06}"

    def directories(self) -> Iterator[tuple[str, int]]:
        """The name of each, and how many files are in it."""
        yield FLAT, self.flat
        for number in range(self.shelves):
            yield self.shelf(number), NAMES_ON_A_SHELF


def populate(population: Population, database: Path, source: str, store: Path) -> None:
    """Make the catalogue of a mount of ``source``, whose store is the directory ``store``."""
    catalog = Catalog(database, source, (stat.S_IFDIR | 0o755, 0, 0), durable_step=lambda _: None)
    catalog.database.finish()
    catalog.close()
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -65536"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN")
        _fill(connection, population, store)
        connection.execute("COMMIT")


def _fill(connection: sqlite3.Connection, population: Population, store: Path) -> None:
    now = time.time_ns()
    inodes = itertools.count(ROOT + 1)
    for name, files in population.directories():
        (store / name).mkdir()
        directory = next(inodes)
        connection.execute(_NODES, (directory, stat.S_IFDIR | 0o755, 0, now, 2, now))
        connection.execute(_LINKS, (directory, ROOT, name.encode(), ""))
        numbers = [(next(inodes), population.file(number).encode()) for number in range(files)]
        connection.executemany(_NODES, ((ino, stat.S_IFREG | 0o644, _SIZE, now, 1, None) for ino, _ in numbers))
        connection.executemany(_LINKS, ((ino, directory, file, "1") for ino, file in numbers))
    connection.execute("UPDATE nodes SET listed = ?, nlink = ? WHERE ino = ?", (now, 3 + population.shelves, ROOT))
