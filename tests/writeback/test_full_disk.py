"""What fails on a full disk has not happened, what was there stays, and the mount goes on."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from cloudfs.catalog.stagings import Safety
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import ROOT
from cloudfs.writeback.staged import Staged
from cloudfs.writeback.staged_files import StagedFiles
from tests.vfs.planting import plant
from tests.writeback.full_disk import FullDisk, no_space
from tests.writeback.rig import Rig


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    return FullDisk(monkeypatch)


@contextmanager
def failing_writes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing can be written to a staged file."""

    def write(_staged: Staged, _offset: int, _data: bytes) -> None:
        raise no_space()

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Staged, "write", write)
        yield


def size_on_disk(rig: Rig, ino: int) -> int:
    """What is remembered when nothing is in memory."""
    size = rig.catalog.database.value("SELECT size FROM nodes WHERE ino = ?", (ino,))
    assert isinstance(size, int)
    return size


def stored(tree: MemoryTree, name: bytes, size: int) -> bytes:
    return tree.root.children[name].content.read(0, size)


# --- names --------------------------------------------------------------------------------------------------------


async def written(rig: Rig, name: bytes, data: bytes) -> int:
    """A handle of a new file, closed by one of its users."""
    handle = rig.files.open((await rig.make(name)).ino, os.O_WRONLY)
    await rig.write_handle(handle, 0, data)
    rig.files.flush(handle)
    return handle


async def test_an_unlink_that_failed_leaves_the_file(rig: Rig, disk: FullDisk) -> None:
    handle = await written(rig, b"a", b"hello")
    ino = rig.files.inode_of(handle)
    place = await rig.place(b"a")
    with disk.refusing():
        rig.fs.namespace.unlink(*place)
    rig.files.release(handle)
    rig.fs.forget(ino)
    await rig.drain()
    assert await rig.read(b"a") == b"hello"
    assert (await rig.resolve(b"a")).nlink == 1


async def test_a_rename_that_failed_leaves_both_files(rig: Rig, disk: FullDisk) -> None:
    handle = await written(rig, b"a", b"hello")
    ino = rig.files.inode_of(handle)
    await rig.create(b"b", b"other")
    old, new = await rig.place(b"b"), await rig.place(b"a")
    with disk.refusing():
        await rig.fs.rename(*old, *new, 0)
    rig.files.flush(handle)
    rig.files.release(handle)
    rig.fs.forget(ino)
    await rig.drain()
    assert await rig.read(b"a") == b"hello"
    assert await rig.read(b"b") == b"other"


# --- content ------------------------------------------------------------------------------------------------------


