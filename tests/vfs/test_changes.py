"""A store that tells what changed: others' changes show without a listing, and by identity."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from cloudfs.catalog.recent import LAG
from cloudfs.stores.base import Capabilities
from cloudfs.stores.faults import Hold, Refuse, Weather
from cloudfs.stores.memory.feed import MemoryFeed
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree, Name
from cloudfs.types import ROOT
from cloudfs.vfs.attributes import Change as AttributeChange
from tests.vfs.planting import directory, plant, uproot
from tests.writeback.full_disk import FullDisk
from tests.writeback.rig import Rig, mounted

POLL = 150.0
"""Seconds; a quarter of the cache time."""


@pytest.fixture
def can() -> Capabilities:
    return replace(EVERYTHING, stable_identities=True, hard_links=False)


def move(tree: MemoryTree, old: bytes, new: bytes) -> None:
    """As another client does."""
    above, _, name = old.rpartition(b"/")
    to, _, new_name = new.rpartition(b"/")
    tree.move(Name(directory(tree, above), name), Name(directory(tree, to), new_name))


async def everything(rig: Rig, path: bytes = b"") -> list[bytes]:
    """Every path, as the catalogue has it."""
    found = []
    for name in await rig.names(path):
        inner = b"%b/%b" % (path, name) if path else name
        found.append(inner)
        if (await rig.resolve(inner)).is_directory:
            found += await everything(rig, inner)
    return found


@pytest.fixture
async def knowing(tmp_path: Path, tree: MemoryTree, store: MemoryStore) -> AsyncIterator[Rig]:
    """A mount that knows all of a small tree, and has done nothing to it for long."""
    for path in (b"a/one", b"a/two", b"b/three", b"b/c/four"):
        plant(tree, path, path)
    async with mounted(tmp_path, store, cache_time=4 * POLL) as rig:
        await trio.sleep(1)
        await everything(rig)
        await trio.sleep(POLL)
        store.calls.clear()
        yield rig


async def poll(store: MemoryStore) -> None:
    """Return when the mount has asked for news; it must not have asked for anything else."""
    await trio.sleep(POLL + 1)
    assert set(store.calls) <= {"changes"}, store.calls


async def test_what_others_make(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    plant(tree, b"a/new", b"theirs")
    directory(tree, b"b/d")
    await poll(store)
    assert sorted(await everything(knowing)) == [
        b"a",
        b"a/new",
        b"a/one",
        b"a/two",
        b"b",
        b"b/c",
        b"b/c/four",
        b"b/d",
        b"b/three",
    ]
    assert await knowing.read(b"a/new") == b"theirs"


async def test_what_others_change_gets_a_new_inode(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    before = (await knowing.resolve(b"a/one")).ino
    rewrite(tree, b"a/one", b"theirs")
    await poll(store)
    assert (await knowing.resolve(b"a/one")).ino != before
    assert await knowing.read(b"a/one") == b"theirs"


async def test_what_others_delete(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    uproot(tree, b"a/one")
    await poll(store)
    assert await knowing.names(b"a") == [b"two"]


async def test_what_others_move_keeps_its_inode(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    before = (await knowing.resolve(b"a/one")).ino
    move(tree, b"a/one", b"b/moved")
    await poll(store)
    assert await knowing.names(b"a") == [b"two"]
    assert (await knowing.resolve(b"b/moved")).ino == before
    assert await knowing.read(b"b/moved") == b"a/one"
    assert [(stale.parent, stale.name) for stale in knowing.stale if stale.name in (b"one", b"moved")]


async def test_a_directory_takes_along_what_is_in_it(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    before = (await knowing.resolve(b"b/c/four")).ino
    move(tree, b"b/c", b"a/d")
    await poll(store)
    assert await everything(knowing, b"a") == [b"a/d", b"a/d/four", b"a/one", b"a/two"]
    assert await knowing.names(b"b") == [b"three"]
    assert (await knowing.resolve(b"a/d/four")).ino == before
    assert [(await knowing.resolve(path)).nlink for path in (b"a", b"b")] == [3, 2]


async def test_names_that_change_places(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    one, two = [(await knowing.resolve(path)).ino for path in (b"a/one", b"a/two")]
    move(tree, b"a/one", b"aside")
    move(tree, b"a/two", b"a/one")
    move(tree, b"aside", b"a/two")
    await poll(store)
    assert [(await knowing.resolve(path)).ino for path in (b"a/two", b"a/one")] == [one, two]


async def test_what_is_moved_out_of_a_deleted_directory_stays(
    knowing: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    move(tree, b"b/c/four", b"four")
    uproot(tree, b"b/c")
    await poll(store)
    assert b"four" in await knowing.names()
    assert await knowing.names(b"b") == [b"three"]
    assert await knowing.read(b"four") == b"b/c/four"


async def test_what_is_moved_into_a_new_directory(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    directory(tree, b"new")
    move(tree, b"a/one", b"new/one")
    await poll(store)
    assert await knowing.names(b"new") == [b"one"]


def rewrite(tree: MemoryTree, path: bytes, data: bytes) -> None:
    """As another client does."""
    above, _, name = path.rpartition(b"/")
    node = directory(tree, above).children[name]
    tree.rewrite(node, node.attributes, plant(MemoryTree(), b"x", data).content)


async def shown(rig: Rig, path: bytes) -> dict[bytes, bytes]:
    """What a program sees that lists a directory and reads what is in it."""
    await rig.directories.opened((await rig.resolve(path)).ino)
    return {name: await rig.read(b"%b/%b" % (path, name)) for name in await rig.names(path)}


def held(tree: MemoryTree, path: bytes) -> dict[bytes, bytes]:
    """What the store has in a directory."""
    return {name: node.content.read(0, node.content.size) for name, node in directory(tree, path).children.items()}


async def test_what_is_moved_over_another_whose_name_is_new_again(
    knowing: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    """As programs do that keep a backup, told in the wrong order."""
    inode = (await knowing.resolve(b"a/one")).ino
    move(tree, b"a/one", b"a/two")
    plant(tree, b"a/one", b"new")
    tree.touch(directory(tree, b"a").children[b"two"])
    await poll(store)
    assert await shown(knowing, b"a") == {b"one": b"new", b"two": b"a/one"}
    assert (await knowing.resolve(b"a/two")).ino == inode


@pytest.fixture
async def displaced(knowing: Rig, tree: MemoryTree) -> Rig:
    """Others moved a file to a name that is ours already, and another one to its old name."""
    knowing.plan.add("put", Refuse(), times=1000)
    await knowing.create(b"a/three", b"ours")
    move(tree, b"a/one", b"a/three")
    plant(tree, b"a/one", b"new")
    tree.touch(directory(tree, b"a").children[b"three"])
    await knowing.directories._changes.ask()  # type: ignore[union-attr]
    return knowing


async def test_what_has_no_place_for_a_moment_stays_readable(displaced: Rig) -> None:
    assert await displaced.names(b"a") == [b"one", b"one (moved 1)", b"three", b"two"]
    assert await displaced.read(b"a/one (moved 1)") == b"a/one"
    assert await displaced.read(b"a/three") == b"ours"


async def test_what_has_no_place_for_a_moment_gets_it_from_the_next_listing(displaced: Rig, tree: MemoryTree) -> None:
    await shown(displaced, b"a")
    displaced.plan.clear()
    await displaced.drain()
    found = await shown(displaced, b"a")
    assert found == held(tree, b"a")
    assert (found.pop(b"one"), found.pop(b"two"), found.pop(b"three")) == (b"new", b"a/two", b"a/one")
    ((name, data),) = found.items()
    assert name.startswith(b"three (conflict ")
    assert data == b"ours"


async def test_what_has_no_place_for_a_moment_is_not_renamed_at_the_store(displaced: Rig, tree: MemoryTree) -> None:
    await displaced.change(b"a/one (moved 1)", AttributeChange(mode=0o600))
    displaced.plan.clear()
    await displaced.drain()
    stored = directory(tree, b"a").children
    assert not [name for name in stored if b"moved" in name]
    assert stored[b"three"].attributes.mode & 0o777 == 0o600


async def test_what_has_no_place_for_a_moment_is_written_to(displaced: Rig, tree: MemoryTree) -> None:
    """Nothing of it is lost, whatever it is called, and everything else is as it was."""
    await displaced.write(b"a/one (moved 1)", b"ours too!")
    displaced.plan.clear()
    await displaced.drain()
    found = await shown(displaced, b"a")
    assert sorted(found.values()) == [b"a/one", b"a/two", b"new", b"ours", b"ours too!"]
    assert found == held(tree, b"a")


@pytest.mark.parametrize(("long", "kept"), [(b"x" * 255, 215), ("\N{EURO SIGN}".encode() * 85, 213)])
async def test_a_name_for_what_has_no_place_is_a_name_that_is_free(
    tmp_path: Path, tree: MemoryTree, store: MemoryStore, long: bytes, kept: int
) -> None:
    first, second = long[:kept] + b" (moved 1)", long[:kept] + b" (moved 2)"
    for name in (long, first):
        plant(tree, b"a/" + name, name)
    async with mounted(tmp_path, store, cache_time=4 * POLL) as rig:
        await trio.sleep(1)
        await everything(rig)
        await trio.sleep(POLL)
        rig.plan.add("put", Refuse(), times=1000)
        await rig.create(b"a/two", b"ours")
        move(tree, b"a/" + long, b"a/two")
        plant(tree, b"a/" + long, b"new")
        tree.touch(directory(tree, b"a").children[b"two"])
        await rig.directories._changes.ask()  # type: ignore[union-attr]
        assert set(await rig.names(b"a")) == {long, first, second, b"two"}
        assert await rig.read(b"a/" + second) == long


@pytest.mark.parametrize("moved", [False, True])
async def test_what_others_put_into_a_directory_that_was_removed_here(
    knowing: Rig, tree: MemoryTree, *, moved: bool
) -> None:
    await knowing.unlink(b"b/c/four")
    await knowing.drain()
    await trio.sleep(400)
    await knowing.rmdir(b"b/c")
    if moved:
        move(tree, b"a/one", b"b/c/theirs")
    else:
        plant(tree, b"b/c/theirs")
    await knowing.directories._changes.ask()  # type: ignore[union-attr]
    await knowing.drain()
    assert b"b/c/theirs" in await everything(knowing)
    assert (b"a/one" in await everything(knowing)) != moved


@pytest.mark.parametrize("deleted", [True, False])
async def test_what_others_do_to_a_file_that_we_are_just_changing(
    knowing: Rig, tree: MemoryTree, *, deleted: bool
) -> None:
    """The feed tells it once."""
    hold = Hold(answered=True)
    knowing.plan.add("set_attributes", hold)
    await knowing.change(b"a/one", AttributeChange(mode=0o600))
    knowing.hasten()
    await hold.reached.wait()
    if deleted:
        uproot(tree, b"a/one")
    else:
        rewrite(tree, b"a/one", b"theirs")
    await knowing.directories._changes.ask()  # type: ignore[union-attr]
    hold.gate.set()
    await knowing.drain()
    await trio.sleep(LAG)
    theirs = {} if deleted else {b"one": b"theirs"}
    assert await shown(knowing, b"a") == {**theirs, b"two": b"a/two"}


async def test_a_directory_that_is_moved_out_of_sight_while_we_work_in_it(
    knowing: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    """The feed tells it once, and too early."""
    await knowing.read(b"b/c/four")
    hold = Hold(then=Refuse())
    knowing.plan.add("move", hold)
    await knowing.rename(b"b/c/four", b"four")
    knowing.hasten()
    await hold.reached.wait()
    uproot(tree, b"b/c/four")
    directory(tree, b"elsewhere")
    move(tree, b"b", b"elsewhere/b")
    uproot(tree, b"elsewhere")  # which is not mounted
    await knowing.directories._changes.ask()  # type: ignore[union-attr]
    hold.gate.set()
    await knowing.drain()
    await trio.sleep(LAG)
    await knowing.directories.opened(ROOT)
    await knowing.drain()
    assert await everything(knowing) == [b"a", b"a/one", b"a/two", b"four"]
    assert list(tree.root.children) == [b"a", b"four"]
    assert await knowing.read(b"four") == b"b/c/four"


async def test_a_file_we_changed_meanwhile_keeps_both(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    rewrite(tree, b"a/one", b"theirs")
    await knowing.write(b"a/one", b"our own")
    await trio.sleep(POLL + 1)
    await knowing.drain()
    names = await knowing.names(b"a")
    assert len(names) == 3
    assert sorted([await knowing.read(b"a/" + name) for name in names]) == [b"a/two", b"our own", b"theirs"]


async def test_a_file_that_moved_while_we_wrote_is_stored_where_it_is(
    knowing: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    move(tree, b"a/one", b"b/moved")
    await knowing.write(b"a/one", b"our own")
    await knowing.directories._changes.ask()  # type: ignore[union-attr]
    await knowing.drain()
    assert await knowing.read(b"b/moved") == b"our own"
    assert directory(tree, b"b").children[b"moved"].content.read(0, 7) == b"our own"


async def test_our_own_changes_are_no_news(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    inos = [(await knowing.resolve(path)).ino for path in (b"a/one", b"b/c")]
    await knowing.write(b"a/one", b"our own")
    await knowing.rename(b"b/c", b"a/d")
    await knowing.create(b"a/mine", b"mine")
    await knowing.unlink(b"a/two")
    await knowing.drain()
    await trio.sleep(2 * POLL)
    assert sorted(await everything(knowing)) == [b"a", b"a/d", b"a/d/four", b"a/mine", b"a/one", b"b", b"b/three"]
    assert [(await knowing.resolve(path)).ino for path in (b"a/one", b"a/d")] == inos
    assert knowing.pending() == []


async def test_directories_are_not_listed_again(knowing: Rig, store: MemoryStore) -> None:
    await trio.sleep(100 * POLL)
    for path in (b"", b"a", b"b"):
        await knowing.directories.opened((await knowing.resolve(path)).ino)
    assert set(store.calls) == {"changes"}


async def test_many_changes_come_in_parts_and_none_is_lost(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    """Another client writes more than an answer holds; what this mount has not sent of the same files is kept."""
    await knowing.write(b"a/one", b"ours, not sent")
    knowing.plan.weather = Weather.OFFLINE
    for number in range(2_500):
        plant(tree, b"b/%d" % number, b"theirs")
    uproot(tree, b"a/one")
    uproot(tree, b"a/two")
    await trio.sleep(POLL + 1)
    knowing.plan.clear()
    store.calls.clear()
    await trio.sleep(POLL + 1)
    assert store.calls["changes"] >= 3
    assert store.calls["list"] == 0
    assert len(await knowing.names(b"b")) == 2_502
    assert await knowing.names(b"a") == [b"one"]
    knowing.hasten()
    await knowing.drain()
    assert await knowing.read(b"a/one") == b"ours, not sent"
    assert list(directory(tree, b"a").children) == [b"one"]


async def test_a_cursor_that_is_too_old_lists_everything_again(
    knowing: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    assert isinstance(store.feed, MemoryFeed)
    plant(tree, b"a/new", b"theirs")
    uproot(tree, b"b/three")
    store.feed.forget()
    await trio.sleep(POLL + 1)
    for path in (b"a", b"b"):
        await knowing.directories.opened((await knowing.resolve(path)).ino)
    assert await knowing.names(b"a") == [b"new", b"one", b"two"]
    assert await knowing.names(b"b") == [b"c"]


async def test_what_happened_while_not_mounted(tmp_path: Path, tree: MemoryTree, store: MemoryStore) -> None:
    plant(tree, b"a/one", b"one")
    async with mounted(tmp_path, store, cache_time=4 * POLL) as rig:
        await trio.sleep(1)
        await everything(rig)
    move(tree, b"a/one", b"two")
    store.calls.clear()
    async with mounted(tmp_path, store, cache_time=4 * POLL) as rig:
        await trio.sleep(1)
        assert await everything(rig) == [b"a", b"two"]
        assert store.calls["list"] == 0


async def test_a_listing_from_before_the_first_cursor_is_not_believed_for_ever(
    tmp_path: Path, tree: MemoryTree, store: MemoryStore
) -> None:
    plant(tree, b"one")
    async with mounted(tmp_path, store, cache_time=4 * POLL) as rig:
        held = Hold()
        rig.plan.add("changes", held)
        assert await rig.names() == [b"one"]
        plant(tree, b"two")
        await held.reached.wait()
        held.gate.set()
        await trio.sleep(1)
        await rig.directories.opened(ROOT)
        assert await rig.names() == [b"one", b"two"]


async def test_without_news_directories_are_listed_as_ever(knowing: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    plant(tree, b"a/new")
    knowing.plan.add("changes", Refuse(), times=100)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(knowing.directories.follow)
        await trio.sleep(6 * POLL)
        nursery.cancel_scope.cancel()
    assert b"new" in await knowing.names(b"a")


async def test_it_notices_that_the_store_is_away_and_back(knowing: Rig) -> None:
    knowing.plan.weather = Weather.OFFLINE
    await trio.sleep(POLL + 1)
    assert knowing.health.away
    knowing.plan.clear()
    await trio.sleep(POLL + 1)
    assert not knowing.health.away


async def test_what_changed_while_the_disk_was_full_shows_when_there_is_room_again(
    knowing: Rig, tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    disk.full = True
    plant(tree, b"a/three")
    await trio.sleep(2 * POLL)
    disk.full = False
    await trio.sleep(2 * POLL)
    assert b"a/three" in await everything(knowing)
