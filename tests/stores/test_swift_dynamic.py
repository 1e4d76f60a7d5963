"""Dynamic large objects: ours, where nothing better is offered, and those of other programs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from cloudfs.errors import StoreError
from cloudfs.stores.base import Location
from cloudfs.stores.swift.account import Offer
from tests.servers.swift import SwiftCluster
from tests.stores.conformance.bench import Bench, content
from tests.stores.swift import Box

MEBI = 1 << 20
LARGE = content(3 * MEBI + 5)


@pytest.fixture
def box(swift_cluster: SwiftCluster) -> Box:
    return Box.make(swift_cluster)


@pytest.fixture
def dynamic_box(swift_cluster: SwiftCluster) -> Box:
    """At a provider that has no static ones."""
    return Box.make(swift_cluster, without=("bulk", "slo", "symlink"))


@pytest.fixture
def mistaken_box(swift_cluster: SwiftCluster) -> Box:
    """At a provider that has no large objects at all, which nobody has found out yet."""
    return replace(Box.make(swift_cluster, without=("bulk", "slo", "dlo", "symlink")), offer=Offer(), has_segments=True)


@asynccontextmanager
async def opened(box: Box, other: Box | None = None) -> AsyncIterator[Bench]:
    """Two clients with small segments."""
    bench = Bench(box.store(segment_size=MEBI), (other or box).store(segment_size=MEBI))
    yield bench
    await bench.aclose()


def segments(box: Box) -> list[str]:
    with box.raw() as raw:
        return raw.names(f"{box.container}_segments")


# --- ours ------------------------------------------------------------------------------------------------------------


async def test_a_large_file_has_its_size_for_those_who_know_what_is_offered_and_for_those_who_do_not(box: Box) -> None:
    """It was stored while ``/info`` did not answer, so it became a dynamic one, which listings show as empty."""
    async with opened(replace(box, offer=Offer()), box) as bench:
        entry = await bench.put(b"large", LARGE)
        for client in (bench, bench.through(bench.other)):
            assert await client.stat(b"large") == entry
            assert await client.entries(Location(b"")) == [entry]
            assert client.store.walker is not None
            async for listing in client.store.walker.walk(Location(b"")):
                assert list(listing.entries) == [entry]


async def test_attributes_that_change_are_not_listed_either(box: Box) -> None:
    async with opened(replace(box, offer=Offer()), box) as bench:
        entry = await bench.put(b"large", LARGE)
        assert entry.attributes is not None
        changed = await bench.set_attributes(b"large", entry.version, replace(entry.attributes, mode=0o100600))
        copied = await bench.copy(b"large", b"copy", entry.attributes)
        assert sorted(await bench.entries(Location(b"")), key=lambda each: each.name) == [copied, changed]
        assert sorted(await bench.through(bench.other).names()) == [b"copy", b"large"]
        assert [entry.size for entry in await bench.through(bench.other).entries(Location(b""))] == [len(LARGE)] * 2


async def test_nothing_empty_takes_the_place_of_a_file_where_there_are_no_large_objects(mistaken_box: Box) -> None:
    async with opened(mistaken_box) as bench:
        old = await bench.put(b"file", b"old")
        with pytest.raises(StoreError):
            await bench.put(b"file", LARGE, replaces=old.version)
        with pytest.raises(StoreError):
            await bench.put(b"new", LARGE)
        assert await bench.names() == [b"file"]
        assert await bench.read(b"file") == b"old"


@pytest.mark.parametrize("name", ["Größe und Rest", "100%25 sure", "what?#"])
async def test_the_container_may_have_any_name(dynamic_box: Box, name: str) -> None:
    box = replace(dynamic_box, container=name)
    with box.raw() as raw:
        raw("PUT")
    async with opened(box) as bench:
        old = await bench.put(b"file", LARGE)
        assert await bench.read(b"file") == LARGE
        await bench.put(b"file", LARGE[::-1], replaces=old.version)
        assert await bench.read(b"file") == LARGE[::-1]
        moved = await bench.move(b"file", b"moved")
        await bench.delete(b"moved", moved.version)
    assert segments(box) == []


# --- those of others -------------------------------------------------------------------------------------------------


def upload(box: Box, name: str, prefix: str, manifest: str) -> None:
    """Three segments and what leads to them, which is quoted, as swiftclient and rclone do it."""
    with box.raw() as raw:
        raw("PUT", container=f"{box.container}_segments")
        for number in range(3):
            raw("PUT", f"{prefix}{number}", name.encode(), container=f"{box.container}_segments")
        raw("PUT", name, X_Object_Manifest=f"{box.container}_segments/{manifest}")


def stored(box: Box, name: str) -> bytes:
    with box.raw() as raw:
        return raw("GET", name).content


async def test_its_segments_go_with_it(box: Box) -> None:
    upload(box, "a b", "a b/1/", "a%20b/1/")
    async with opened(box) as bench:
        entry = await bench.stat(b"a b")
        assert entry.size == 9
        await bench.delete(b"a b", entry.version)
    assert segments(box) == []


async def test_segments_of_a_name_that_looks_like_its_own_quoted_stay(box: Box) -> None:
    upload(box, "a b", "a b/1/", "a%20b/1/")
    upload(box, "a%20b", "a%20b/1/", "a%2520b/1/")
    async with opened(box) as bench:
        await bench.delete(b"a b", (await bench.stat(b"a b")).version)
    assert stored(box, "a%20b") == b"a%20b" * 3


async def test_segments_of_a_name_that_begins_alike_stay_when_it_is_deleted(box: Box) -> None:
    upload(box, "film", "film/", "film/")
    upload(box, "film2", "film2/", "film2/")
    async with opened(box) as bench:
        await bench.delete(b"film", (await bench.stat(b"film")).version)
    assert segments(box) == ["film2/0", "film2/1", "film2/2"]
    assert stored(box, "film2") == b"film2" * 3


async def test_segments_of_a_name_that_begins_alike_stay_when_it_is_replaced(box: Box) -> None:
    upload(box, "film", "film/", "film/")
    upload(box, "film2", "film2/", "film2/")
    async with opened(box) as bench:
        await bench.put(b"film", b"new", replaces=(await bench.stat(b"film")).version)
    assert stored(box, "film") == b"new"
    assert stored(box, "film2") == b"film2" * 3
