"""What the store in memory does for tests, besides keeping the promises of a store."""

from __future__ import annotations

import pytest

from cloudfs.errors import NotFound, QuotaExceeded
from cloudfs.stores.base import Capabilities, Location
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import Version
from tests.stores.conformance.bench import DIRECTORY, FILE, LARGE, Bench, content
from tests.stores.sources import SparseSource


async def test_calls_and_bytes_are_counted() -> None:
    store = MemoryStore(MemoryTree())
    bench = Bench(store, store)
    await bench.put(b"file", content(LARGE))
    await bench.read(b"file", 10, 30)
    await bench.names()
    with pytest.raises(NotFound):
        await bench.stat(b"missing")
    assert store.calls == {"put": 1, "stat": 2, "read": 1, "list": 1}
    assert (store.bytes_in, store.bytes_out) == (LARGE, 20)


async def test_each_client_counts_for_itself() -> None:
    tree = MemoryTree()
    mine, theirs = MemoryStore(tree), MemoryStore(tree)
    await Bench(mine, theirs).put(b"file", b"x")
    assert (mine.calls.total(), theirs.calls.total()) == (1, 0)


async def test_what_does_not_fit_is_refused() -> None:
    tree = MemoryTree(total=100)
    bench = Bench.of(lambda: MemoryStore(tree))
    old = await bench.put(b"file", content(60))
    with pytest.raises(QuotaExceeded):
        await bench.put(b"other", content(41))
    assert await bench.names() == [b"file"]
    await bench.put(b"file", content(100), replaces=old.version)
    usage = await bench.store.usage()
    assert (usage.used, usage.total, usage.free) == (100, 100, 0)
    await bench.delete(b"file", (await bench.stat(b"file")).version)
    assert (await bench.store.usage()).used == 0


async def test_room_is_counted_once_for_all_names() -> None:
    tree = MemoryTree()
    bench = Bench.of(lambda: MemoryStore(tree))
    entry = await bench.put(b"a", content(10))
    await bench.link(b"a", b"b")
    assert tree.used == 10
    await bench.delete(b"a", entry.version)
    assert tree.used == 10
    await bench.delete(b"b", entry.version)
    assert tree.used == 0


async def test_holes_take_no_memory() -> None:
    tree = MemoryTree()
    bench = Bench.of(lambda: MemoryStore(tree))
    await bench.put(b"sparse", SparseSource(1 << 40, {1 << 39: b"x"}))
    assert await bench.read(b"sparse", (1 << 39) - 1, (1 << 39) + 2) == b"\0x\0"


async def test_what_it_cannot_do_is_a_mistake_of_the_caller() -> None:
    tree = MemoryTree()
    bench = Bench.of(lambda: MemoryStore(tree, Capabilities()))
    await bench.put(b"file")
    await bench.make_directory(b"d")
    for call in (
        bench.link(b"file", b"name"),
        bench.copy(b"file", b"copy", FILE),
        bench.move(b"d", b"e"),
    ):
        with pytest.raises(NotImplementedError):
            await call


async def test_an_identity_that_is_unknown_is_not_looked_for_by_path() -> None:
    tree = MemoryTree()
    bench = Bench.of(lambda: MemoryStore(tree, Capabilities(stable_identities=True)))
    await bench.make_directory(b"d", DIRECTORY)
    await bench.put(b"d/file")
    with pytest.raises(NotFound):
        await bench.store.stat(Location(b"d/file", identity="gone"))
    with pytest.raises(NotFound):
        await bench.store.stat(Location(b"d/file", parent_identity="gone"))
    await bench.store.delete(Location(b"d/file", identity="gone"), Version("v1"))
    assert await bench.names(b"d") == [b"file"]
