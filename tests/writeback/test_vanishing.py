"""Directories that are removed, here or by others, while somebody is in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from cloudfs.errors import NotFound, Unavailable
from cloudfs.stores.base import Location, Page
from cloudfs.stores.faults import Hold, Refuse
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import ROOT
from tests.vfs.planting import plant, uproot
from tests.writeback.rig import Rig, mounted
from tests.writeback.views import left_over, mount_view, store_view


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


async def test_somebody_puts_a_file_in_while_it_is_listed_and_removed_here(rig: Rig, tree: MemoryTree) -> None:
    ino = (await rig.mkdir(b"d")).ino
    await rig.drain()
    await rig.directories.opened(ino)
    await trio.sleep(400)
    plant(tree, b"d/theirs")
    hold = Hold(answered=True)
    rig.plan.add("list", hold, path=b"d")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.directories._refresh_quietly, ino)
        await hold.reached.wait()
        rig.fs.namespace.rmdir(ROOT, b"d")
        hold.gate.set()
    rig.forget()
    await rig.drain()
    assert await rig.names(b"d") == [b"theirs"]
    assert await rig.read(b"d/theirs") == b"content"


async def unanswered(rig: Rig, tree: MemoryTree, method: str, *gone: bytes, listed_first: bool) -> None:
    """Others delete what we are just moving or deleting, and the directories around it; nobody knows what we did.

    It is seen that the directories are gone before the store turns out to be away, or after.
    """
    hold = Hold(then=Refuse(Unavailable("away")))
    rig.plan.add(method, hold)
    rig.hasten()
    await hold.reached.wait()
    for path in gone:
        uproot(tree, path)
    if listed_first:
        await rig.directories._list(ROOT)
        hold.gate.set()
    else:
        hold.gate.set()
        await rig.uploader.progressed()
        await rig.directories._list(ROOT)
    await rig.drain()
    await rig.directories._list(ROOT)
    await rig.drain()


@pytest.mark.parametrize("listed_first", [True, False])
@pytest.mark.parametrize("inside", [[], [b"new"]], ids=["empty", "with something new in it"])
async def test_while_a_file_is_being_moved_out_of_it(
    rig: Rig, tree: MemoryTree, inside: list[bytes], *, listed_first: bool
) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/f", b"moved")
    await rig.drain()
    await trio.sleep(400)
    await rig.rename(b"d/f", b"f")
    for name in inside:
        rig.plan.add("put", Refuse(), times=3)
        await rig.create(b"d/" + name, b"new")
    await unanswered(rig, tree, "move", b"d/f", b"d", listed_first=listed_first)
    assert await rig.read(b"f") == b"moved"
    assert await mount_view(rig) == store_view(tree, hard_links=True)
    assert [path for path in await mount_view(rig) if path != b"f"] == ([b"d", b"d/new"] if inside else [])
    assert left_over(rig) == []


async def test_while_a_file_is_being_moved_out_from_deep_inside(rig: Rig, tree: MemoryTree) -> None:
    """Neither directory comes back, here or there."""
    await rig.mkdir(b"d")
    await rig.mkdir(b"d/e")
    await rig.create(b"d/e/f", b"moved")
    await rig.drain()
    await trio.sleep(400)
    await rig.rename(b"d/e/f", b"f")
    await unanswered(rig, tree, "move", b"d/e/f", b"d/e", b"d", listed_first=True)
    assert list(tree.root.children) == [b"f"]
    assert await rig.names() == [b"f"]
    assert await rig.read(b"f") == b"moved"


@pytest.mark.parametrize("listed_first", [True, False])
async def test_while_a_file_in_it_is_being_deleted(rig: Rig, tree: MemoryTree, *, listed_first: bool) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/f", b"content")
    await rig.drain()
    await trio.sleep(400)
    await rig.unlink(b"d/f")
    await unanswered(rig, tree, "delete", b"d/f", b"d", listed_first=listed_first)
    assert await rig.names() == []
    rig.forget()
    assert left_over(rig) == []


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
