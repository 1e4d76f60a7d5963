"""The store is away, full or unwilling: nothing is dropped, nothing spins, and the rest goes on."""

from __future__ import annotations

import pytest
import trio

from cloudfs.errors import AccessDenied, NameRefused, QuotaExceeded, Unavailable
from cloudfs.stores.faults import Refuse, Weather
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.writeback.health import State
from tests.writeback.rig import Rig
from tests.writeback.views import left_over, mount_view, store_view

pytestmark = pytest.mark.timeout(30)


async def _tree(rig: Rig) -> None:
    await rig.mkdir(b"a")
    await rig.mkdir(b"a/b")
    await rig.mkdir(b"a/b/c")
    await rig.create(b"a/b/c/file", b"content")
    await rig.create(b"beside", b"content")


async def test_what_was_done_without_a_network_is_stored_when_it_is_back(rig: Rig, tree: MemoryTree) -> None:
    await rig.directories.known(1)
    rig.plan.weather = Weather.OFFLINE
    await _tree(rig)
    await trio.sleep(3600)
    assert rig.health.away
    assert await rig.read(b"a/b/c/file") == b"content"
    assert tree.root.children == {}
    rig.plan.clear()
    await trio.sleep(3600)
    assert str(rig.health.state) == "online"
    assert store_view(tree, hard_links=True) == await mount_view(rig)
    assert left_over(rig) == []


async def test_a_store_that_is_away_is_asked_seldom(rig: Rig) -> None:
    """An hour is not a thousand attempts, however many names are pending and however deep."""
    await rig.directories.known(1)
    await _tree(rig)
    rig.plan.add("make_directory", Refuse(), times=10_000)
    rig.plan.add("put", Refuse(), times=10_000)
    await trio.sleep(3600)
    assert 10 < 20_000 - rig.plan.pending < 60


async def test_what_waits_for_a_refused_directory_waits_quietly(rig: Rig, tree: MemoryTree) -> None:
    """A test that would not end: names below names below a parked one asked each other for ever."""
    rig.plan.add("make_directory", Refuse(AccessDenied("forbidden")), path=b"a", times=10_000)
    await _tree(rig)
    await trio.sleep(3600)
    assert rig.catalog.pending.parked_count() == 1
    assert list(tree.root.children) == [b"beside"]
    assert 10_000 - rig.plan.pending < 10
    rig.plan.clear()
    await rig.drain()
    assert store_view(tree, hard_links=True) == await mount_view(rig)


@pytest.mark.parametrize("error", [AccessDenied("no"), NameRefused("no"), QuotaExceeded("no")])
async def test_parked_names_do_not_block_others(rig: Rig, tree: MemoryTree, error: Exception) -> None:
    rig.plan.add("put", Refuse(error), path=b"bad", times=1000)  # type: ignore[arg-type]
    await rig.create(b"bad", b"content")
    for number in range(20):
        await rig.create(b"%d" % number, b"content")
    await trio.sleep(60)
    assert len(tree.root.children) == 20
    [(link, reason)] = rig.catalog.pending.parked(10)
    row = rig.catalog.links.get(link)
    assert row is not None and row.name == b"bad" and reason == "no"
    assert await rig.read(b"bad") == b"content"


async def test_what_is_parked_is_looked_at_again(rig: Rig, tree: MemoryTree) -> None:
    rig.plan.add("put", Refuse(QuotaExceeded("full")))
    await rig.create(b"a", b"content")
    await trio.sleep(60)
    assert rig.catalog.pending.parked_count() == 1
    await trio.sleep(3600)
    assert rig.catalog.pending.parked_count() == 0
    assert list(tree.root.children) == [b"a"]


async def test_a_write_ends_parking(rig: Rig, tree: MemoryTree) -> None:
    rig.plan.add("put", Refuse(QuotaExceeded("full")))
    await rig.create(b"a", b"content")
    await trio.sleep(60)
    with pytest.raises(OSError, match="full"):
        await rig.write(b"a", b"less")
    await trio.sleep(60)
    assert list(tree.root.children) == [b"a"]
    await rig.write(b"a", b"and all is well")


async def test_a_provider_that_asks_for_time_gets_it(rig: Rig, store: MemoryStore) -> None:
    rig.plan.add("put", Refuse(Unavailable("slow down", retry_after=1000.0)))
    await rig.create(b"a", b"content")
    await trio.sleep(900)
    assert store.calls["put"] == 0
    await trio.sleep(200)
    assert store.calls["put"] == 1


async def test_a_file_deleted_while_parked_is_forgotten(rig: Rig) -> None:
    rig.plan.add("put", Refuse(AccessDenied("no")))
    await rig.create(b"a", b"content")
    await trio.sleep(60)
    await rig.unlink(b"a")
    await trio.sleep(60)
    assert rig.catalog.pending.parked_count() == 0
    assert left_over(rig) == []


async def test_reading_what_is_not_cached_fails_and_does_not_hang(rig: Rig) -> None:
    await rig.create(b"a", b"content")
    await rig.drain()
    rig.cache.shrink(0)
    rig.plan.weather = Weather.OFFLINE
    with pytest.raises(Unavailable):
        await rig.read(b"a")
    rig.plan.clear()
    assert await rig.read(b"a") == b"content"


async def test_an_unknown_directory_fails_and_a_known_one_goes_on(rig: Rig) -> None:
    rig.plan.weather = Weather.OFFLINE
    with pytest.raises(Unavailable):
        await rig.create(b"a", b"content")
    rig.plan.clear()
    await rig.directories.known(1)
    rig.plan.weather = Weather.OFFLINE
    await rig.create(b"a", b"content")
    assert await rig.names() == [b"a"]


async def test_signing_in_again_sends_everything(rig: Rig, tree: MemoryTree) -> None:
    await rig.directories.known(1)
    rig.plan.weather = Weather.SIGNED_OUT
    await _tree(rig)
    await trio.sleep(600)
    assert rig.health.state is State.SIGN_IN_REQUIRED
    rig.plan.clear()
    await trio.sleep(120)
    assert store_view(tree, hard_links=True) == await mount_view(rig)