async def test_a_file_that_could_not_be_emptied_is_not_open(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.create(b"a", b"old")
    await rig.drain()
    ino = await rig.regular(b"a")

    def make(_files: StagedFiles, _file: int) -> int:
        raise no_space()

    monkeypatch.setattr(StagedFiles, "make", make)
    rig.staging._spare.clear()
    with pytest.raises(OSError, match="No space"):
        rig.files.open(ino, os.O_WRONLY | os.O_TRUNC)
    assert rig.files._open == {}
    assert rig.files._handles == {}


async def test_a_file_that_could_not_be_emptied_has_what_it_had(rig: Rig, tree: MemoryTree, disk: FullDisk) -> None:
    await rig.create(b"a", b"old")
    await rig.drain()
    ino = await rig.regular(b"a")
    with disk.refusing():
        rig.files.open(ino, os.O_WRONLY | os.O_TRUNC)
    assert await rig.read(b"a") == b"old"
    await trio.sleep(120)
    await rig.drain()
    assert rig.catalog.pending.parked(10) == []
    assert stored(tree, b"a", 3) == b"old"


async def test_a_file_that_could_not_be_cut_off_has_what_it_had(rig: Rig, tree: MemoryTree, disk: FullDisk) -> None:
    await rig.create(b"a", b"old" * 1000)
    await rig.drain()
    handle = rig.files.open(await rig.regular(b"a"), os.O_RDWR)
    await rig.write_handle(handle, 2997, b"new")
    with disk.refusing():
        await rig.truncate(b"a", 10)
    assert await rig.read_handle(handle) == b"old" * 999 + b"new"
    rig.files.flush(handle)
    rig.files.release(handle)
    await rig.drain()
    assert stored(tree, b"a", 3000) == b"old" * 999 + b"new"


async def test_an_empty_file_to_which_a_write_failed_can_be_written_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = rig.files.open((await rig.make(b"a")).ino, os.O_WRONLY)
    with failing_writes(monkeypatch):
        await rig.write_handle(handle, 0, b"hello")
    with pytest.raises(OSError, match="a write failed here"):
        rig.files.flush(handle)
    rig.files.release(handle)
    await rig.write(b"a", b"hello", flags=os.O_TRUNC)
    await rig.drain()
    assert await rig.read(b"a") == b"hello"


async def test_a_file_to_which_a_write_failed_can_be_written_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.create(b"a", b"old")
    with failing_writes(monkeypatch):
        await rig.write(b"a", b"hello")
    await rig.write(b"a", b"hello", flags=os.O_TRUNC)
    await rig.drain()
    assert await rig.read(b"a") == b"hello"


async def test_a_second_fsync_makes_good_for_the_first(rig: Rig, disk: FullDisk) -> None:
    ino = (await rig.make(b"a")).ino
    handle = rig.files.open(ino, os.O_WRONLY)
    await rig.write_handle(handle, 0, b"hello")
    with disk.refusing():
        await rig.files.fsync(handle)
    await rig.files.fsync(handle)
    assert size_on_disk(rig, ino) == 5
    rig.files.release(handle)


async def test_a_second_close_makes_good_for_the_first(rig: Rig, disk: FullDisk) -> None:
    await rig.create(b"a", b"0123456789" * 10_000)
    await rig.drain()
    ino = await rig.regular(b"a")
    handle = rig.files.open(ino, os.O_RDWR)
    await rig.write_handle(handle, 100_000, b"hello")
    with disk.refusing():
        rig.files.flush(handle)
    rig.files.flush(handle)
    rig.files.release(handle)
    assert size_on_disk(rig, ino) == 100_005
    await rig.drain()
    assert bytes(await rig.read(b"a")) == b"0123456789" * 10_000 + b"hello"


async def test_bytes_that_could_not_be_synced_are_not_safe(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ino = (await rig.make(b"a")).ino
    handle = rig.files.open(ino, os.O_WRONLY)
    await rig.write_handle(handle, 0, b"hello")

    def fdatasync(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output"):
        patch.setattr(os, "fdatasync", fdatasync)
        await rig.files.fsync(handle)
    rig.files.flush(handle)
    rig.files.release(handle)
    row = rig.catalog.stagings.get(ino)
    assert row is not None
    assert row.safety is Safety.NEW


# --- the mount goes on --------------------------------------------------------------------------------------------


async def test_directories_are_kept_fresh_when_there_is_room_again(rig: Rig, tree: MemoryTree, disk: FullDisk) -> None:
    plant(tree, b"d/file")
    await rig.directories.opened((await rig.resolve(b"d")).ino)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.directories.follow)
        disk.full = True
        await trio.sleep(2000)
        disk.full = False
        plant(tree, b"d/another")
        await trio.sleep(1000)
        assert await rig.names(b"d") == [b"another", b"file"]
        nursery.cancel_scope.cancel()


async def test_what_is_known_is_listed(rig: Rig, tree: MemoryTree, disk: FullDisk) -> None:
    plant(tree, b"d/file")
    ino = (await rig.resolve(b"d")).ino
    await rig.directories.opened(ino)
    await trio.sleep(2000)
    disk.full = True
    await rig.directories.opened(ino)
    assert [name for _, name, _ in rig.catalog.links.children(ino, 0, 10)] == [b"file"]


async def test_the_tree_is_explored_when_there_is_room_again(rig: Rig, tree: MemoryTree, disk: FullDisk) -> None:
    plant(tree, b"d/file")
    await rig.directories.known(ROOT)
    disk.full = True
    rig.directories.explore()
    await trio.sleep(30)
    disk.full = False
    rig.directories.explore()
    await trio.sleep(30)
    assert rig.catalog.nodes.unlisted(10) == []


async def test_uploads_wait_for_room_and_the_store_is_not_blamed(
    rig: Rig, tree: MemoryTree, disk: FullDisk, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.create(b"a", b"content")
    disk.full = True
    await trio.sleep(60)
    assert not rig.health.away
    disk.full = False
    await rig.drain()
    assert stored(tree, b"a", 7) == b"content"
    assert "Traceback" not in caplog.text
