"""The store is asked for what is wanted in the end, not for the way there."""

from __future__ import annotations

import time

import pytest
import trio

from cloudfs.stores.base import Capabilities
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.vfs.attributes import Change
from cloudfs.vfs.namespace import EXCHANGE
from tests.writeback.rig import Rig
from tests.writeback.views import left_over, mount_view, store_view

NO_MOVES = Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM)


def spent(store: MemoryStore) -> dict[str, int]:
    """The calls that changed something, by method, but for those about the times of directories; starts anew."""
    calls = {method: number for method, number in store.calls.items() if method not in ("list", "stat", "usage")}
    store.calls.clear()
    return calls


def without_times(calls: dict[str, int]) -> dict[str, int]:
    return {method: number for method, number in calls.items() if method != "set_attributes"}


async def test_a_temporary_name_and_a_rename_are_one_put_under_the_final_name(
    rig: Rig, store: MemoryStore, tree: MemoryTree
) -> None:
    """What rsync does to every file."""
    await rig.create(b".name.Xy12", b"content")
    await rig.change(b".name.Xy12", Change(mtime_ns=12345, mode=0o640))
    await rig.rename(b".name.Xy12", b"name")
    await rig.drain()
    assert without_times(spent(store)) == {"put": 1}
    assert list(tree.root.children) == [b"name"]
    assert tree.root.children[b"name"].attributes.mtime_ns == 12345


async def test_the_same_over_a_stored_file_replaces_its_content_with_one_put(
    rig: Rig, store: MemoryStore, tree: MemoryTree
) -> None:
    await rig.create(b"name", b"old")
    await rig.drain()
    spent(store)
    await rig.create(b".name.Xy12", b"new")
    await rig.rename(b".name.Xy12", b"name")
    await rig.drain()
    assert without_times(spent(store)) == {"put": 1}
    assert tree.root.children[b"name"].content.read(0, 3) == b"new"


async def test_a_file_deleted_before_its_upload_costs_nothing(rig: Rig, store: MemoryStore) -> None:
    await rig.create(b"a", b"content")
    await rig.unlink(b"a")
    await rig.drain()
    assert without_times(spent(store)) == {}
    assert left_over(rig) == []


async def test_a_tree_deleted_before_its_upload_costs_nothing(rig: Rig, store: MemoryStore) -> None:
    await rig.mkdir(b"d")
    await rig.mkdir(b"d/e")
    await rig.create(b"d/e/a", b"content")
    await rig.unlink(b"d/e/a")
    await rig.rmdir(b"d/e")
    await rig.rmdir(b"d")
    await rig.drain()
    assert without_times(spent(store)) == {}
    assert left_over(rig) == []


