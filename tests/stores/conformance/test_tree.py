"""`Store.make_directory`, `Store.move` and `Store.delete`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudfs.errors import DirectoryNotEmpty, NotFound, VersionMismatch
from cloudfs.stores.base import Location
from cloudfs.types import Version
from tests.stores.conformance.bench import DIRECTORY, Bench

NONSENSE = Version("no-such-version")


async def test_a_directory_that_is_there_gets_the_attributes(bench: Bench) -> None:
    await bench.make_directory(b"d")
    await bench.put(b"d/file", b"kept")
    entry = await bench.make_directory(b"d", replace(DIRECTORY, mtime_ns=5))
    assert (entry.is_directory, entry.mtime_ns) == (True, bench.kept(5))
    assert await bench.stat(b"d") == entry
    assert await bench.read(b"d/file") == b"kept"


async def test_the_root_gets_attributes_too(bench: Bench) -> None:
    entry = await bench.make_directory(b"", replace(DIRECTORY, mtime_ns=5))
    assert await bench.stat(b"") == entry
    assert entry.mtime_ns == bench.kept(5)


async def test_a_directory_does_not_replace_a_file(bench: Bench) -> None:
    await bench.put(b"file", b"x")
    with pytest.raises(VersionMismatch):
        await bench.make_directory(b"file")
    assert await bench.read(b"file") == b"x"


async def test_a_directory_needs_a_parent(bench: Bench) -> None:
    await bench.put(b"file", b"x")
    for path in (b"missing/d", b"file/d"):
        with pytest.raises(NotFound):
            await bench.make_directory(path)
    assert await bench.names() == [b"file"]


async def test_deep_trees(bench: Bench) -> None:
    path = b""
    for _ in range(min(30, (bench.can.max_path or 4096) // 51 - 1)):
        path += b"/" + b"d" * 50 if path else b"d" * 50
        await bench.make_directory(path)
    await bench.put(path + b"/file", b"deep down")
    assert await bench.read(path + b"/file") == b"deep down"


# --- move --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [b"new", b"d/file", b"d/new"])
async def test_a_file_moves(bench: Bench, target: bytes) -> None:
    await bench.make_directory(b"d")
    before = await bench.put(b"file", b"moved")
    entry = await bench.move(b"file", target)
    assert entry == await bench.stat(target)
    assert (entry.name, entry.attributes) == (Location(target).name, before.attributes)
    assert (entry.size, entry.mtime_ns, entry.identity) == (before.size, before.mtime_ns, before.identity)
    assert await bench.read(target) == b"moved"
    assert b"file" not in await bench.names()


async def test_a_file_that_moves_keeps_its_version(bench: Bench) -> None:
    """Within a directory and between two, and onto what it replaces; whoever lists it later sees the same."""
    await bench.make_directory(b"d")
    version = (await bench.put(b"file", b"moved")).version
    old = await bench.put(b"d/old", b"replaced")
    way = ((b"new", None), (b"d/new", None), (b"d/newer", None), (b"d/old", old.version), (b"file", None))
    source = b"file"
    for target, replaces in way:
        moved = await bench.move(source, target, replaces)
        listed = await bench.entries(await bench.at(Location(target).parent_path))
        assert [entry.version for entry in (moved, await bench.stat(target))] == [version, version]
        assert [entry.version for entry in listed if entry.name == moved.name] == [version]
        source = target


async def test_a_move_replaces_only_what_is_known(bench: Bench) -> None:
    await bench.put(b"file", b"file")
    old = await bench.put(b"target", b"target")
    for replaces in (None, NONSENSE):
        with pytest.raises(VersionMismatch):
            await bench.move(b"file", b"target", replaces)
    assert [await bench.read(b"file"), await bench.read(b"target")] == [b"file", b"target"]
    await bench.move(b"file", b"target", old.version)
    assert await bench.names() == [b"target"]
    assert await bench.read(b"target") == b"file"


async def test_a_move_does_not_replace_what_is_gone(bench: Bench) -> None:
    await bench.put(b"file", b"file")
    with pytest.raises(VersionMismatch):
        await bench.move(b"file", b"target", NONSENSE)
    assert await bench.names() == [b"file"]


async def test_a_file_does_not_move_onto_a_directory(bench: Bench) -> None:
    await bench.put(b"file", b"file")
    await bench.make_directory(b"d")
    for replaces in (None, Version("")):
        with pytest.raises(VersionMismatch):
            await bench.move(b"file", b"d", replaces)
    assert await bench.names() == [b"d", b"file"]


async def test_what_is_not_there_does_not_move(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await bench.store.move(Location(b"missing"), await bench.at(b"target"))
    with pytest.raises(NotFound):
        await bench.store.move(Location(b"missing/file"), await bench.at(b"target"))


async def test_a_move_needs_a_directory(bench: Bench) -> None:
    await bench.put(b"file", b"file")
    with pytest.raises(NotFound):
        await bench.move(b"file", b"missing/file")
    assert await bench.read(b"file") == b"file"


async def test_a_move_to_where_it_is_changes_nothing(bench: Bench) -> None:
    entry = await bench.put(b"file", b"file")
    assert await bench.move(b"file", b"file") == entry
    assert await bench.read(b"file") == b"file"


async def test_a_directory_moves_with_all_that_is_in_it(bench: Bench) -> None:
    if not bench.can.directory_move:
        pytest.skip("the store does not move directories")
    await bench.make_directory(b"d")
    await bench.make_directory(b"d/e")
    await bench.make_directory(b"other")
    await bench.put(b"d/e/file", b"inside")
    entry = await bench.move(b"d", b"other/new")
    assert (entry.name, entry.is_directory) == (b"new", True)
    assert await bench.read(b"other/new/e/file") == b"inside"
    assert await bench.names() == [b"other"]


async def test_a_directory_replaces_nothing(bench: Bench) -> None:
    if not bench.can.directory_move:
        pytest.skip("the store does not move directories")
    await bench.make_directory(b"d")
    await bench.make_directory(b"empty")
    file = await bench.put(b"file", b"x")
    for target, replaces in ((b"empty", None), (b"empty", Version("")), (b"file", None), (b"file", file.version)):
        with pytest.raises(VersionMismatch):
            await bench.move(b"d", target, replaces)
    assert await bench.names() == [b"d", b"empty", b"file"]


# --- delete ------------------------------------------------------------------------------------------------------


async def test_a_known_file_is_deleted(bench: Bench) -> None:
    entry = await bench.put(b"file", b"x")
    await bench.delete(b"file", entry.version)
    assert await bench.names() == []


async def test_what_is_gone_is_deleted(bench: Bench) -> None:
    await bench.put(b"file", b"x")
    for path in (b"missing", b"missing/below", b"file/below"):
        await bench.store.delete(Location(path), NONSENSE)
        await bench.store.delete(Location(path), None)
    assert await bench.names() == [b"file"]


async def test_nothing_unknown_is_deleted(bench: Bench) -> None:
    known = await bench.put(b"file", b"x")
    await bench.through(bench.other).put(b"file", b"theirs", replaces=known.version)
    await bench.make_directory(b"d")
    for path, version in ((b"file", known.version), (b"file", None), (b"d", NONSENSE)):
        with pytest.raises(VersionMismatch):
            await bench.delete(path, version)
    assert await bench.names() == [b"d", b"file"]


async def test_an_empty_directory_is_deleted(bench: Bench) -> None:
    await bench.make_directory(b"d")
    entry = await bench.put(b"d/file", b"x")
    with pytest.raises(DirectoryNotEmpty):
        await bench.delete(b"d")
    assert await bench.read(b"d/file") == b"x"
    await bench.delete(b"d/file", entry.version)
    await bench.delete(b"d")
    assert await bench.names() == []


async def test_a_name_can_be_used_again_for_something_else(bench: Bench) -> None:
    entry = await bench.put(b"name", b"x")
    await bench.delete(b"name", entry.version)
    await bench.make_directory(b"name")
    await bench.delete(b"name")
    await bench.put(b"name", b"again")
    assert await bench.read(b"name") == b"again"
