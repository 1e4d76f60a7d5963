"""After a power cut nothing is published that may not be what was written; what had time is on the disk."""

from __future__ import annotations

import os

import pytest

from cloudfs.catalog.stagings import Safety
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.writeback.durability import Durability
from cloudfs.writeback.staged import Staged
from tests.writeback.rig import Rig


@pytest.fixture
def durability(rig: Rig) -> Durability:
    durability = Durability(rig.catalog, rig.staging)
    durability.started("first")
    return durability


async def staged(rig: Rig, name: bytes, data: bytes = b"data") -> int:
    """A closed file that is not stored."""
    node = await rig.create(name, data)
    return int(node.ino)


def safety(rig: Rig, ino: int) -> Safety:
    row = rig.catalog.stagings.get(ino)
    assert row is not None
    return row.safety


async def stored(rig: Rig, tree: MemoryTree) -> set[bytes]:
    """The names at the store when all is stored that can be; the rest is parked."""
    rig.uploader.make_room()
    while rig.catalog.pending.count() > rig.catalog.pending.parked_count():
        await rig.uploader.progressed()
    return set(tree.root.children)


async def test_what_was_only_closed_is_parked_when_the_machine_has_started_again(
    rig: Rig, tree: MemoryTree, durability: Durability
) -> None:
    await staged(rig, b"a")
    durability.started("second")
    assert await stored(rig, tree) == set()
    ((_link, reason),) = rig.catalog.pending.parked(10)
    assert "power was cut" in reason


async def test_a_driver_that_is_killed_is_no_power_cut(rig: Rig, tree: MemoryTree, durability: Durability) -> None:
    await staged(rig, b"a")
    durability.started("first")
    assert await stored(rig, tree) == {b"a"}


async def test_what_was_synced_is_stored(rig: Rig, tree: MemoryTree, durability: Durability) -> None:
    handle = rig.files.open((await rig.make(b"a")).ino, os.O_RDWR)
    rig.files.write(handle, 0, b"data")
    await rig.files.fsync(handle)
    durability.started("second")
    rig.files.release(handle)
    assert await stored(rig, tree) == {b"a"}


async def test_what_was_written_after_it_was_synced_is_not_safe_once_closed(rig: Rig, durability: Durability) -> None:
    handle = rig.files.open((await rig.make(b"a")).ino, os.O_RDWR)
    rig.files.write(handle, 0, b"data")
    await rig.files.fsync(handle)
    ino = rig.files.inode_of(handle)
    assert safety(rig, ino) is Safety.SYNCED
    rig.files.write(handle, 2, b"more")
    rig.files.release(handle)
    assert safety(rig, ino) is Safety.NEW


async def test_what_is_not_stored_soon_is_synced(rig: Rig, tree: MemoryTree, durability: Durability) -> None:
    ino = await staged(rig, b"a")
    await durability.look()
    assert safety(rig, ino) is Safety.WAITING
    await durability.look()
    assert safety(rig, ino) is Safety.SYNCED
    durability.started("second")
    assert await stored(rig, tree) == {b"a"}


async def test_what_is_written_again_meanwhile_is_not(rig: Rig, durability: Durability) -> None:
    ino = await staged(rig, b"a")
    await durability.look()
    await rig.write(b"a", b"other")
    await durability.look()
    assert safety(rig, ino) is Safety.WAITING


async def test_an_orderly_end_is_no_power_cut(rig: Rig, tree: MemoryTree, durability: Durability) -> None:
    await staged(rig, b"a")
    durability.finish()
    durability.started("second")
    assert await stored(rig, tree) == {b"a"}


async def test_writing_it_again_heals_it(rig: Rig, tree: MemoryTree, durability: Durability) -> None:
    await staged(rig, b"a", b"lost")
    durability.started("second")
    await stored(rig, tree)
    await rig.truncate(b"a", 0)
    await rig.write(b"a", b"again")
    assert await stored(rig, tree) == {b"a"}
    assert rig.catalog.pending.parked(10) == []


async def test_writing_a_part_of_it_again_does_not(rig: Rig, tree: MemoryTree, durability: Durability) -> None:
    await staged(rig, b"log", b"first line\n")
    durability.started("second")
    await stored(rig, tree)
    with pytest.raises(OSError, match="power was cut"):
        await rig.write(b"log", b"second line\n", 11)
    assert await stored(rig, tree) == set()
    ((_link, reason),) = rig.catalog.pending.parked(10)
    assert "power was cut" in reason


async def test_writing_all_of_it_again_part_by_part_heals_it(
    rig: Rig, tree: MemoryTree, durability: Durability
) -> None:
    await staged(rig, b"log", b"first line\n")
    durability.started("second")
    handle = rig.files.open(await rig.regular(b"log"), os.O_RDWR)
    await rig.write_handle(handle, 6, b"line, and more\n")
    await rig.write_handle(handle, 0, b"second ")
    rig.files.release(handle)
    assert await stored(rig, tree) == {b"log"}
    assert await rig.read(b"log") == b"second ine, and more\n"


async def test_a_staged_file_that_is_missing_can_be_removed_and_written_again(rig: Rig, tree: MemoryTree) -> None:
    for name in (b"a", b"b", b"c"):
        row = rig.catalog.stagings.get(await staged(rig, name))
        assert row is not None
        rig.staging.path(row.file).unlink()
    await rig.unlink(b"a")
    await rig.truncate(b"b", 0)
    await rig.write(b"b", b"again")
    assert await stored(rig, tree) == {b"b"}
    ((_link, reason),) = rig.catalog.pending.parked(10)
    assert "missing" in reason


async def test_a_file_that_is_stored_and_read_while_it_is_synced(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its staged file is given up and let go of, under the thread that syncs it."""
    await staged(rig, b"a")
    handle = rig.files.open((await rig.resolve(b"a")).ino, os.O_RDONLY)
    sync = Staged.sync

    def later(file: Staged) -> None:
        rig.staging.give_up(file.ino, file.file)
        rig.files.read_nowait(handle, 0, 1)
        sync(file)

    monkeypatch.setattr(Staged, "sync", later)
    await rig.files.fsync(handle)
    rig.files.release(handle)
