"""`AttributesStore` beyond what every store promises: when a sidecar is read, written, believed, merged and removed."""

from __future__ import annotations

import gzip
import logging
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
import trio

from cloudfs.errors import AccessDenied, DirectoryNotEmpty, NameRefused, NotFound, Unavailable
from cloudfs.stores.attributes import sidecar
from cloudfs.stores.attributes.format import SIDECAR, unpacked
from cloudfs.stores.attributes.store import AttributesStore
from cloudfs.stores.base import Capabilities, Entry, Location
from cloudfs.stores.faults import FaultPlan, FaultyStore, LoseAnswer, Refuse
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import Attributes, Version
from tests.stores.conformance.bench import DIRECTORY, FILE, MTIME, Bench, of_type

BY_PATH = Capabilities(directory_move=True, server_copy=True)
BY_ID = replace(BY_PATH, stable_identities=True, case_sensitive=False)
NOBODYS = Attributes(mode=stat.S_IFREG | 0o644, uid=7, gid=7, mtime_ns=MTIME)
"""The defaults, for files that are of that time."""


def defaults(entry: Entry) -> Attributes:
    return replace(NOBODYS, mode=stat.S_IFDIR | 0o755 if entry.is_directory else NOBODYS.mode, mtime_ns=entry.mtime_ns)


@dataclass
class Account:
    """A tree that knows no attributes, with two clients that do (`here`, `there`) and one that does not (`plain`)."""

    can: Capabilities
    tree: MemoryTree = field(default_factory=MemoryTree)
    plan: FaultPlan = field(default_factory=FaultPlan)

    def __post_init__(self) -> None:
        self.inner = MemoryStore(self.tree, self.can, page=5, walks=True, feeds=self.can.stable_identities)
        self.here = self.client()
        other = AttributesStore(MemoryStore(self.tree, self.can), defaults)
        self.there = Bench(other, other)
        self.plain = Bench(MemoryStore(self.tree, self.can), self.inner)

    def client(self) -> Bench:
        """Another one that has to find out everything."""
        store = AttributesStore(FaultyStore(self.inner, self.plan), defaults)
        return Bench(store, store)

    async def recorded(self, directory: bytes = b"") -> Mapping[bytes, Attributes]:
        """What the sidecar says, by name."""
        data = await self.plain.read(directory + b"/" + SIDECAR if directory else SIDECAR)
        return {record.name: record.attributes for record in unpacked(data).values()}


@pytest.fixture(params=[BY_PATH, BY_ID], ids=["path", "id"])
def account(request: pytest.FixtureRequest) -> Account:
    return Account(request.param)


async def attributes(bench: Bench, path: bytes) -> Attributes | None:
    """As a listing says them."""
    directory, _, name = path.rpartition(b"/")
    return next(entry.attributes for entry in await bench.entries(await bench.at(directory)) if entry.name == name)


# --- requests ----------------------------------------------------------------------------------------------------


async def test_a_cold_listing_reads_one_sidecar(account: Account) -> None:
    for number in range(20):
        await account.here.put(b"%d" % number)
    cold = account.client()
    account.inner.calls.clear()
    assert len(await cold.entries(Location(b""))) == 20
    assert (account.inner.calls["read"], account.inner.calls["stat"]) == (1, 0)
    await cold.entries(Location(b""))
    assert account.inner.calls["read"] == 1, "it had not changed"


async def test_changes_at_the_same_time_are_one_write(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar, "_LINGER", 60.0)  # however busy the machine is; nobody waits once all are there
    await account.here.make_directory(b"d")
    account.inner.calls.clear()
    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(account.here.put, b"d/%d" % number)
    assert account.inner.calls["put"] == 51
    assert len(await account.recorded(b"d")) == 50


