"""The order in which those who read trees come by the files."""

from __future__ import annotations

import pytest

from cloudfs.catalog.links import Link
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.vfs.succession import Order, Succession
from tests.vfs.planting import plant
from tests.writeback.rig import Rig

PATHS = [b"1", b"2d/1", b"2d/2d/1", b"2d/3", b"3", b"4d/1", b"5"]
AS_LISTED = [b"1", b"2d/1", b"2d/2d/1", b"2d/3", b"3", b"4d/1", b"5"]
FILES_FIRST = [b"1", b"3", b"5", b"2d/1", b"2d/3", b"2d/2d/1", b"4d/1"]


@pytest.fixture
async def known(rig: Rig, tree: MemoryTree) -> Rig:
    for path in PATHS:
        plant(tree, path)
    for path in PATHS:
        await rig.resolve(path)
    return rig


async def link_of(rig: Rig, path: bytes) -> Link:
    link = rig.catalog.links.find(*await rig.place(path))
    assert link is not None
    return link


@pytest.mark.parametrize(
    ("order", "expected"), [(Order.AS_LISTED, AS_LISTED), (Order.FILES_FIRST, FILES_FIRST)], ids=["tar", "rsync"]
)
async def test_from_wherever_one_is(known: Rig, order: Order, expected: list[bytes]) -> None:
    for number, path in enumerate(expected):
        nodes = Succession(known.catalog, order).after(await link_of(known, path))
        following = [known.catalog.links.path(known.catalog.links.of_inode(node.ino)[0]) for node in nodes]
        assert following == expected[number + 1 :], path


async def test_a_directory_that_is_not_known_is_told(rig: Rig, tree: MemoryTree) -> None:
    plant(tree, b"1")
    plant(tree, b"2d/1")
    first = await link_of(rig, b"1")
    nodes = Succession(rig.catalog, Order.AS_LISTED).after(first)
    directory = next(nodes)
    assert directory.is_directory
    await rig.directories.known(directory.ino)
    assert [node.is_regular for node in nodes] == [True]


async def test_nothing_comes_after_what_was_deleted(known: Rig) -> None:
    link = await link_of(known, b"2d/1")
    await known.unlink(b"2d/1")
    gone = known.catalog.links.get(link.id)
    assert gone is not None
    assert list(Succession(known.catalog, Order.AS_LISTED).after(gone)) == []
