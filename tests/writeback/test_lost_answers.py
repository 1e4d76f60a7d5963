"""The store did it, and we do not know: nothing is done twice, and nothing becomes a conflict with ourselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from cloudfs.errors import Unavailable
from cloudfs.stores.base import Capabilities
from cloudfs.stores.faults import Cut, Hold, LoseAnswer
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.types import ROOT
from cloudfs.vfs.attributes import Change
from cloudfs.vfs.namespace import EXCHANGE
from tests.writeback.another import AnotherClient
from tests.writeback.rig import FIFO, SYMLINK, Rig, mounted
from tests.writeback.views import left_over, mount_view, store_view

COPIES = Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM)


async def agreed(rig: Rig, tree: MemoryTree) -> list[bytes]:
    """Drain; mount and store show the same, of which the names are returned."""
    await rig.drain()
    view = await mount_view(rig)
    assert store_view(tree, hard_links=rig.store.capabilities.hard_links) == view
    assert (rest := left_over(rig)) == [], rest
    return sorted(view)


@pytest.mark.parametrize("can", [EVERYTHING, COPIES])
async def test_of_a_put(rig: Rig, tree: MemoryTree) -> None:
    """It is recognised as ours by its checksum."""
    rig.plan.add("put", LoseAnswer())
    await rig.create(b"a", b"content")
    assert await agreed(rig, tree) == [b"a"]


async def test_of_a_put_whose_attributes_changed_since(rig: Rig, tree: MemoryTree) -> None:
    rig.plan.add("put", LoseAnswer())
    await rig.create(b"a", b"content")
    await _send_once(rig)
    await rig.change(b"a", Change(mode=0o600, mtime_ns=5))
    assert await agreed(rig, tree) == [b"a"]
    assert tree.root.children[b"a"].attributes.mtime_ns == 5


async def test_of_a_put_whose_content_changed_since(rig: Rig, tree: MemoryTree) -> None:
    """What lies there is our own older content, not somebody else's."""
    rig.plan.add("put", LoseAnswer())
    await rig.create(b"a", b"content")
    await _send_once(rig)
    await rig.write(b"a", b"another")
    assert await agreed(rig, tree) == [b"a"]
    assert await rig.read(b"a") == b"another"


async def test_of_a_replacing_put_whose_content_changed_since(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"one")
    await rig.drain()
    rig.plan.add("put", LoseAnswer())
    await rig.write(b"a", b"two")
    await _send_once(rig)
    await rig.write(b"a", b"three")
    assert await agreed(rig, tree) == [b"a"]
    assert await rig.read(b"a") == b"three"


NOTHING_MORE = Capabilities(attributes=True, checksum=ALGORITHM)


@pytest.mark.parametrize("can", [NOTHING_MORE])
async def test_of_a_put_whose_file_has_another_name_to_be_stored(
    tmp_path: Path, store: MemoryStore, tree: MemoryTree
) -> None:
    """Of what the first name has, nobody knows whether it still is what shows through the file for the second."""
    async with mounted(tmp_path, store, cache_size=0, uploads=1) as rig:
        await rig.create(b"a", b"before" * 1000)
        await rig.drain()
        await rig.write(b"a", b"patch", 10)
        rig.plan.add("put", LoseAnswer())
        await _send_once(rig)
        await rig.link(b"a", b"b")
        second = next(link for link in rig.pending() if link.name == b"b")
        rig.catalog.pending.hasten(second.id, 1)
        with trio.fail_after(20):
            while rig.pending():
                await rig.uploader.progressed()
        assert await agreed(rig, tree) == [b"a", b"b"]


async def test_of_a_put_that_was_written_to_while_the_answer_was_on_its_way(rig: Rig, tree: MemoryTree) -> None:
    hold = Hold(answered=True)
    rig.plan.add("put", hold)
    await rig.create(b"a", b"one")
    rig.hasten()
    await hold.reached.wait()
    await rig.write(b"a", b"two")
    hold.gate.set()
    assert await agreed(rig, tree) == [b"a"]
    assert await rig.read(b"a") == b"two"


@pytest.mark.parametrize("can", [EVERYTHING, COPIES])
async def test_of_a_change_after_which_the_file_was_changed_again(rig: Rig, tree: MemoryTree) -> None:
    """What nobody changed is that of the version whose answer was lost, because there is no older one any more."""
    await rig.create(b"a", b"x" * 300_000)
    await rig.drain()
    rig.plan.add("put", LoseAnswer())
    await rig.write(b"a", b"one", 10)
    await _send_once(rig)
    await rig.write(b"a", b"two", 100)
    rig.cache.shrink(0)
    expected = b"x" * 10 + b"one" + b"x" * 87 + b"two" + b"x" * (300_000 - 103)
    assert await rig.read(b"a") == expected
    assert await agreed(rig, tree) == [b"a"]
    rig.cache.shrink(0)
    assert await rig.read(b"a") == expected


@pytest.mark.parametrize(("mode", "target"), [(SYMLINK, b"target"), (FIFO, None)])
async def test_of_a_put_of_what_has_no_bytes(rig: Rig, tree: MemoryTree, mode: int, target: bytes | None) -> None:
    rig.plan.add("put", LoseAnswer(), times=2)
    await rig.make(b"a", mode, target)
    assert await agreed(rig, tree) == [b"a"]


