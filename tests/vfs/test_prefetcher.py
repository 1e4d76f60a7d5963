"""A tree is read about as fast as the line carries it, and nothing is fetched for those who do not read it in order."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from cloudfs.stores.base import Location
from cloudfs.stores.faults import Refuse
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import ROOT, Version
from tests.vfs.planting import plant
from tests.writeback.rig import Rig, mounted

ROUND_TRIP = 0.04


class Far(MemoryStore):
    """A store at the end of a long line; ``most`` counts the reads under way at once."""

    most = 0
    _under_way = 0

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            await trio.sleep(ROUND_TRIP)
            return await super().read(location, version, start, stop)
        finally:
            self._under_way -= 1


@pytest.fixture
def store(tree: MemoryTree) -> Far:
    return Far(tree, walks=True)


@pytest.fixture
def grown(tree: MemoryTree) -> list[bytes]:
    """The paths of 400 files in 20 directories, in the order of tar."""
    paths = [b"%02d/%02d" % (number // 20, number % 20) for number in range(400)]
    for path in paths:
        plant(tree, path, path * 100)
    return paths


async def read_all(rig: Rig, paths: list[bytes]) -> float:
    """Read files one after the other; how long it took."""
    started = trio.current_time()
    for path in paths:
        assert await rig.read(path) == path * 100
    return trio.current_time() - started


async def test_a_tree_is_read_in_a_few_round_trips(rig: Rig, store: Far, grown: list[bytes]) -> None:
    took = await read_all(rig, grown)
    assert took < 30 * ROUND_TRIP
    assert store.calls["read"] == len(grown)
    assert store.bytes_out == sum(len(path) * 100 for path in grown)


async def test_files_of_a_directory_before_those_below(rig: Rig, store: Far, tree: MemoryTree) -> None:
    """rsync reads in this order."""
    paths = [b"%02d/file" % number for number in range(0, 100, 2)] + [b"%02d" % number for number in range(1, 100, 2)]
    for path in paths:
        plant(tree, path, path * 100)
    took = await read_all(rig, sorted(paths, key=lambda path: (b"/" in path, path)))
    assert took < 30 * ROUND_TRIP
    assert store.calls["read"] <= len(paths) + 5


async def test_who_reads_here_and_there_gets_what_he_reads(rig: Rig, store: Far, grown: list[bytes]) -> None:
    chosen = random.Random(1).sample(grown, 60)
    await read_all(rig, chosen)
    await trio.sleep(10)
    assert store.calls["read"] <= 60 + 20


async def test_one_file_is_no_evidence(rig: Rig, store: Far, grown: list[bytes]) -> None:
    await read_all(rig, grown[:1])
    await trio.sleep(10)
    assert store.calls["read"] == 1


async def test_who_stops_costs_no_more_than_was_ahead(rig: Rig, store: Far, grown: list[bytes]) -> None:
    await read_all(rig, grown[:3])
    await trio.sleep(10)
    assert store.calls["read"] <= 3 + 8


async def test_two_readers_at_once(rig: Rig, store: Far, grown: list[bytes]) -> None:
    started = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_all, rig, grown[:200])
        nursery.start_soon(read_all, rig, grown[200:])
    assert trio.current_time() - started < 40 * ROUND_TRIP


async def test_what_is_here_is_not_fetched_again(rig: Rig, store: Far, grown: list[bytes]) -> None:
    await read_all(rig, grown)
    store.calls.clear()
    assert await read_all(rig, grown) == 0
    assert store.calls["read"] == 0


async def test_a_store_that_fails_ahead_is_nobodys_error(rig: Rig, store: Far, grown: list[bytes]) -> None:
    for path in grown[5:9]:
        rig.plan.add("read", Refuse(), path=path)
    for path in grown[:5]:
        assert await rig.read(path) == path * 100
    await trio.sleep(10)
    assert await read_all(rig, grown) < 60 * ROUND_TRIP


async def test_what_was_written_here_is_not_fetched(rig: Rig, store: Far, grown: list[bytes]) -> None:
    await rig.write(grown[4], b"x" * 600)
    await read_all(rig, grown[:4])
    await trio.sleep(10)
    assert await rig.read(grown[4]) == b"x" * 600


@pytest.fixture
async def small(tmp_path: Path, store: Far) -> AsyncIterator[Rig]:
    """A mount whose cache holds a fraction of the tree."""
    async with mounted(tmp_path, store, cache_time=600.0, cache_size=256 << 10) as rig:
        yield rig


async def test_in_a_small_cache_nothing_is_thrown_out_before_it_is_read(
    small: Rig, store: Far, tree: MemoryTree
) -> None:
    paths = [b"%03d" % number for number in range(200)]
    for path in paths:
        plant(tree, path, path * 100 * 40)
    for path in paths:
        assert await small.read(path) == path * 100 * 40
    assert store.calls["read"] <= len(paths) + 5
    assert small.cache.used <= small.cache.limit


async def test_without_a_cache_nothing_is_fetched_ahead(tmp_path: Path, store: Far, grown: list[bytes]) -> None:
    async with mounted(tmp_path, store, cache_time=600.0, cache_size=0) as rig:
        await read_all(rig, grown[:10])
        await trio.sleep(10)
        assert store.calls["read"] == 10
        assert rig.fs.node(ROOT).is_directory
