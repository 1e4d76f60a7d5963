"""What an application has open stays readable, whatever happens to its name, also without a cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudfs.stores.memory.store import MemoryStore
from tests.writeback.rig import mounted

pytestmark = pytest.mark.parametrize("replaced_by", ["a new file", "a stored file", "nothing"])


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
