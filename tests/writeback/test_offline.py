"""The store is away, full or unwilling: nothing is dropped, nothing spins, and the rest goes on."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

import pytest
import trio

from cloudfs.errors import AccessDenied, NameRefused, NotFound, QuotaExceeded, StoreReadOnly, Unavailable
from cloudfs.stores.base import Capabilities
from cloudfs.stores.faults import Refuse, Weather
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.vfs.attributes import Change
from cloudfs.vfs.namespace import EXCHANGE
from cloudfs.writeback.discard import Discard
from cloudfs.writeback.health import State
from tests.writeback.rig import SYMLINK, Rig, mounted
from tests.writeback.views import left_over, mount_view, store_view

pytestmark = pytest.mark.timeout(60)


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


NIGHTS = {
    "everything": EVERYTHING,
    "no moves of directories, no links": Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM),
    "named by id": Capabilities(stable_identities=True, directory_move=True, attributes=True, checksum=ALGORITHM),
    "nothing but files": Capabilities(attributes=True, checksum=ALGORITHM),
}


@pytest.mark.parametrize("can", NIGHTS.values(), ids=NIGHTS)
async def test_a_whole_night_of_backups_without_a_network(tmp_path: Path, store: MemoryStore, tree: MemoryTree) -> None:
    """What tar, rsync, cp -al, mv and rm do to what was stored before and to what is new."""
    async with mounted(tmp_path / "first", store, cache_time=600.0) as rig:
        for number in range(3):
            await _snapshot(rig, b"day%d" % number, number)
        await rig.drain()
        rig.plan.weather = Weather.OFFLINE
        await _snapshot(rig, b"day3", 3)
        await _rotate(rig, 4)
        await rig.rename(b"day3", b"kept")
        await _snapshot(rig, b"day3", 4)
        await _remove(rig, b"day0")
        await rig.rename(b"kept/d/e", b"day1/d/moved")
        await rig.rename(b"day1/d", b"kept/d", EXCHANGE)
        await trio.sleep(8 * 3600)
        wanted = await mount_view(rig)
        rig.plan.clear()
        rig.hasten()
        await rig.drain()
        assert await mount_view(rig) == wanted
        assert store_view(tree, hard_links=store.capabilities.hard_links) == wanted
        await trio.sleep(600)
        assert left_over(rig) == []
    async with mounted(tmp_path / "second", store) as rig:
        assert await mount_view(rig) == wanted


async def _snapshot(rig: Rig, name: bytes, number: int) -> None:
    """As rsync writes it: under temporary names, the times of directories last."""
    for directory in (b"", b"/d", b"/d/e"):
        await rig.mkdir(name + directory)
    for file in range(8):
        directory = [b"/", b"/d/", b"/d/e/"][file % 3]
        temporary, final = name + directory + b".f%d.X" % file, name + directory + b"f%d" % file
        await rig.create(temporary, b"%d of %d " % (file, number) * 500)
        await rig.change(temporary, Change(mode=0o640, mtime_ns=10**18 + file))
        await rig.rename(temporary, final)
    await rig.link(name + b"/f0", name + b"/d/again")
    for directory in (b"/d/e", b"/d", b""):
        await rig.change(name + directory, Change(mtime_ns=10**18 + number))


async def _rotate(rig: Rig, count: int) -> None:
    """As cp -al and mv do: every file has another name."""
    for path, row in (await mount_view(rig)).items():
        if path == b"day%d" % (count - 1) or path.startswith(b"day%d/" % (count - 1)):
            target = b"linked" + path[4:]
            await (rig.mkdir(target) if stat.S_ISDIR(row.mode) else rig.link(path, target))


async def _remove(rig: Rig, name: bytes) -> None:
    for path, row in sorted((await mount_view(rig)).items(), reverse=True):
        if path == name or path.startswith(name + b"/"):
            await (rig.rmdir(path) if stat.S_ISDIR(row.mode) else rig.unlink(path))


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


@pytest.mark.parametrize("can", [NIGHTS["nothing but files"]])
@pytest.mark.parametrize("kind", ["full", "empty", "symlink", "link"])
async def test_a_store_that_once_misses_what_is_there_loses_nothing(rig: Rig, tree: MemoryTree, kind: str) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/a", b"content")
    await rig.drain()
    if kind == "symlink":
        await rig.make(b"d/b", SYMLINK, b"target")
    elif kind == "link":
        await rig.link(b"d/a", b"d/b")
    else:
        await rig.create(b"d/b", b"bytes" if kind == "full" else b"")
    rig.plan.add("put", Refuse(NotFound("not yet")))
    await rig.drain()
    assert await rig.names(b"d") == [b"a", b"b"]
    assert store_view(tree, hard_links=False) == await mount_view(rig)


async def refused(rig: Rig, name: bytes) -> None:
    """Return when the store has refused a new file, because it is read-only for a while."""
    rig.plan.add("put", Refuse(StoreReadOnly("for maintenance")))
    await rig.create(name, b"content")
    rig.hasten()
    while rig.health.state is not State.READ_ONLY or rig.uploader.is_working():
        await rig.uploader.progressed()


async def test_a_store_that_is_not_read_only_any_more_is_written_to(rig: Rig, tree: MemoryTree) -> None:
    await refused(rig, b"a")
    with pytest.raises(StoreReadOnly):
        await rig.create(b"b")
    await trio.sleep(1000)
    await rig.create(b"b", b"content")
    await rig.drain()
    assert set(tree.root.children) == {b"a", b"b"}


async def test_a_store_from_which_nothing_is_left_to_be_asked_does_not_stay_read_only(
    rig: Rig, tree: MemoryTree
) -> None:
    await refused(rig, b"a")
    await Discard(rig.catalog, rig.store, rig.staging, rig.merging, rig.stale.append).discard(
        [row.id for row in rig.pending()]
    )
    with pytest.raises(StoreReadOnly):
        await rig.create(b"b")
    await trio.sleep(1000)
    await rig.create(b"b", b"content")
    await rig.drain()
    assert list(tree.root.children) == [b"b"]


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


async def test_when_everything_is_stored_the_store_is_back(rig: Rig) -> None:
    """Whoever waited for the upload finds the mount on line, also while what was sent is still being put away."""
    await rig.create(b"file", b"content")
    await rig.drain()
    rig.plan.weather = Weather.SIGNED_OUT
    await rig.write(b"file", b"changed")
    while rig.health.state is not State.SIGN_IN_REQUIRED:
        await rig.uploader.progressed()
    rig.plan.clear()
    rig.hasten()
    while rig.catalog.pending.count():
        await trio.lowlevel.checkpoint()
    assert (rig.health.state, rig.uploader.is_working()) == (State.ONLINE, True)


async def test_a_catalogue_that_cannot_be_written_does_not_end_the_mount(
    rig: Rig, tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the state directory is full: not even a failure can be written down."""

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    await rig.create(b"a", b"data")
    rig.plan.add("put", Refuse(QuotaExceeded("full")))
    with monkeypatch.context() as patch:
        patch.setattr(rig.catalog.pending, "failed", full)
        rig.hasten()
        await trio.sleep(60)
    await rig.drain()
    assert list(tree.root.children) == [b"a"]