async def test_ten_writes_are_one_put(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    await rig.make(b"a")
    for number in range(10):
        await rig.write(b"a", b"%d" % number, offset=number)
    await rig.drain()
    assert without_times(spent(store)) == {"put": 1}
    assert tree.root.children[b"a"].content.read(0, 10) == b"0123456789"


async def test_a_file_is_left_alone_while_it_is_written_again_and_again(rig: Rig, store: MemoryStore) -> None:
    await rig.make(b"a")
    for number in range(10):
        await rig.write(b"a", b"x", offset=number)
        await trio.sleep(0.5)
    assert store.calls["put"] == 0
    await rig.drain()
    assert store.calls["put"] == 1


async def test_content_and_attributes_go_together(rig: Rig, store: MemoryStore) -> None:
    await rig.create(b"a", b"content")
    await rig.drain()
    spent(store)
    await rig.write(b"a", b"another")
    await rig.change(b"a", Change(mode=0o600))
    await rig.change(b"a", Change(uid=7, mtime_ns=9))
    await rig.drain()
    assert spent(store) == {"put": 1}


async def test_moving_a_tree_that_was_not_sent_costs_nothing(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    await rig.mkdir(b"d")
    for name in (b"a", b"b", b"c"):
        await rig.create(b"d/" + name, name)
    await rig.rename(b"d", b"e")
    await rig.drain()
    assert without_times(spent(store)) == {"make_directory": 1, "put": 3}
    assert list(tree.root.children) == [b"e"]


async def _stored_tree(rig: Rig, store: MemoryStore, files: int = 5) -> None:
    await rig.mkdir(b"d")
    await rig.mkdir(b"d/inner")
    for number in range(files):
        await rig.create(b"d/inner/%d" % number, b"content %d" % number)
    await rig.drain()
    spent(store)


async def test_moving_a_stored_tree_is_one_move(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    await _stored_tree(rig, store)
    await rig.rename(b"d", b"e")
    await rig.drain()
    assert without_times(spent(store)) == {"move": 1}
    assert store_view(tree, hard_links=True) == await mount_view(rig)


@pytest.mark.parametrize("can", [NO_MOVES])
async def test_without_directory_moves_no_byte_is_sent_again(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    await _stored_tree(rig, store)
    sent = store.bytes_in
    await rig.rename(b"d", b"e")
    await rig.drain()
    assert without_times(spent(store)) == {"make_directory": 2, "move": 5, "delete": 2}
    assert store.bytes_in == sent
    assert store_view(tree, hard_links=False) == await mount_view(rig)


@pytest.mark.parametrize("can", [NO_MOVES])
async def test_deleting_a_moved_tree_turns_the_moves_into_deletes(
    rig: Rig, store: MemoryStore, tree: MemoryTree
) -> None:
    await _stored_tree(rig, store)
    await rig.rename(b"d", b"e")
    for number in range(5):
        await rig.unlink(b"e/inner/%d" % number)
    await rig.rmdir(b"e/inner")
    await rig.rmdir(b"e")
    await rig.drain()
    assert without_times(spent(store)) == {"delete": 7}
    assert tree.root.children == {}
    assert left_over(rig) == []


async def test_there_and_back_costs_nothing(rig: Rig, store: MemoryStore) -> None:
    await rig.create(b"a", b"content")
    await rig.drain()
    spent(store)
    await rig.rename(b"a", b"b")
    await rig.rename(b"b", b"a")
    await rig.drain()
    assert without_times(spent(store)) == {}


async def test_removed_and_made_again_a_directory_is_used_again(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    """``rm -r d; mkdir d``"""
    await _stored_tree(rig, store, files=1)
    await rig.unlink(b"d/inner/0")
    await rig.rmdir(b"d/inner")
    await rig.rmdir(b"d")
    await rig.mkdir(b"d")
    await rig.create(b"d/new", b"new")
    await rig.drain()
    assert store_view(tree, hard_links=True) == await mount_view(rig)
    calls = without_times(spent(store))
    assert calls == {"delete": 2, "put": 1}


async def test_a_removed_directory_does_not_stay_because_the_one_that_would_use_it_again_is_parked(
    rig: Rig, store: MemoryStore, tree: MemoryTree
) -> None:
    await _stored_tree(rig, store, files=1)
    await rig.unlink(b"d/inner/0")
    await rig.rmdir(b"d/inner")
    await rig.rmdir(b"d")
    directory = await rig.mkdir(b"d")
    with rig.catalog:
        link = rig.catalog.links.directory(directory.ino).id
        rig.catalog.pending.failed(link, time.time_ns() + 3600 * 10**9, "nobody knows why", parked=True)
    rig.catalog.pending.hasten_all(time.time_ns())
    rig.uploader.hurry()
    with trio.fail_after(60):
        while b"d" in tree.root.children:
            await rig.uploader.progressed()
    await rig.drain()
    assert without_times(spent(store)) == {"delete": 3, "make_directory": 1}
    assert store_view(tree, hard_links=True) == await mount_view(rig)


async def test_exchanging_two_stored_files_sends_no_byte(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    await rig.create(b"a", b"one")
    await rig.create(b"b", b"two")
    await rig.drain()
    sent = store.bytes_in
    spent(store)
    await rig.rename(b"a", b"b", EXCHANGE)
    assert (await rig.read(b"a"), await rig.read(b"b")) == (b"two", b"one")
    await rig.drain()
    assert without_times(spent(store)) == {"move": 3}
    assert store.bytes_in == sent
    assert store_view(tree, hard_links=True) == await mount_view(rig)
    assert sorted(tree.root.children) == [b"a", b"b"]


async def test_a_chain_of_renames_is_one_move_each(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    """``mv b c; mv a b``, as log rotation does it."""
    for name in (b"a", b"b"):
        await rig.create(name, b"was " + name)
    await rig.drain()
    spent(store)
    await rig.rename(b"b", b"c")
    await rig.rename(b"a", b"b")
    await rig.drain()
    assert without_times(spent(store)) == {"move": 2}
    assert {name: node.content.read(0, 5) for name, node in tree.root.children.items()} == {
        b"b": b"was a",
        b"c": b"was b",
    }


@pytest.mark.parametrize("can", [Capabilities(directory_move=True, attributes=True, checksum=ALGORITHM), NO_MOVES])
async def test_a_directory_takes_the_place_of_the_one_that_contained_it(
    rig: Rig, store: MemoryStore, tree: MemoryTree
) -> None:
    """``mv d/inner tmp; rmdir d; mv tmp d``"""
    await _stored_tree(rig, store)
    sent = store.bytes_in
    await rig.rename(b"d/inner", b"tmp")
    await rig.rmdir(b"d")
    await rig.rename(b"tmp", b"d")
    await rig.drain()
    assert store.bytes_in == sent
    assert sorted(tree.root.children[b"d"].children) == [b"0", b"1", b"2", b"3", b"4"]
    assert store_view(tree, hard_links=False) == await mount_view(rig)
    assert left_over(rig) == []


@pytest.mark.parametrize("can", [Capabilities(directory_move=True, attributes=True, checksum=ALGORITHM), NO_MOVES])
async def test_a_directory_goes_into_a_new_one_of_its_own_name(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    """``mkdir tmp; mv d tmp; mv tmp d``"""
    await _stored_tree(rig, store)
    sent = store.bytes_in
    await rig.mkdir(b"tmp")
    await rig.rename(b"d", b"tmp/d")
    await rig.rename(b"tmp", b"d")
    await rig.drain()
    assert store.bytes_in == sent
    assert store_view(tree, hard_links=False) == await mount_view(rig)
    assert left_over(rig) == []


async def test_a_directory_moves_into_the_one_it_contained_and_nothing_waits_for_ever(
    rig: Rig, store: MemoryStore, tree: MemoryTree
) -> None:
    await rig.mkdir(b"a")
    await rig.mkdir(b"a/b")
    await rig.create(b"a/b/c", b"c")
    await rig.drain()
    await rig.rename(b"a", b"old")
    await rig.rename(b"old/b", b"a")
    await rig.rename(b"a/c", b"old", EXCHANGE)
    await rig.drain()
    assert sorted(tree.root.children) == [b"a", b"old"]
    assert list(tree.root.children[b"a"].children) == [b"c"]
    assert tree.root.children[b"old"].content.read(0, 1) == b"c"
