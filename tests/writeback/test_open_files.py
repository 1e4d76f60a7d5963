"""What an application has open stays readable, whatever happens to its name, also without a cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import LinkId
from cloudfs.writeback.uploader import Outcome, Uploader
from tests.writeback.rig import mounted


@pytest.mark.parametrize("replaced_by", ["a new file", "a stored file", "nothing"])
async def test_a_deleted_file_that_is_open(store: MemoryStore, tmp_path: Path, replaced_by: str) -> None:
    async with mounted(tmp_path, store, cache_size=0) as rig:
        await rig.mkdir(b"d")
        await rig.create(b"d/a", b"old")
        await rig.create(b"b", b"new")
        await rig.drain()
        handle = rig.files.open((await rig.resolve(b"d/a")).ino, os.O_RDONLY)
        if replaced_by == "nothing":
            await rig.unlink(b"d/a")
            await rig.rmdir(b"d")
        elif replaced_by == "a new file":
            await rig.create(b"c", b"new")
            await rig.rename(b"c", b"d/a")
        else:
            await rig.rename(b"b", b"d/a")
        while len(rig.pending()) > 1:
            rig.hasten()
            await rig.uploader.progressed()
        assert await rig.read_handle(handle) == b"old"
        if replaced_by != "nothing":
            assert await rig.read(b"d/a") == b"new"
        rig.files.release(handle)
        rig.forget()
        await rig.drain()
        names = sorted(entry.name for entry in (await store.list(rig.catalog.links.place(0, b""))).entries)
        assert names == ([b"b"] if replaced_by == "nothing" else names)
        assert not any(name.startswith(b".cloudfs") for name in names)


async def test_a_deleted_file_that_was_open_when_the_driver_died_leaves_nothing(
    tmp_path: Path, store: MemoryStore, tree: MemoryTree
) -> None:
    heir = tmp_path / "heir"
    async with mounted(tmp_path / "first", store, heir=heir) as rig:
        await rig.create(b"a", b"old" * 1000)
        await rig.drain()
        handle = rig.files.open(await rig.regular(b"a"), os.O_RDWR)
        await rig.write_handle(handle, 10, b"new")
        rig.fs.namespace.unlink(*await rig.place(b"a"))
        rig.files.flush(handle)
        rig.death.now()
    async with mounted(heir, store) as rig:
        await rig.drain()
        assert list(tree.root.children) == []
        assert rig.staged_files() == []
        assert rig.staging.used == 0


@pytest.mark.parametrize("insisted", [False, True])
async def test_a_file_that_is_written_while_its_old_name_is_wanted(
    store: MemoryStore, tmp_path: Path, insisted: bool
) -> None:
    """Its place is free as soon as nobody writes any more, or is told to go; until then nobody asks again and again."""
    async with mounted(tmp_path, store) as rig:
        await rig.create(b"a", b"old")
        await rig.drain()
        handle = rig.files.open(await rig.regular(b"a"), os.O_RDWR)
        await rig.write_handle(handle, 0, b"new")
        await rig.rename(b"a", b"b")
        await rig.create(b"a", b"another")
        turns = TurnsTaken(rig.uploader)
        began = trio.current_time()
        rig.hasten()
        await trio.sleep(0.1)
        (link,) = rig.catalog.links.of_inode(await rig.regular(b"a"))
        if insisted:
            rig.uploader.insist(link.id)
        while link.id in [each.id for each in rig.pending()]:
            await rig.uploader.progressed()
        assert (trio.current_time() - began < 1) == insisted
        await rig.drain()
        assert turns.count < 20
        rig.files.release(handle)
        assert (await rig.read(b"a"), await rig.read(b"b")) == (b"another", b"new")


class TurnsTaken:
    """Counts the turns of names at an uploader, and ends what would never come to an end in virtual time."""

    def __init__(self, uploader: Uploader) -> None:
        self.count = 0
        self._step = uploader._step
        uploader._step = self._counted  # type: ignore[method-assign, assignment]

    async def _counted(self, link: LinkId) -> Outcome:
        self.count += 1
        assert self.count < 1000
        return await self._step(link)