async def test_what_has_the_defaults_needs_no_sidecar(account: Account) -> None:
    entry = await account.here.put(b"file", b"x", NOBODYS)
    await account.here.make_directory(b"d", defaults(replace(entry, is_directory=True)))
    assert await account.plain.names() == [b"d", b"file"]
    changed = await account.here.set_attributes(b"file", entry.version, NOBODYS.with_mode(stat.S_IFREG | 0o600))
    assert await account.plain.names() == [SIDECAR, b"d", b"file"]
    await account.here.set_attributes(b"file", changed.version, NOBODYS)
    assert await attributes(account.there, b"file") == NOBODYS, "there was a record, so there is one that says so"


async def test_the_store_knows_the_time_too(account: Account) -> None:
    entry = await account.here.put(b"file", b"x")
    assert (await account.plain.stat(b"file")).mtime_ns == MTIME
    account.inner.calls.clear()
    await account.here.set_attributes(b"file", entry.version, FILE.with_mode(stat.S_IFREG | 0o600))
    assert account.inner.calls["set_attributes"] == 0, "the time stayed the same"
    await account.here.set_attributes(b"file", entry.version, replace(FILE, mtime_ns=5))
    assert (await account.plain.stat(b"file")).mtime_ns == 5


# --- other clients -----------------------------------------------------------------------------------------------


async def test_what_another_client_wrote_has_no_old_attributes(account: Account) -> None:
    entry = await account.here.put(b"file", b"ours", replace(FILE, mode=stat.S_IFREG | 0o4755))
    await account.plain.put(b"file", b"them", NOBODYS, replaces=entry.version)
    for client in (account.here, account.there):
        assert await attributes(client, b"file") is None
        assert (await client.stat(b"file")).attributes is None


async def test_two_who_write_the_same_sidecar_lose_nothing(account: Account) -> None:
    await account.here.put(b"first")
    await account.there.put(b"second")
    await account.here.put(b"third")
    async with trio.open_nursery() as nursery:
        for number in range(20):
            client = (account.here, account.there)[number % 2]
            nursery.start_soon(client.put, b"%02d" % number)
    assert len(await account.recorded()) == 23
    assert {entry.attributes for entry in await account.client().entries(Location(b""))} == {FILE}


async def test_a_rename_by_another_client_keeps_attributes_where_objects_have_identities() -> None:
    account = Account(BY_ID)
    await account.here.put(b"file", b"x")
    await account.plain.move(b"file", b"other")
    assert await attributes(account.there, b"other") == FILE


async def test_what_others_removed_leaves_the_sidecar_with_the_next_write(account: Account) -> None:
    for name in (b"kept", b"gone"):
        await account.here.put(name)
    await account.plain.delete(b"gone", (await account.plain.stat(b"gone")).version)
    await account.here.entries(Location(b""))
    await account.here.put(b"new")
    assert sorted(await account.recorded()) == [b"kept", b"new"]


async def test_a_feed_tells_of_attributes_that_another_client_changed() -> None:
    account = Account(BY_ID)
    entry = await account.here.put(b"file", b"x")
    feed = account.here.store.feed
    assert feed is not None
    cursor = (await feed.changes(None)).cursor
    wanted = FILE.with_mode(stat.S_IFREG | 0o600)
    await account.there.set_attributes(b"file", entry.version, wanted)
    news = await feed.changes(cursor)
    told = {change.entry.name: change.entry.attributes for change in news.changes if change.entry is not None}
    assert told[b"file"] == wanted
    assert SIDECAR not in told


async def test_a_feed_tells_of_attributes_that_were_already_noticed_otherwise() -> None:
    account = Account(BY_ID)
    entry = await account.here.put(b"file", b"x")
    await account.here.put(b"other")
    feed = account.here.store.feed
    assert feed is not None
    cursor = (await feed.changes(None)).cursor
    wanted = FILE.with_mode(stat.S_IFREG | 0o600)
    await account.there.set_attributes(b"file", entry.version, wanted)
    await account.here.stat(b"other")
    news = await feed.changes(cursor)
    told = {change.entry.name: change.entry.attributes for change in news.changes if change.entry is not None}
    assert told[b"file"] == wanted


