"""What an application has open stays readable, whatever happens to its name, also without a cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
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
