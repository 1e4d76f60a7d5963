"""What survives a power cut: who waits for the disk, and how often it is asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.database import Database
from tests.catalog.conftest import Maker


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An entry for each time the disk was asked."""
    found: list[int] = []
    really: Callable[[Database], None] = Database.sync

    def sync(database: Database) -> None:
        found.append(len(found))
        really(database)

    monkeypatch.setattr(Database, "sync", sync)
    return found


async def test_who_waits_at_the_same_time_shares_it(catalog: Catalog, maker: Maker, syncs: list[int]) -> None:
    async def change(number: int) -> None:
        maker.new(b"%d" % number)
        await catalog.database.synced()

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(change, number)
    assert len(syncs) <= 2


async def test_nobody_waits_for_what_is_on_the_disk(catalog: Catalog, maker: Maker, syncs: list[int]) -> None:
    maker.new(b"a")
    await catalog.database.synced()
    await catalog.database.synced()
    assert len(syncs) == 1


async def test_what_is_to_be_destroyed_waits_for_the_disk(
    catalog: Catalog, maker: Maker, syncs: list[int], nursery: trio.Nursery
) -> None:
    destroyed = trio.Event()
    nursery.start_soon(catalog.database.sync_forever)
    with catalog:
        maker.new(b"a")
        catalog.database.once_synced(destroyed.set)
    assert not destroyed.is_set()
    with trio.fail_after(10):
        await destroyed.wait()
    assert syncs


async def test_what_the_disk_refused_is_destroyed_later(
    catalog: Catalog, maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_database: Database) -> None:
        raise OSError("the disk is broken")

    destroyed: list[int] = []
    catalog.database.once_synced(lambda: destroyed.append(1))
    maker.new(b"a")
    with monkeypatch.context() as patch:
        patch.setattr(Database, "sync", fail)
        with pytest.raises(OSError, match="broken"):
            await catalog.database.synced()
    assert not destroyed
    await catalog.database.synced()
    assert destroyed


@pytest.mark.parametrize(
    ("method", "error"), [("sync", OSError("the disk is broken")), ("settle", sqlite3.OperationalError("disk is full"))]
)
async def test_who_destroys_in_the_background_tries_again(
    catalog: Catalog,
    maker: Maker,
    nursery: trio.Nursery,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    error: Exception,
) -> None:
    refusals = [error]
    really: Callable[[Database], None] = getattr(Database, method)

    def later(database: Database) -> None:
        if refusals:
            raise refusals.pop()
        really(database)

    destroyed = trio.Event()
    with catalog:
        maker.new(b"a")
        catalog.database.once_synced(destroyed.set)
    monkeypatch.setattr(Database, method, later)
    nursery.start_soon(catalog.database.sync_forever)
    with trio.fail_after(10):
        await destroyed.wait()
    assert refusals == []
