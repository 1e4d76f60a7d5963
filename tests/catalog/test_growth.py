"""What is done all the time costs the same in a catalogue of any size.

Nothing here keeps time: SQLite says how it will look for rows, and counts the instructions of its virtual machine.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.population import FLAT, Population, populate
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.database import Database
from cloudfs.catalog.schema import SCHEMA
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import ROOT, LinkId
from cloudfs.vfs.attributes import Change
from tests.catalog.conftest import DIRECTORY, NOW, REGULAR
from tests.writeback.rig import SYMLINK, mounted

_OF_FEW = re.compile(r"INDEX (orphans|unlisted|links_parked|staged_writing)\b")
"""Indexes of what is rare: all of it may be looked at."""
_FEW_TABLES = re.compile(r"SCAN (meta|doubts|memos|pieces|CONSTANT ROW)\b")


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """Those of every catalogue opened from now on, the main one first."""
    opened: list[sqlite3.Connection] = []
    connect = Database._connect

    def remember(database: Database) -> sqlite3.Connection:
        opened.append(connect(database))
        return opened[-1]

    monkeypatch.setattr(Database, "_connect", remember)
    return opened


async def test_no_statement_of_a_mount_at_work_looks_at_every_row(
    connections: list[sqlite3.Connection], tmp_path: Path
) -> None:
    statements: set[str] = set()
    async with mounted(tmp_path, MemoryStore(MemoryTree())) as rig:
        connections[0].set_trace_callback(statements.add)
        for directory in (b"d", b"d/e"):
            await rig.mkdir(directory)
        for name in (b"d/a", b"d/b", b"d/e/c"):
            await rig.create(name, b"bytes")
        await rig.make(b"d/l", SYMLINK, b"a")
        await rig.link(b"d/a", b"d/again")
        await rig.rename(b"d/b", b"d/e/b")
        await rig.drain()
        await rig.write(b"d/a", b"other", offset=2)
        await rig.change(b"d/a", Change(mode=REGULAR & ~0o022))
        await rig.rename(b"d", b"f")
        await rig.names(b"f")
        await rig.directories.fresh((await rig.resolve(b"f/e")).ino)
        await rig.drain()
        for name in (b"f/a", b"f/again", b"f/l", b"f/e/b", b"f/e/c"):
            await rig.unlink(name)
        await rig.rmdir(b"f/e")
        await rig.drain()
        connections[0].set_trace_callback(None)
    assert len(statements) > 100
    assert [(statement, plan) for statement in statements for plan in _plan(statement) if _looks_at_all(plan)] == []


def _looks_at_all(plan: str) -> bool:
    return plan.startswith("SCAN") and not (_OF_FEW.search(plan) or _FEW_TABLES.match(plan))


def _plan(statement: str) -> Iterator[str]:
    """How SQLite would go about it; of what a trigger does (a comment in the trace), and of transactions, nothing."""
    if statement.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE", "INSERT", "WITH"):
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.executescript(SCHEMA)
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
                yield row[3]


def _new(catalog: Catalog, parent: int, name: bytes) -> None:
    with catalog:
        node = catalog.nodes.insert(mode=REGULAR, uid=0, gid=0, mtime_ns=NOW, now_ns=NOW)
        catalog.links.add(parent, name, node.ino, NOW)


def _directory(catalog: Catalog, name: bytes) -> int:
    found = catalog.links.lookup(ROOT, name)
    assert found is not None
    return found


def _rename(catalog: Catalog) -> None:
    with catalog:
        catalog.links.move(LinkId(2), ROOT, b"elsewhere", NOW)


def _unlink(catalog: Catalog) -> None:
    link = catalog.links.find(_directory(catalog, FLAT.encode()), b"file-000007")
    assert link is not None
    with catalog:
        catalog.links.doom(link, NOW)


OPERATIONS: dict[str, Callable[[Catalog], object]] = {
    "lookup": lambda catalog: catalog.links.lookup(_directory(catalog, FLAT.encode()), b"file-000042"),
    "lookup of nothing": lambda catalog: catalog.links.lookup(_directory(catalog, FLAT.encode()), b"nothing"),
    "getattr": lambda catalog: catalog.nodes.get(50),
    "readdir": lambda catalog: catalog.links.children(_directory(catalog, FLAT.encode()), 0, 64),
    "create": lambda catalog: _new(catalog, _directory(catalog, FLAT.encode()), b"new"),
    "unlink": _unlink,
    "rename of a large directory": _rename,
    "is empty": lambda catalog: catalog.links.is_empty(ROOT),
    "due": lambda catalog: catalog.pending.due(time.time_ns(), 64),
    "next due": lambda catalog: catalog.pending.next_due_ns(time.time_ns()),
    "hasten": lambda catalog: catalog.pending.hasten_all(time.time_ns()),
    "parked": lambda catalog: catalog.pending.parked(100),
    "orphans": lambda catalog: catalog.nodes.orphans(),
    "unlisted": lambda catalog: catalog.nodes.unlisted(10),
    "open": lambda catalog: catalog.stagings.get(50),
}


def _instructions(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """Of SQLite's virtual machine, in tens."""
    count = 0

    def tick() -> None:
        nonlocal count
        count += 1

    connection.set_progress_handler(tick, 10)
    work()
    connection.set_progress_handler(None, 0)
    return count


def _costs(connections: list[sqlite3.Connection], names: int, place: Path) -> dict[str, int]:
    (place / "store").mkdir(parents=True)
    populate(Population(names), place / "catalog.db", "memory:", place / "store")
    connections.clear()
    catalog = Catalog(place / "catalog.db", "memory:", (DIRECTORY, 0, 0), lambda _: None)
    with closing(catalog):
        return {
            name: _instructions(connections[0], lambda work=work: work(catalog))  # type: ignore[misc]
            for name, work in OPERATIONS.items()
        }


def test_every_operation_costs_the_same_with_a_hundred_times_as_many_names(
    connections: list[sqlite3.Connection], tmp_path: Path
) -> None:
    few, many = (_costs(connections, names, tmp_path / str(names)) for names in (1_000, 100_000))
    assert sum(few.values()) > len(few), "the counter counts"
    grown = {name: (few[name], many[name]) for name in few if many[name] > 1.5 * few[name] + 5}
    assert grown == {}