async def test_of_a_new_directory(rig: Rig, tree: MemoryTree) -> None:
    rig.plan.add("make_directory", LoseAnswer())
    await rig.mkdir(b"d")
    await rig.create(b"d/a", b"content")
    assert await agreed(rig, tree) == [b"d", b"d/a"]


async def test_of_moves(rig: Rig, tree: MemoryTree) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/a", b"content")
    await rig.create(b"b", b"victim")
    await rig.drain()
    rig.plan.add("move", LoseAnswer(), times=2)
    await rig.rename(b"d/a", b"b")
    await rig.rename(b"d", b"e")
    assert await agreed(rig, tree) == [b"b", b"e"]
    assert await rig.read(b"b") == b"content"


async def test_of_a_move_that_was_renamed_again_since(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"content")
    await rig.drain()
    rig.plan.add("move", LoseAnswer())
    await rig.rename(b"a", b"b")
    await _send_once(rig)
    await rig.rename(b"b", b"c")
    assert await agreed(rig, tree) == [b"c"]
    assert await rig.read(b"c") == b"content"


async def test_of_a_move_that_was_taken_back_since(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"content")
    await rig.drain()
    rig.plan.add("move", LoseAnswer())
    await rig.rename(b"a", b"b")
    await _send_once(rig)
    await rig.rename(b"b", b"a")
    assert await agreed(rig, tree) == [b"a"]
    assert await rig.read(b"a") == b"content"


async def test_of_a_move_of_what_others_had_changed(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"ours--")
    await rig.drain()
    await AnotherClient(tree).put(b"a", b"theirs")
    rig.plan.add("move", LoseAnswer())
    await rig.rename(b"a", b"b")
    await rig.drain()
    await trio.sleep(1000)
    await rig.directories.opened(ROOT)
    assert await agreed(rig, tree) == [b"b"]
    assert await rig.read(b"b") == b"theirs"


async def test_of_a_move_of_what_was_deleted_since(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"content")
    await rig.drain()
    rig.plan.add("move", LoseAnswer())
    await rig.rename(b"a", b"b")
    await _send_once(rig)
    await rig.unlink(b"b")
    assert await agreed(rig, tree) == []


async def test_of_a_put_of_what_was_deleted_since(rig: Rig, tree: MemoryTree) -> None:
    rig.plan.add("put", LoseAnswer())
    await rig.create(b"a", b"content")
    await _send_once(rig)
    await rig.unlink(b"a")
    assert await agreed(rig, tree) == []


async def test_of_a_new_directory_whose_place_is_another_ones_since(rig: Rig, tree: MemoryTree) -> None:
    await rig.mkdir(b"a")
    await rig.create(b"b", b"data")
    await rig.drain()
    await rig.mkdir(b"a/b")
    rig.plan.add("make_directory", LoseAnswer())
    await _send_once(rig)
    await rig.rename(b"a/b", b"b", EXCHANGE)
    assert await agreed(rig, tree) == [b"a", b"a/b", b"b"]
    assert await rig.read(b"a/b") == b"data"


async def test_of_a_put_of_what_was_renamed_since(rig: Rig, tree: MemoryTree) -> None:
    rig.plan.add("put", LoseAnswer())
    await rig.create(b"a", b"content")
    await _send_once(rig)
    await rig.rename(b"a", b"b")
    assert await agreed(rig, tree) == [b"b"]


async def test_of_a_new_directory_that_was_removed_since(rig: Rig, tree: MemoryTree) -> None:
    rig.plan.add("make_directory", LoseAnswer())
    await rig.mkdir(b"d")
    await _send_once(rig)
    await rig.rmdir(b"d")
    assert await agreed(rig, tree) == []


@pytest.mark.parametrize(("can", "method"), [(EVERYTHING, "link"), (COPIES, "copy")])
async def test_of_links_and_copies(rig: Rig, tree: MemoryTree, method: str) -> None:
    await rig.create(b"a", b"content")
    await rig.drain()
    rig.plan.add(method, LoseAnswer())
    await rig.link(b"a", b"b")
    assert await agreed(rig, tree) == [b"a", b"b"]
    assert (await rig.resolve(b"a")).ino == (await rig.resolve(b"b")).ino


async def test_of_deletes(rig: Rig, tree: MemoryTree) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/a", b"content")
    await rig.drain()
    rig.plan.add("delete", LoseAnswer(), times=2)
    await rig.unlink(b"d/a")
    await rig.rmdir(b"d")
    assert await agreed(rig, tree) == []


async def test_of_changed_attributes(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"content")
    await rig.drain()
    rig.plan.add("set_attributes", LoseAnswer())
    await rig.change(b"a", Change(mode=0o600))
    assert await agreed(rig, tree) == [b"a"]


async def test_a_cut_upload_publishes_nothing_and_is_sent_again(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    rig.plan.add("put", Cut(after=5000))
    await rig.create(b"a", b"x" * 9000)
    await _send_once(rig)
    assert tree.root.children == {}
    assert await agreed(rig, tree) == [b"a"]
    assert store.calls["put"] == 2


async def _send_once(rig: Rig) -> None:
    """Let the uploader make its first attempt, which fails."""
    met = rig.plan.pending
    rig.catalog.pending.hasten_all(2**62)
    rig.hasten()
    while rig.plan.pending == met or rig.uploader.is_working():
        await rig.uploader.progressed()


def test_the_errors_of_these_tests_are_those_of_a_bad_network() -> None:
    assert isinstance(LoseAnswer().error, Unavailable)
