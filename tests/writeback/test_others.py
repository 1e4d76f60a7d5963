"""Another client changed what this mount changes too: nothing of either is lost, and the uploader comes to an end.

The mount is not told by a listing: it finds out when it gets to the name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from cloudfs.errors import QuotaExceeded, StoreError, TooLarge, Unavailable
from cloudfs.stores.base import Capabilities
from cloudfs.stores.faults import Fault, Hold, Refuse
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.types import ROOT
from cloudfs.vfs.attributes import Change
from tests.writeback.another import AnotherClient
from tests.writeback.rig import Rig, mounted
from tests.writeback.views import left_over, store_view


@pytest.fixture
def other(tree: MemoryTree) -> AnotherClient:
    return AnotherClient(tree)


async def agreed(rig: Rig, tree: MemoryTree) -> dict[bytes, bytes]:
    """What both trees hold, once they are the same and nothing is left to do."""
    await rig.drain()
    rig.forget()
    assert left_over(rig) == []
    stored = store_view(tree, hard_links=True)
    assert {path for path in stored if b"/" not in path} == set(await rig.names())
    for path, row in stored.items():
        assert (await rig.resolve(path)).is_directory or await rig.read(path) == row.data
    return {path: row.data for path, row in stored.items()}


async def test_a_file_that_was_deleted_there_and_changed_here(rig: Rig, tree: MemoryTree, other: AnotherClient) -> None:
    await rig.create(b"a", b"old")
    await rig.drain()
    await other.delete(b"a")
    await rig.write(b"a", b"new")
    assert await agreed(rig, tree) == {b"a": b"new"}


async def test_a_file_that_was_deleted_there_and_got_another_mode_here(
    rig: Rig, tree: MemoryTree, other: AnotherClient
) -> None:
    await rig.create(b"a", b"old")
    await rig.drain()
    await other.delete(b"a")
    await rig.change(b"a", Change(mode=0o600))
    assert await agreed(rig, tree) == {}


async def test_a_file_that_was_deleted_there_and_renamed_here(rig: Rig, tree: MemoryTree, other: AnotherClient) -> None:
    """Its bytes are cached here."""
    await rig.create(b"a", b"old")
    await rig.drain()
    await other.delete(b"a")
    await rig.rename(b"a", b"b")
    assert await agreed(rig, tree) == {b"b": b"old"}


@pytest.mark.parametrize(
    "can",
    [EVERYTHING, Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM)],
    ids=["linked", "copied"],
)
async def test_a_file_that_was_deleted_there_and_got_another_name_here(
    rig: Rig, tree: MemoryTree, other: AnotherClient
) -> None:
    """Its bytes are cached here."""
    await rig.create(b"a", b"old")
    await rig.drain()
    await other.delete(b"a")
    await rig.link(b"a", b"b")
    assert await agreed(rig, tree) == {b"b": b"old"}


async def test_a_file_that_was_changed_there_and_renamed_here(rig: Rig, tree: MemoryTree, other: AnotherClient) -> None:
    """Only that it has another name is ours: the bytes are not those that are cached here."""
    await rig.create(b"a", b"old")
    await rig.drain()
    await other.put(b"a", b"theirs, which is longer")
    await rig.rename(b"a", b"b")
    await rig.drain()
    await listed_later(rig)
    assert await agreed(rig, tree) == {b"b": b"theirs, which is longer"}


async def test_a_file_that_was_changed_there_and_got_another_name_here(
    rig: Rig, tree: MemoryTree, other: AnotherClient
) -> None:
    await rig.create(b"a", b"old")
    await rig.drain()
    await other.delete(b"a")
    await other.put(b"a", b"theirs, which is longer")
    await rig.link(b"a", b"b")
    await rig.drain()
    await listed_later(rig)
    assert await agreed(rig, tree) == {b"a": b"theirs, which is longer", b"b": b"theirs, which is longer"}


async def listed_later(rig: Rig) -> None:
    """Return when the root has been listed again, after all that was done here is believed to be in a listing."""
    await trio.sleep(1000)
    await rig.directories.opened(ROOT)


async def test_a_file_that_was_deleted_on_both_sides(rig: Rig, tree: MemoryTree, other: AnotherClient) -> None:
    await rig.create(b"a", b"old")
    await rig.drain()
    await other.delete(b"a")
    await rig.unlink(b"a")
    assert await agreed(rig, tree) == {}


async def test_a_directory_that_was_deleted_there_and_written_into_here(
    rig: Rig, tree: MemoryTree, other: AnotherClient
) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/a", b"old")
    await rig.create(b"d/b", b"gone")
    await rig.drain()
    for path in (b"d/a", b"d/b", b"d"):
        await other.delete(path)
    await rig.write(b"d/a", b"new")
    assert await agreed(rig, tree) == {b"d": b"", b"d/a": b"new"}


async def test_a_file_that_was_changed_on_both_sides(rig: Rig, tree: MemoryTree, other: AnotherClient) -> None:
    await rig.create(b"a.txt", b"old")
    await rig.drain()
    await other.put(b"a.txt", b"theirs")
    await rig.write(b"a.txt", b"ours")
    found = await agreed(rig, tree)
    assert found.pop(b"a.txt") == b"theirs"
    ((name, data),) = found.items()
    assert name.startswith(b"a (conflict ")
    assert name.endswith(b").txt")
    assert data == b"ours"


async def test_a_name_that_was_made_on_both_sides(rig: Rig, tree: MemoryTree, other: AnotherClient) -> None:
    await rig.create(b"a", b"ours")
    await other.put(b"a", b"theirs")
    found = await agreed(rig, tree)
    assert found.pop(b"a") == b"theirs"
    assert list(found.values()) == [b"ours"]


async def test_a_name_that_was_made_there_is_not_replaced_by_a_rename_here(
    rig: Rig, tree: MemoryTree, other: AnotherClient
) -> None:
    await rig.create(b"a", b"ours")
    await rig.drain()
    await other.put(b"b", b"theirs")
    await rig.rename(b"a", b"b")
    found = await agreed(rig, tree)
    assert found.pop(b"b") == b"theirs"
    assert list(found.values()) == [b"ours"]


async def test_a_file_that_was_changed_there_and_deleted_here_comes_back(
    rig: Rig, tree: MemoryTree, other: AnotherClient
) -> None:
    await rig.create(b"a", b"old")
    await rig.drain()
    await other.put(b"a", b"theirs")
    await rig.unlink(b"a")
    assert await agreed(rig, tree) == {b"a": b"theirs"}


async def test_a_directory_that_was_filled_there_and_removed_here_comes_back(
    rig: Rig, tree: MemoryTree, other: AnotherClient
) -> None:
    await rig.mkdir(b"d")
    await rig.drain()
    await other.put(b"d/a", b"theirs")
    await rig.rmdir(b"d")
    await rig.drain()
    await rig.directories.known(ROOT)
    assert await agreed(rig, tree) == {b"d": b"", b"d/a": b"theirs"}


async def test_a_file_where_a_directory_was_removed_that_was_filled_there(
    rig: Rig, tree: MemoryTree, other: AnotherClient
) -> None:
    await rig.mkdir(b"d")
    await rig.drain()
    await other.put(b"d/a", b"theirs")
    await rig.rmdir(b"d")
    await rig.create(b"d", b"ours")
    await rig.drain()
    found = await agreed(rig, tree)
    assert (found.pop(b"d"), found.pop(b"d/a")) == (b"", b"theirs")
    ((name, data),) = found.items()
    assert name.startswith(b"d (conflict ")
    assert data == b"ours"


@pytest.mark.parametrize("event", ["renamed", "removed", "replaced"])
async def test_while_a_conflict_is_found_the_name(rig: Rig, tree: MemoryTree, other: AnotherClient, event: str) -> None:
    await rig.create(b"a", b"ours")
    await other.put(b"a", b"theirs")
    async with asking(rig, "stat"):
        if event == "renamed":
            await rig.rename(b"a", b"elsewhere")
        elif event == "removed":
            await rig.unlink(b"a")
        else:
            await rig.create(b"b", b"another")
            await rig.rename(b"b", b"a")
    found = await agreed(rig, tree)
    assert found.pop(b"a") == b"theirs"
    assert list(found.values()) == {"renamed": [b"ours"], "removed": [], "replaced": [b"another"]}[event]


@pytest.mark.parametrize("theirs", [b"theirs" * 100, b"another" * 1000, None])
async def test_a_file_that_is_not_in_the_cache_is_changed_on_both_sides(
    tmp_path: Path, store: MemoryStore, tree: MemoryTree, theirs: bytes | None
) -> None:
    """What was not written here cannot be had any more: that is told, theirs stays, and the uploader goes on."""
    async with mounted(tmp_path, store, cache_size=0) as rig:
        await rig.create(b"a", b"before" * 100)
        await rig.drain()
        await rig.write(b"a", b"ours", 5)
        other = AnotherClient(tree)
        if theirs is None:
            await other.delete(b"a")
        else:
            await other.put(b"a", theirs)
        with trio.fail_after(100):
            while not any(link.parked for link in rig.pending()):
                rig.hasten()
                with trio.move_on_after(1):
                    await rig.uploader.progressed()
        (parked,) = rig.pending()
        assert "changed or deleted elsewhere" in parked.reason
        assert theirs is None or await rig.read(b"a") == theirs
        assert parked.name is not None and (parked.name == b"a") == (theirs is None)
        await rig.truncate(parked.name, 0)
        await rig.write(parked.name, b"all of it")
        await rig.drain()
        assert await rig.read(parked.name) == b"all of it"


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_is_to_be_copied_was_changed_by_others(tmp_path: Path, tree: MemoryTree, deleted: bool) -> None:
    """Of a file with two names, on a store without hard links."""
    store = MemoryStore(tree, dataclasses.replace(EVERYTHING, hard_links=False))
    async with mounted(tmp_path, store) as rig:
        await rig.create(b"a", b"ours")
        await rig.drain()
        await rig.link(b"a", b"b")
        other = AnotherClient(tree)
        await (other.delete(b"a") if deleted else other.put(b"a", b"theirs"))
        await rig.drain()
        assert await rig.read(b"b") == b"ours"
        assert deleted or await rig.read(b"a") == b"theirs"


async def test_a_file_is_replaced_while_its_first_upload_is_under_way(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"a")
    async with asking(rig, "put"):
        await rig.create(b"b", b"b")
        await rig.rename(b"b", b"a")
    assert await agreed(rig, tree) == {b"a": b"b"}


async def test_a_file_is_removed_while_its_first_upload_is_under_way(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"a")
    async with asking(rig, "put"):
        await rig.unlink(b"a")
    assert await agreed(rig, tree) == {}


@pytest.mark.parametrize("error", [QuotaExceeded("full"), TooLarge("too large"), Unavailable("away")])
async def test_a_file_is_removed_while_its_first_upload_fails(rig: Rig, tree: MemoryTree, error: StoreError) -> None:
    await rig.create(b"a", b"a")
    async with asking(rig, "put", Refuse(error)):
        await rig.unlink(b"a")
    assert await agreed(rig, tree) == {}


@asynccontextmanager
async def asking(rig: Rig, method: str, answer: Fault | None = None) -> AsyncIterator[None]:
    """The block happens while the store is asked for something, and has not answered yet."""
    hold = Hold(then=answer)
    rig.plan.add(method, hold)
    rig.hasten()
    await hold.reached.wait()
    yield
    hold.gate.set()
