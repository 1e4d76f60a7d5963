"""Cold trees are listed in advance, and nobody waits for that for long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from cloudfs.catalog.survey import STEP
from cloudfs.errors import Unavailable
from cloudfs.stores.faults import Hold, Refuse
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import ROOT
from cloudfs.vfs import walks
from tests.vfs.planting import directory, plant, uproot
from tests.writeback.full_disk import FullDisk
from tests.writeback.rig import Rig, mounted


async def find(rig: Rig, ino: int = ROOT, path: bytes = b"") -> list[bytes]:
    """Every path below, as find(1) comes by them: a directory is listed, and then what is in it."""
    await rig.directories.opened(ino)
    found: list[bytes] = []
    for _, name, node in rig.catalog.links.children(ino, 0, 1 << 30):
        inner = b"%b/%b" % (path, name) if path else name
        found.append(inner)
        if node.is_directory:
            found += await find(rig, node.ino, inner)
    return found


def grow(tree: MemoryTree, wide: int = 10, deep: int = 3) -> list[bytes]:
    """A tree, and the paths in it that are files."""
    above = [b""]
    files: list[bytes] = []
    for _ in range(deep):
        above = [b"%bd%d/" % (path, number) for path in above for number in range(wide)][:100]
        for path in above:
            files.append(b"%bfile" % path)
            plant(tree, files[-1])
    return files


async def test_a_tree_is_found_in_two_requests(rig: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    files = grow(tree, wide=5, deep=3)
    found = await find(rig)
    assert {path for path in found if path.endswith(b"file")} == set(files)
    assert store.calls["list"] == 1
    assert store.calls["walk"] == 1 + len(found) // 1000


async def test_the_first_walk_begins_with_the_first_listing(rig: Rig, tree: MemoryTree) -> None:
    grow(tree)
    listing, walk = Hold(), Hold()
    rig.plan.add("list", listing)
    rig.plan.add("walk", walk)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.names)
        await walk.reached.wait()
        await listing.reached.wait()
        listing.gate.set()
        walk.gate.set()


@pytest.mark.parametrize("slow", ["list", "walk", "neither"])
async def test_a_walk_may_be_quicker_than_the_first_listing(
    rig: Rig, tree: MemoryTree, store: MemoryStore, slow: str
) -> None:
    files = grow(tree)
    delayed = Hold()
    if slow != "neither":
        rig.plan.add(slow, delayed)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.names)
        await trio.sleep(1)
        delayed.gate.set()
    assert {path for path in await find(rig) if path.endswith(b"file")} == set(files)
    assert store.calls["list"] == 1


async def test_a_directory_without_others_is_not_walked_through(rig: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    """The walk through the root, which began before that was known, ends."""
    plant(tree, b"file")
    rig.plan.add("walk", Hold())
    assert await find(rig) == [b"file"]
    await trio.sleep(1)
    assert rig.directories._walks is not None
    assert rig.directories._walks._walks == []


async def test_a_directory_below_is_listed_directly_if_the_walk_takes_long(
    rig: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    grow(tree)
    gate = Hold()
    rig.plan.add("walk", gate)
    started = trio.current_time()
    assert b"d3" in await rig.names()
    assert b"file" in await rig.names(b"d3")
    assert trio.current_time() - started <= walks.PATIENCE_AT_FIRST
    assert store.calls["list"] == 2


async def test_nobody_waits_again_and_again_for_a_walk_that_is_late(
    rig: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    for number in range(40):
        plant(tree, b"d%d/file" % number)
    rig.plan.add("walk", Hold())
    started = trio.current_time()
    await find(rig)
    assert trio.current_time() - started < 2 * walks.PATIENCE_AT_FIRST


async def test_a_walk_that_fails_costs_nobody_anything(rig: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    files = grow(tree, wide=3, deep=2)
    rig.plan.add("walk", Refuse(Unavailable("not now")), times=100)
    found = await find(rig)
    assert set(files) <= set(found)
    assert rig.health.state == "online"


async def test_what_is_changed_here_during_a_walk_stays_as_it_is(rig: Rig, tree: MemoryTree) -> None:
    plant(tree, b"a/b/deleted")
    plant(tree, b"a/b/renamed")
    plant(tree, b"a/gone/file")
    gate = Hold(answered=True)
    rig.plan.add("walk", gate)
    await rig.names()
    await rig.unlink(b"a/b/deleted")
    await rig.rename(b"a/b/renamed", b"new name")
    await rig.unlink(b"a/gone/file")
    await rig.rmdir(b"a/gone")
    await rig.create(b"a/b/made", b"x")
    await rig.drain()
    gate.gate.set()
    await trio.sleep(1)
    assert sorted(await find(rig)) == [b"a", b"a/b", b"a/b/made", b"new name"]


async def test_the_listing_of_a_directory_that_moved_meanwhile_is_not_taken_for_another(
    rig: Rig, tree: MemoryTree
) -> None:
    plant(tree, b"a/x/one")
    plant(tree, b"b/y/two")
    held = Hold()
    rig.plan.add("walk", held)
    await rig.names()
    await held.reached.wait()
    await rig.rename(b"a", b"c")
    await rig.rename(b"b", b"a")
    await rig.drain()
    held.gate.set()
    await trio.sleep(1)
    assert sorted(await find(rig)) == [b"a", b"a/y", b"a/y/two", b"c", b"c/x", b"c/x/one"]


async def test_a_large_directory_is_merged_step_by_step(rig: Rig, tree: MemoryTree) -> None:
    for number in range(5 * STEP):
        plant(tree, b"d/%05d" % number)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        ino = (await rig.resolve(b"d")).ino
        before = turns
        await rig.directories.known(ino)
        assert turns - before >= 5
        nursery.cancel_scope.cancel()
    assert len(await rig.names(b"d")) == 5 * STEP


async def test_a_walk_nobody_is_interested_in_ends(
    rig: Rig, tree: MemoryTree, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "ADVANCE", 2 * STEP)
    for number in range(STEP):
        plant(tree, b"d/%03d/file" % number)
        plant(tree, b"e/%03d/file" % number)
        plant(tree, b"f/%03d/file" % number)
    await rig.names()
    monkeypatch.setattr("time.monotonic", lambda: 1e12)
    await trio.sleep(60)
    assert len(rig.catalog.nodes.unlisted(10_000)) == 2, "the walk got as far as the first of three"
    store.calls.clear()
    assert len(await rig.names(b"e")) == STEP
    assert store.calls["list"] == 1, "and is over"


@pytest.fixture
async def crowded(tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """A mount that keeps next to nothing waiting in memory."""
    monkeypatch.setattr(walks, "_MOST_WAITING", 50)
    async with mounted(tmp_path, store, cache_time=600.0) as rig:
        yield rig


async def test_what_has_to_wait_for_the_directory_above_does_not_pile_up(
    crowded: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    """The walk tells of a directory after all that is below it."""
    for number in range(3 * STEP):
        plant(tree, b"top/middle/%03d/file" % number)
    found = await find(crowded)
    assert len(found) == 2 + 2 * 3 * STEP
    assert store.calls["list"] < 10


async def test_a_walk_refreshes_nothing_that_is_newer(rig: Rig, tree: MemoryTree) -> None:
    plant(tree, b"a/b/file")
    held = Hold(answered=True)
    rig.plan.add("walk", held)
    await rig.names()
    assert await rig.names(b"a/b") == [b"file"]
    uproot(tree, b"a/b/file")
    directory(tree, b"a/b/new")
    held.gate.set()
    await trio.sleep(1)
    assert await rig.names(b"a/b") == [b"file"], "it was listed just now, and is fresh"


async def test_a_full_disk_ends_a_walk_and_nothing_else(
    tmp_path: Path, store: MemoryStore, tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    files = grow(tree, wide=3, deep=2)
    async with mounted(tmp_path, store, cache_time=600.0) as rig:
        hold = Hold()
        rig.plan.add("walk", hold)
        with trio.move_on_after(1):
            await rig.directories.known(ROOT)
        await hold.reached.wait()
        disk.full = True
        hold.gate.set()
        await trio.sleep(10)
        disk.full = False
        assert set(files) <= set(await find(rig))
