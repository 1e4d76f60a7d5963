"""A listing that lags behind hides nothing this mount has stored, and brings nothing back that it has taken away.

Neither may what others did be missed for it: a listing is only doubted where it contradicts this mount.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import trio

from cloudfs.catalog.recent import LAG
from cloudfs.stores.base import Entry, Location, Page
from cloudfs.stores.faults import Alter, Hold, Proceed, Refuse
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import ROOT
from tests.vfs.planting import plant, uproot
from tests.writeback.rig import Rig

_ROOT = Location(b"")
_D = Location(b"d")


@dataclass(frozen=True, slots=True)
class Answer:
    """A fault: the store says this, without having been asked."""

    entry: Entry

    async def around(self, proceed: Proceed) -> Entry:
        await trio.lowlevel.checkpoint()
        return self.entry


async def listed(store: MemoryStore) -> Page:
    """What a listing of the root says now, and a listing that lags will say later."""
    return await store.list(_ROOT)


def showing(page: Page) -> Alter:
    return Alter(lambda _: page)


async def refresh(rig: Rig) -> list[bytes]:
    """List the root again, as happens every now and then; what it shows afterwards."""
    await rig.directories._list(ROOT)
    return await rig.names()


async def settle(rig: Rig) -> None:
    """What an earlier process may have done is long ago."""
    await rig.directories.known(ROOT)
    await trio.sleep(LAG + 1)


async def test_what_was_just_stored_is_not_hidden(rig: Rig, store: MemoryStore) -> None:
    await settle(rig)
    before = await listed(store)
    ino = (await rig.create(b"new", b"content")).ino
    await rig.drain()
    rig.plan.add("list", showing(before))
    assert await refresh(rig) == [b"new"]
    assert (await rig.resolve(b"new")).ino == ino


async def test_what_was_just_deleted_does_not_come_back(rig: Rig, store: MemoryStore) -> None:
    await rig.create(b"old", b"content")
    await rig.drain()
    await settle(rig)
    before = await listed(store)
    await rig.unlink(b"old")
    await rig.drain()
    rig.plan.add("list", showing(before))
    assert await refresh(rig) == []


async def test_what_was_just_renamed_is_there_once(rig: Rig, store: MemoryStore) -> None:
    await rig.create(b"old", b"content")
    await rig.drain()
    await settle(rig)
    before = await listed(store)
    await rig.rename(b"old", b"new")
    await rig.drain()
    rig.plan.add("list", showing(before))
    assert await refresh(rig) == [b"new"]
    assert await rig.read(b"new") == b"content"


async def test_what_was_just_written_is_not_the_version_before(rig: Rig, store: MemoryStore) -> None:
    await rig.create(b"file", b"before")
    await rig.drain()
    await settle(rig)
    before = await listed(store)
    await rig.write(b"file", b"after!")
    await rig.drain()
    ino = (await rig.resolve(b"file")).ino
    rig.plan.add("list", showing(before))
    await refresh(rig)
    assert (await rig.resolve(b"file")).ino == ino
    assert await rig.read(b"file") == b"after!"


async def test_names_below_a_directory_that_was_just_made_again(rig: Rig, store: MemoryStore) -> None:
    """``rm -r d; mkdir d``: what was in the old one is listed for a while."""
    await rig.mkdir(b"d")
    await rig.create(b"d/old", b"content")
    await rig.drain()
    await settle(rig)
    before = await store.list(_D)
    await rig.unlink(b"d/old")
    await rig.rmdir(b"d")
    await rig.drain()
    await rig.mkdir(b"d")
    await rig.drain()
    rig.plan.add("list", showing(before), path=b"d")
    await rig.directories._list((await rig.resolve(b"d")).ino)
    assert await rig.names(b"d") == []


async def test_a_directory_that_is_only_inferred_from_names_that_lag(rig: Rig, store: MemoryStore) -> None:
    """Stores without directories of their own show one for as long as a name below it is listed."""
    await rig.mkdir(b"d")
    await rig.drain()
    await settle(rig)
    inferred = Page([replace(row, attributes=None) for row in (await listed(store)).entries])
    await rig.rmdir(b"d")
    await rig.drain()
    rig.plan.add("list", showing(inferred))
    rig.plan.add("stat", Answer(inferred.entries[0]), path=b"d")
    assert await refresh(rig) == []
    assert not rig.plan.pending


@pytest.mark.parametrize("seconds", [1.0, LAG + 1], ids=["at once", "later"])
async def test_what_others_do_shows_all_the_same(
    rig: Rig, store: MemoryStore, tree: MemoryTree, seconds: float
) -> None:
    for name in (b"changed", b"deleted", b"kept"):
        await rig.create(name, b"ours")
    await rig.unlink(b"kept")
    await rig.drain()
    await trio.sleep(seconds)
    plant(tree, b"changed", b"theirs")
    plant(tree, b"kept", b"theirs")
    plant(tree, b"new", b"theirs")
    uproot(tree, b"deleted")
    assert await refresh(rig) == [b"changed", b"kept", b"new"]
    for name in (b"changed", b"kept", b"new"):
        assert await rig.read(name) == b"theirs"


async def test_who_does_not_get_an_answer_leaves_it_as_it_is(rig: Rig, store: MemoryStore) -> None:
    await settle(rig)
    before = await listed(store)
    await rig.create(b"new", b"content")
    await rig.drain()
    rig.plan.add("list", showing(before))
    rig.plan.add("stat", Refuse(), path=b"new")
    assert await refresh(rig) == [b"new"]


async def test_an_undoubted_listing_asks_for_nothing_else(rig: Rig, store: MemoryStore, tree: MemoryTree) -> None:
    await rig.create(b"ours", b"content")
    await rig.drain()
    await settle(rig)
    for number in range(300):
        plant(tree, b"%d" % number)
    store.calls.clear()
    assert len(await refresh(rig)) == 301
    assert store.calls == {"list": 1}


async def test_only_contradictions_are_asked_about(rig: Rig, store: MemoryStore) -> None:
    await settle(rig)
    for number in range(50):
        await rig.create(b"%d" % number, b"content")
    await rig.drain()
    store.calls.clear()
    assert len(await refresh(rig)) == 50
    assert store.calls == {"list": 1}


async def test_a_file_that_is_renamed_while_it_is_stored_is_not_listed_where_it_was_sent(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing is answered when the store has the file, and the uploader is not done with it."""
    directory = (await rig.mkdir(b"d")).ino
    await rig.drain()
    synced, recorded = trio.Event(), trio.Event()

    async def slowly() -> None:
        recorded.set()
        await synced.wait()

    putting, listing = Hold(answered=True), Hold()
    await rig.create(b"d/file", b"content")
    rig.plan.add("put", putting)
    rig.hasten()
    await putting.reached.wait()
    await rig.rename(b"d/file", b"file")
    rig.plan.add("list", listing)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.directories._list, directory)
        await listing.reached.wait()
        monkeypatch.setattr(rig.catalog.database, "synced", slowly)
        putting.gate.set()
        await recorded.wait()
        listing.gate.set()
    assert await rig.names(b"d") == []
    synced.set()
    await rig.drain()
    assert await rig.names(b"d") == []
    assert await rig.read(b"file") == b"content"
