"""Giving up what was never sent: the mount shows again what the store has, and keeps nothing else."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfs.errors import CloudfsError, Unavailable, UsageError
from cloudfs.stores.base import Capabilities
from cloudfs.stores.faults import Hold, Weather
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.types import LinkId
from cloudfs.vfs.attributes import Change
from cloudfs.vfs.namespace import EXCHANGE
from cloudfs.writeback.discard import Discard
from tests.writeback.clock import run
from tests.writeback.model import Model
from tests.writeback.play import FURNITURE
from tests.writeback.rig import Rig, mounted
from tests.writeback.script import Act, Step, acts, settled
from tests.writeback.views import left_over, mount_view, store_view

PLAIN = Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM)


def discarder(rig: Rig) -> Discard:
    return Discard(rig.catalog, rig.store, rig.staging, rig.merging, rig.stale.append)


async def discard(rig: Rig, *paths: bytes) -> int:
    """Everything pending under the paths; without one, everything."""
    chosen = [link.id for link in rig.pending() if not paths or _under(rig, link.id, paths)]
    count = await discarder(rig).discard(chosen)
    rig.forget()
    return count


def _under(rig: Rig, link: LinkId, paths: tuple[bytes, ...]) -> bool:
    row = rig.catalog.links.get(link)
    assert row is not None
    path = rig.catalog.links.path(row)
    return any(path == each or path.startswith(each + b"/") for each in paths)


async def same_as_store(rig: Rig, tree: MemoryTree) -> None:
    hard_links = rig.store.capabilities.hard_links
    assert await mount_view(rig) == store_view(tree, hard_links=hard_links)


@pytest.fixture
async def quiet(tmp_path: Path, store: MemoryStore) -> AsyncIterator[Rig]:
    """A mount with two stored files in a stored directory; from there on nothing is sent."""
    async with mounted(tmp_path, store, cache_time=600.0) as rig:
        await rig.mkdir(b"d")
        await rig.create(b"d/f", b"stored")
        await rig.create(b"g", b"other")
        await rig.drain()
    async with mounted(tmp_path, store, cache_time=600.0, uploading=False) as rig:
        await mount_view(rig)
        yield rig


async def test_a_new_file_is_gone_with_its_bytes(quiet: Rig, tree: MemoryTree) -> None:
    await quiet.create(b"new", b"bytes")
    await discard(quiet)
    assert await quiet.names() == [b"d", b"g"]
    assert left_over(quiet) == []
    await same_as_store(quiet, tree)


async def test_changed_bytes_are_the_stored_ones_again(quiet: Rig, tree: MemoryTree) -> None:
    before = (await quiet.resolve(b"d/f")).ino
    await quiet.write(b"d/f", b"longer than before")
    await discard(quiet, b"d/f")
    assert await quiet.read(b"d/f") == b"stored"
    assert (await quiet.resolve(b"d/f")).ino != before, "the kernel owns the size of an inode it knows"
    assert left_over(quiet) == []
    await same_as_store(quiet, tree)


async def test_attributes_moves_and_deletions(quiet: Rig, tree: MemoryTree) -> None:
    await quiet.change(b"g", Change(mode=0o600, mtime_ns=5))
    await quiet.rename(b"d", b"elsewhere")
    await quiet.rename(b"elsewhere/f", b"f")
    await quiet.mkdir(b"d")
    await discard(quiet)
    await same_as_store(quiet, tree)
    await quiet.unlink(b"d/f")
    await quiet.rmdir(b"d")
    await quiet.unlink(b"g")
    assert await quiet.names() == []
    await discard(quiet)
    await same_as_store(quiet, tree)
    assert left_over(quiet) == []


async def test_one_file_of_several(quiet: Rig) -> None:
    await quiet.write(b"d/f", b"changed")
    await quiet.write(b"g", b"changed too")
    assert await discard(quiet, b"d/f") == 1
    assert (await quiet.read(b"d/f"), await quiet.read(b"g")) == (b"stored", b"changed too")


async def test_a_deleted_file_brings_its_directory_back(quiet: Rig, tree: MemoryTree) -> None:
    await quiet.unlink(b"d/f")
    await quiet.rmdir(b"d")
    await discard(quiet, b"d/f")
    assert await quiet.read(b"d/f") == b"stored"


async def test_names_that_changed_places(quiet: Rig, tree: MemoryTree) -> None:
    await quiet.rename(b"d/f", b"g", EXCHANGE)
    await quiet.rename(b"d", b"e")
    await discard(quiet)
    await same_as_store(quiet, tree)
    assert left_over(quiet) == []


async def test_a_hard_link_goes_with_its_file(quiet: Rig, tree: MemoryTree) -> None:
    await quiet.link(b"g", b"h")
    await quiet.write(b"h", b"written through the other name")
    await discard(quiet, b"h")
    assert await quiet.read(b"g") == b"other"
    await discard(quiet)
    await same_as_store(quiet, tree)


async def test_an_open_file_stays_readable_until_it_is_closed(quiet: Rig) -> None:
    await quiet.create(b"new", b"bytes")
    handle = quiet.files.open(await quiet.regular(b"new"), os.O_RDWR)
    await discard(quiet)
    assert await quiet.read_handle(handle) == b"bytes"
    quiet.files.write(handle, 0, b"BYTES")
    quiet.files.flush(handle)
    quiet.files.release(handle)
    quiet.forget()
    assert left_over(quiet) == []


async def test_what_somebody_else_stored_meanwhile_shows(quiet: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    await quiet.write(b"g", b"ours")
    other = tree.root.children[b"g"]
    del tree.root.children[b"g"]
    await discard(quiet, b"g")
    assert await quiet.names() == [b"d"]
    tree.root.children[b"g"] = other


async def test_nothing_is_given_up_while_the_store_is_away(quiet: Rig) -> None:
    await quiet.write(b"g", b"ours!")
    quiet.plan.weather = Weather.OFFLINE
    with pytest.raises(Unavailable):
        await discard(quiet)
    assert await quiet.read(b"g") == b"ours!"


async def test_what_cannot_be_undone_by_itself_is_left(quiet: Rig) -> None:
    await quiet.mkdir(b"new")
    await quiet.rename(b"g", b"new/g")
    with pytest.raises(UsageError, match="new is new, and holds"):
        await discarder(quiet).discard([link.id for link in quiet.pending() if link.name == b"new"])
    await quiet.create(b"g", b"in its place")
    with pytest.raises(UsageError, match="g has the name"):
        await discard(quiet, b"new/g")
    assert (await quiet.read(b"new/g"), await quiet.read(b"g")) == (b"other", b"in its place")


async def test_what_is_being_sent_is_left(rig: Rig) -> None:
    hold = Hold()
    rig.plan.add("put", hold)
    await rig.create(b"a", b"bytes")
    rig.hasten()
    await hold.reached.wait()
    with pytest.raises(UsageError, match="a is being stored right now"):
        await discard(rig, b"a")
    hold.gate.set()
    await rig.drain()


@asynccontextmanager
async def giving_up(rig: Rig, refusal: str) -> AsyncIterator[None]:
    """The block happens after the store has said what it has; then nothing is given up, for that reason."""
    hold = Hold(answered=True)
    rig.plan.add("stat", hold)

    async def give_up() -> None:
        with pytest.raises(UsageError, match=refusal):
            await discard(rig)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up)
        await hold.reached.wait()
        yield
        hold.gate.set()


async def test_what_is_stored_and_written_again_meanwhile_is_left(rig: Rig, tree: MemoryTree) -> None:
    await rig.create(b"a", b"old")
    await rig.drain()
    await rig.write(b"a", b"newer")
    async with giving_up(rig, "was stored meanwhile"):
        await rig.drain()
        await rig.write(b"a", b"newest")
    await rig.drain()
    assert await rig.read(b"a") == b"newest"
    await same_as_store(rig, tree)


async def test_what_is_written_again_meanwhile_is_left(quiet: Rig) -> None:
    await quiet.write(b"g", b"ours")
    async with giving_up(quiet, "was written to meanwhile"):
        await quiet.write(b"g", b"newer")
    assert await quiet.read(b"g") == b"newer"


async def test_attributes_that_are_stored_and_changed_again_meanwhile_are_left(rig: Rig) -> None:
    await rig.create(b"a", b"bytes")
    await rig.drain()
    await rig.change(b"a", Change(mode=0o600))
    async with giving_up(rig, "was stored meanwhile"):
        await rig.drain()
        await rig.change(b"a", Change(mode=0o400))
    assert (await rig.resolve(b"a")).mode & 0o777 == 0o400


async def test_who_waited_for_what_was_given_up_is_stored_when_it_changes_again(
    tmp_path: Path, store: MemoryStore
) -> None:
    """A directory is to be deleted once the file in it has moved away; both are given up, and then it changes."""
    async with mounted(tmp_path, store, cache_time=600.0, uploads=1) as rig:
        await rig.mkdir(b"d")
        await rig.create(b"d/f", b"stored")
        await rig.drain()
        hold = Hold()
        rig.plan.add("put", hold)
        await rig.rename(b"d/f", b"f")
        await rig.rmdir(b"d")
        await rig.create(b"z", b"another")
        rows = {row.at_name or row.name: row.id for row in rig.pending()}
        for due, name in enumerate((b"d", b"z", b"f"), 1):
            rig.catalog.pending.defer(rows[name], due)
        rig.uploader.hurry()
        await hold.reached.wait()
        assert await discarder(rig).discard([rows[b"f"], rows[b"d"]]) == 2
        hold.gate.set()
        await rig.drain()
        assert await rig.read(b"d/f") == b"stored"
        await rig.change(b"d", Change(mode=0o700))
        await rig.drain()


@pytest.mark.parametrize("can", [EVERYTHING, PLAIN], ids=["everything", "plain"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(script=st.lists(acts, min_size=1, max_size=20), steps=st.integers(0, 6))
def test_whatever_was_done_the_mount_shows_the_store(script: list[Step], steps: int, can: Capabilities) -> None:
    """Also when the uploader has got somewhere with it."""

    async def perform() -> None:
        tree = MemoryTree()
        store = MemoryStore(tree, can)
        with tempfile.TemporaryDirectory() as home, trio.fail_after(86_400):
            async with mounted(Path(home), store, cache_time=1e6) as rig:
                await _act(rig, FURNITURE, Model())
                await rig.drain()
                await _act(rig, script, await _model(rig))
                for _ in range(steps):
                    rig.hasten()
                    with trio.move_on_after(1):
                        await rig.uploader.progressed()
            async with mounted(Path(home), store, cache_time=1e6, uploading=False) as rig:
                await mount_view(rig)
                if rig.catalog.doubts:
                    return  # a killed driver's last call: what became of it is the uploader's to find out
                await discard(rig)
                assert left_over(rig) == []
                await same_as_store(rig, tree)

    run(perform)


async def _model(rig: Rig) -> Model:
    """Enough of one to choose places from."""
    model = Model()
    for step in FURNITURE:
        getattr(model, step.method)(*step.arguments)
    return model


async def _act(rig: Rig, script: list[Step], model: Model) -> None:
    for step in script:
        act = settled(step, model)
        assert isinstance(act, Act)
        with contextlib.suppress(CloudfsError):
            getattr(model, act.method)(*act.arguments)
        with contextlib.suppress(CloudfsError):
            await getattr(rig, act.method)(*act.arguments)
