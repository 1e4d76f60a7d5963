"""Directories that are removed, here or by others, while somebody is in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from cloudfs.errors import NotFound, Unavailable
from cloudfs.stores.base import Location, Page
from cloudfs.stores.faults import Hold
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import ROOT
from tests.vfs.planting import plant, uproot
from tests.writeback.rig import Rig, mounted


@pytest.fixture
async def rig(tmp_path: Path, store: MemoryStore) -> AsyncIterator[Rig]:
    async with mounted(tmp_path, store, cache_time=10.0) as rig:
        yield rig


async def removed(rig: Rig) -> int:
    """A directory that was listed, and is gone, here and at the store; the kernel goes on knowing it."""
    ino = (await rig.mkdir(b"d")).ino
    await rig.drain()
    await rig.directories.opened(ino)
    await rig.fs.rmdir(*await rig.place(b"d"))
    await rig.drain()
    return int(ino)


async def vanish(rig: Rig, tree: MemoryTree, name: bytes) -> None:
    """Another client removes a directory, and that is seen here."""
    uproot(tree, name)
    await trio.sleep(30)
    await rig.directories.fresh(ROOT)


async def test_a_working_directory_that_was_removed_is_not_refreshed(rig: Rig) -> None:
    await removed(rig)
    with trio.move_on_after(60):
        await rig.directories.follow()


async def test_a_working_directory_that_was_removed_is_empty(rig: Rig) -> None:
    ino = await removed(rig)
    await trio.sleep(60)
    await rig.directories.opened(ino)
    assert list(rig.catalog.links.children(ino, 0, 10)) == []
    assert rig.fs.parent_of(ino).ino == ino


async def test_while_it_is_refreshed(rig: Rig, tree: MemoryTree) -> None:
    await rig.mkdir(b"d")
    ino = (await rig.mkdir(b"d/e")).ino
    await rig.drain()
    await rig.directories.opened(ino)
    await trio.sleep(30)
    hold = Hold()
    rig.plan.add("list", hold, path=b"d/e")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.directories.follow)
        await hold.reached.wait()
        await vanish(rig, tree, b"d")
        hold.gate.set()
        await trio.sleep(30)
        nursery.cancel_scope.cancel()


async def test_what_is_listed_of_it_goes_nowhere(rig: Rig, tree: MemoryTree) -> None:
    for number in range(3):
        plant(tree, b"d/%d" % number)
    ino = (await rig.resolve(b"d")).ino
    hold = Hold(answered=True)
    rig.plan.add("list", hold, path=b"d")

    async def look() -> None:
        with pytest.raises(NotFound):
            await rig.directories.known(ino)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await hold.reached.wait()
        await vanish(rig, tree, b"d")
        hold.gate.set()
    assert rig.catalog.links.names_in(ino) == []


async def test_under_its_reader(rig: Rig, tree: MemoryTree) -> None:
    for number in range(4):
        plant(tree, b"d/%d" % number, b"x" * 100)
    plant(tree, b"d/sub/file", b"x" * 100)
    hold = Hold()
    rig.plan.add("list", hold, path=b"d/sub")
    for number in range(4):
        await rig.read(b"d/%d" % number)
        await trio.sleep(0.1)
    with trio.fail_after(5):
        await hold.reached.wait()
    await vanish(rig, tree, b"d")
    rig.forget()
    hold.gate.set()
    await trio.sleep(1)


async def test_while_the_tree_is_explored(rig: Rig, tree: MemoryTree) -> None:
    for name in (b"a", b"b", b"c"):
        plant(tree, name + b"/file")
    await rig.directories.known(ROOT)
    hold = Hold()
    rig.plan.add("list", hold, path=b"a")
    rig.directories.explore()
    with trio.fail_after(5):
        await hold.reached.wait()
    await vanish(rig, tree, b"b")
    hold.gate.set()
    await trio.sleep(1)


class Rootless(MemoryStore):
    """Somebody has deleted the container."""

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        self.calls["list"] += 1
        raise NotFound("there is no such container")


async def test_a_root_that_the_store_does_not_have_is_no_endless_search(tmp_path: Path, tree: MemoryTree) -> None:
    store = Rootless(tree)
    async with mounted(tmp_path, store) as rig:
        with pytest.raises(Unavailable, match="does not have the directory"):
            await rig.directories.known(ROOT)
    assert store.calls["list"] == 1