async def test_a_feed_asks_once_for_the_attributes_in_a_directory_and_is_not_astonished_at_its_own() -> None:
    account = Account(BY_ID)
    feed = account.here.store.feed
    assert feed is not None
    await account.here.make_directory(b"d")
    await account.here.put(b"d/first")
    cursor = (await feed.changes(None)).cursor
    for name in (b"a", b"b", b"c"):
        await account.here.put(b"d/" + name)
    account.inner.calls.clear()
    news = await feed.changes(cursor)
    assert {change.entry.name for change in news.changes if change.entry is not None} == {b"a", b"b", b"c"}
    assert (account.inner.calls["stat"], account.inner.calls["list"]) == (1, 0)


# --- what stands for what ----------------------------------------------------------------------------------------


async def test_a_link_to_somewhere_else_is_another_version(account: Account) -> None:
    link = of_type(stat.S_IFLNK, 0o777, target=b"\xff here")
    first = await account.here.put(b"link", b"", link)
    assert await account.plain.read(b"link") == b"\xff here"
    second = await account.here.put(b"link", b"", replace(link, target=b"there"), first.version)
    assert second.version != first.version
    assert (second.size, second.attributes) == (0, replace(link, target=b"there"))


@pytest.mark.parametrize(
    ("kind", "rdev", "text"),
    [
        (stat.S_IFIFO, 0, b"FIFO\n"),
        (stat.S_IFSOCK, 0, b"socket\n"),
        (stat.S_IFBLK, 0x811, b"block device 8:17\n"),
        (stat.S_IFCHR, 0x103, b"character device 1:3\n"),
    ],
    ids=["fifo", "socket", "block", "character"],
)
async def test_special_files_are_readable_texts(account: Account, kind: int, rdev: int, text: bytes) -> None:
    await account.here.put(b"special", b"", of_type(kind, 0o600, rdev=rdev))
    assert await account.plain.read(b"special") == text


async def test_hard_links_are_recorded(account: Account) -> None:
    linked = replace(FILE, link_group="g1")
    await account.here.put(b"a", b"x", linked)
    assert await attributes(account.there, b"a") == linked


# --- the sidecar itself ------------------------------------------------------------------------------------------


async def test_a_sidecar_is_never_seen(account: Account) -> None:
    await account.here.make_directory(b"d")
    await account.here.put(b"d/file")
    assert await account.here.names(b"d") == [b"file"]
    with pytest.raises(NotFound):
        await account.here.store.stat(Location(b"d/" + SIDECAR))
    for name in (SIDECAR, SIDECAR.upper()) if account.can is BY_ID else (SIDECAR,):
        with pytest.raises(NameRefused):
            await account.here.put(b"d/" + name)
        with pytest.raises(NameRefused):
            await account.here.make_directory(b"d/" + name)
        with pytest.raises(NameRefused):
            await account.here.move(b"d/file", b"d/" + name)
    walker = account.here.store.walker
    assert walker is not None
    walked = [entry.name async for listing in walker.walk(Location(b"")) for entry in listing.entries]
    assert sorted(walked) == [b"d", b"file"]


async def test_it_goes_where_its_directory_goes(account: Account) -> None:
    await account.here.make_directory(b"d")
    await account.here.make_directory(b"d/sub", DIRECTORY.with_mode(stat.S_IFDIR | 0o700))
    await account.here.put(b"d/sub/file")
    await account.here.move(b"d", b"moved")
    assert await attributes(account.here, b"moved/sub/file") == FILE
    assert await attributes(account.there, b"moved/sub/file") == FILE
    await account.here.put(b"moved/sub/another")
    assert sorted(await account.recorded(b"moved/sub")) == [b"another", b"file"]
    assert await attributes(account.there, b"moved") == DIRECTORY


async def test_a_directory_of_nothing_else_is_empty(account: Account) -> None:
    await account.here.make_directory(b"d")
    entry = await account.here.put(b"d/file")
    with pytest.raises(DirectoryNotEmpty):
        await account.here.delete(b"d")
    await account.here.delete(b"d/file", entry.version)
    assert await account.plain.names(b"d") == [SIDECAR]
    await account.client().delete(b"d")
    assert await account.here.names() == []


