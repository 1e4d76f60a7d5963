"""One file with several names: one upload, and one file again when the store tells a new mount."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from cloudfs.catalog.links import Link
from cloudfs.errors import AccessDenied
from cloudfs.stores.base import Capabilities
from cloudfs.stores.faults import Refuse
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.writeback.facts import FactFinder
from cloudfs.writeback.plan import Facts
from tests.writeback.rig import Rig, mounted
from tests.writeback.views import mount_view

COPIES = Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM)
PLAIN = Capabilities(attributes=True, checksum=ALGORITHM)


@pytest.mark.parametrize(
    ("can", "calls"),
    [(EVERYTHING, {"put": 1, "link": 2}), (COPIES, {"put": 1, "copy": 2}), (PLAIN, {"put": 3})],
    ids=["links", "copies", "neither"],
)
async def test_three_names_made_at_once_are_one_upload(rig: Rig, store: MemoryStore, calls: dict[str, int]) -> None:
    await rig.create(b"a", b"content")
    await rig.link(b"a", b"b")
    await rig.link(b"a", b"c")
    await rig.drain()
    assert {method: store.calls[method] for method in ("put", "link", "copy") if store.calls[method]} == calls


async def test_the_work_for_each_of_very_many_names_is_the_same(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    found, find = 0, FactFinder.find

    def counting(facts: FactFinder, link: Link) -> Facts:
        nonlocal found
        found += 1
        return find(facts, link)

    monkeypatch.setattr(FactFinder, "find", counting)
    await rig.create(b"a", b"content")
    for number in range(300):
        await rig.link(b"a", b"%d" % number)
    await rig.drain()
    assert found < 20 * 300


@pytest.mark.parametrize("can", [EVERYTHING, COPIES, PLAIN], ids=["links", "copies", "neither"])
async def test_they_are_one_file_for_a_new_mount(rig: Rig, store: MemoryStore, tmp_path: Path) -> None:
    await rig.create(b"a", b"content")
    await rig.mkdir(b"d")
    await rig.link(b"a", b"d/b")
    await rig.drain()
    async with mounted(tmp_path / "another", store) as another:
        assert (await another.resolve(b"a")).ino == (await another.resolve(b"d/b")).ino
        assert (await another.resolve(b"a")).nlink == 2
        assert await mount_view(another) == await mount_view(rig)


@pytest.mark.parametrize("can", [EVERYTHING, COPIES, PLAIN], ids=["links", "copies", "neither"])
async def test_a_write_through_one_name_is_stored_under_all(rig: Rig, tree: MemoryTree, store: MemoryStore) -> None:
    await rig.create(b"a", b"old")
    await rig.link(b"a", b"b")
    await rig.drain()
    await rig.write(b"b", b"new")
    await rig.drain()
    assert {name: node.content.read(0, 3) for name, node in tree.root.children.items()} == {b"a": b"new", b"b": b"new"}


async def test_the_name_that_is_left_keeps_the_content(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"content")
    await rig.link(b"a", b"b")
    await rig.drain()
    await rig.unlink(b"a")
    await rig.drain()
    assert list(tree.root.children) == [b"b"]
    assert await rig.read(b"b") == b"content"


async def test_a_directory_that_may_not_be_listed_holds_nothing_up(tmp_path: Path, tree: MemoryTree) -> None:
    """A mount that knows nothing looks for the other names of a file in all directories before it stores it."""
    store = MemoryStore(tree, COPIES)
    async with mounted(tmp_path / "first", store) as rig:
        await rig.create(b"a", b"content")
        await rig.link(b"a", b"b")
        await rig.mkdir(b"private")
        await rig.mkdir(b"public")
        await rig.drain()
    async with mounted(tmp_path / "second", store, cache_time=600.0) as rig:
        rig.plan.add("list", Refuse(AccessDenied("not yours")), path=b"private", times=1000)
        await rig.write(b"a", b"changed")
        await trio.sleep(60)
        assert rig.pending() == []
    assert [tree.root.children[name].content.read(0, 7) for name in (b"a", b"b")] == [b"changed", b"changed"]
