"""What is kept beside the bytes, by programs and by stores that ask for too much."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudfs.errors import InvalidArgument
from cloudfs.stores.memory.tree import MemoryFile, MemoryTree, Name
from cloudfs.types import TIME_MAX_NS
from cloudfs.vfs.attributes import Change
from tests.vfs.planting import FILE
from tests.writeback.rig import Rig


@pytest.mark.parametrize("time_ns", [1 << 63, -(1 << 80)])
async def test_a_time_that_cannot_be_kept_is_the_nearest_that_can(rig: Rig, time_ns: int) -> None:
    ino = (await rig.create(b"a", b"content")).ino
    node = rig.fs.attributes.change(ino, Change(atime_ns=time_ns, mtime_ns=time_ns, ctime_ns=time_ns))
    assert {abs(node.atime_ns), abs(node.mtime_ns), abs(node.ctime_ns)} == {TIME_MAX_NS}
    await rig.drain()
    assert await rig.read(b"a") == b"content"


async def test_truncation_to_the_size_it_has_leaves_the_time_that_the_kernel_shows(rig: Rig) -> None:
    ino = (await rig.create(b"a", b"content")).ino
    rig.fs.attributes.change(ino, Change(mtime_ns=10**18))
    await rig.fs.set_attributes(ino, Change(), 7, privileged=True)
    assert rig.fs.node(ino).mtime_ns == 10**18
    await rig.fs.set_attributes(ino, Change(), 6, privileged=True)
    assert rig.fs.node(ino).mtime_ns > 10**18


async def test_an_extended_attribute_has_a_name(rig: Rig) -> None:
    ino = (await rig.create(b"a")).ino
    with pytest.raises(InvalidArgument):
        rig.fs.attributes.set_xattr(ino, b"user.", b"value")


async def test_a_store_may_tell_any_time(rig: Rig, tree: MemoryTree) -> None:
    tree.add_file(Name(tree.root, b"late"), replace(FILE, mtime_ns=1 << 70), MemoryFile(0, ()))
    assert (await rig.resolve(b"late")).mtime_ns == TIME_MAX_NS


async def test_what_a_store_says_to_be_larger_than_any_file_is_not_shown(rig: Rig, tree: MemoryTree) -> None:
    tree.add_file(Name(tree.root, b"huge"), FILE, MemoryFile(1 << 63, ()))
    tree.add_file(Name(tree.root, b"file"), FILE, MemoryFile(0, ()))
    assert await rig.names(b"") == [b"file"]