async def test_attributes_of_what_was_deleted_do_not_come_back(account: Account) -> None:
    await account.here.make_directory(b"d", DIRECTORY.with_mode(stat.S_IFDIR | 0o700))
    await account.here.delete(b"d")
    await account.plain.make_directory(b"d")
    assert await attributes(account.here, b"d") is None


@pytest.mark.parametrize(
    "data",
    [b"", b"not ours", gzip.compress(b"{}\n"), gzip.compress(b'{"cloudfs attributes":1}\n{')],
    ids=["empty", "not-ours", "no-header", "torn"],
)
async def test_a_foreign_sidecar_is_ignored_and_replaced(
    account: Account, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await account.plain.put(b"file", b"x", NOBODYS)
    await account.plain.put(SIDECAR, data, NOBODYS)
    with caplog.at_level(logging.WARNING):
        assert await account.here.names() == [b"file"]
    assert "cannot be read" in caplog.text
    await account.here.put(b"new")
    assert sorted(await account.recorded()) == [b"new"]


async def test_a_newer_sidecar_is_left_alone(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    data = gzip.compress(b'{"cloudfs attributes":2}\n')
    await account.plain.put(SIDECAR, data, NOBODYS)
    with pytest.raises(AccessDenied, match="later version"):
        await account.here.put(b"file")
    assert await account.plain.read(SIDECAR) == data
    assert "later version" in caplog.text


async def test_a_directory_of_that_name_is_left_alone(account: Account) -> None:
    await account.plain.make_directory(SIDECAR)
    with pytest.raises(AccessDenied, match="is a directory"):
        await account.here.put(b"file")


# --- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Refuse(), LoseAnswer()], ids=["refused", "answer lost"])
async def test_a_call_succeeds_only_if_its_record_is_stored(account: Account, fault: Refuse | LoseAnswer) -> None:
    await account.here.put(b"before")
    account.plan.add("put", fault, path=SIDECAR)
    with pytest.raises(Unavailable):
        await account.here.put(b"file", b"x")
    await account.here.put(b"file", b"x")
    assert sorted(await account.recorded()) == [b"before", b"file"]
    assert account.plan.pending == 0


async def test_who_shares_a_write_shares_its_failure(account: Account) -> None:
    failures = []

    async def put(name: bytes) -> None:
        try:
            await account.here.put(name)
        except Unavailable:
            failures.append(name)

    account.plan.add("put", Refuse(), path=SIDECAR)
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(put, b"%d" % number)
    assert len(failures) == 10
    for name in failures:
        await account.here.put(name)
    assert len(await account.recorded()) == 10


async def test_a_listing_fails_rather_than_without_attributes(account: Account) -> None:
    await account.here.put(b"file")
    account.plan.add("read", Refuse(), path=SIDECAR)
    cold = account.client()
    with pytest.raises(Unavailable):
        await cold.entries(Location(b""))
    assert await attributes(cold, b"file") == FILE


async def test_a_sidecar_that_changes_while_it_is_listed_is_read_again(account: Account) -> None:
    entry = await account.here.put(b"file")
    cold, wanted = account.client(), FILE.with_mode(stat.S_IFREG | 0o600)

    class ChangedMeanwhile:
        async def around(self, proceed: object) -> bytes:
            await account.there.set_attributes(b"file", entry.version, wanted)
            return await proceed()  # type: ignore[operator, no-any-return]

    account.plan.add("read", ChangedMeanwhile(), path=SIDECAR)
    assert await attributes(cold, b"file") == wanted


async def test_versions_of_directories_are_empty(account: Account) -> None:
    await account.here.make_directory(b"d")
    entry = await account.here.set_attributes(b"d", Version(""), replace(DIRECTORY, mtime_ns=3))
    assert (entry.version, entry.mtime_ns) == ("", 3)
    assert await attributes(account.there, b"d") == replace(DIRECTORY, mtime_ns=3)
