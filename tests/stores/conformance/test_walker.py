"""`Store.walker`: whole trees in few requests, for the stores that have it."""

from __future__ import annotations

import pytest

from cloudfs.errors import NotFound
from cloudfs.stores.base import Listing, Walker
from tests.stores.conformance.bench import Bench


def walker_of(bench: Bench) -> Walker:
    if bench.store.walker is None:
        pytest.skip("this store lists directory by directory")
    return bench.store.walker


async def walk(bench: Bench, path: bytes = b"") -> list[Listing]:
    return [listing async for listing in walker_of(bench).walk(await bench.at(path))]


async def plant(bench: Bench) -> None:
    """Names that a store which sorts whole paths has in another order than a tree has."""
    for directory in (b"a", b"a/deep", b"a/deep/er", b"a-b", b"empty", b"a/empty"):
        await bench.make_directory(directory)
    for path in (b"file", b"a.txt", b"a/1", b"a/2", b"a/deep/er/x", b"a-b/1", b"a/deep-1", b"z"):
        await bench.put(path, path)


async def test_every_directory_is_told_once_and_whole(bench: Bench) -> None:
    walker_of(bench)
    await plant(bench)
    listings = await walk(bench)
    paths = [listing.directory.path for listing in listings]
    assert sorted(paths) == [b"", b"a", b"a-b", b"a/deep", b"a/deep/er", b"a/empty", b"empty"]
    for listing in listings:
        told = sorted(listing.entries, key=lambda entry: entry.name)
        listed = sorted(await bench.entries(await bench.at(listing.directory.path)), key=lambda entry: entry.name)
        assert told == listed, listing.directory


async def test_the_directories_are_those_of_the_store(bench: Bench) -> None:
    walker_of(bench)
    await plant(bench)
    for listing in await walk(bench):
        assert listing.directory == await bench.at(listing.directory.path)


async def test_only_what_is_below(bench: Bench) -> None:
    walker_of(bench)
    await plant(bench)
    assert sorted(listing.directory.path for listing in await walk(bench, b"a")) == [
        b"a",
        b"a/deep",
        b"a/deep/er",
        b"a/empty",
    ]


async def test_an_empty_directory(bench: Bench) -> None:
    walker_of(bench)
    await bench.make_directory(b"empty")
    assert [(listing.directory.path, list(listing.entries)) for listing in await walk(bench, b"empty")] == [
        (b"empty", [])
    ]


async def test_more_names_than_a_page(bench: Bench) -> None:
    walker_of(bench)
    for number in range(20):
        await bench.make_directory(b"%02d" % number)
        await bench.put(b"%02d/file" % number, b"x")
    assert len(await walk(bench)) == 21


async def test_what_is_not_there(bench: Bench) -> None:
    walker_of(bench)
    with pytest.raises(NotFound):
        await walk(bench, b"nowhere")
