"""`Store.list` and `Store.stat`."""

from __future__ import annotations

import pytest
import trio

from cloudfs.errors import NameRefused, NotFound
from cloudfs.stores.base import Location, valid_name
from tests.stores.conformance.bench import DIRECTORY, FILE, LARGE, MTIME, Bench, content
from tests.stores.sources import BytesSource, HeldSource

ODD_NAMES = [
    b"n" * 255,
    b"\xff\xfe not UTF-8 \x80",
    b"new\nline",
    b"-rf",
    b" leading and trailing ",
    b"trailing dot.",
    b"...",
    b"back\\slash",
    b'*?"<>|:%#&+;=@',
    b"\x01\x7f",
    "d\N{COMBINING ACUTE ACCENT}ecompose\N{LATIN SMALL LETTER E WITH ACUTE}".encode(),
    b".cloudfs-not-a-draft.part",
    b"CON",
]


async def test_a_new_store_is_empty(bench: Bench) -> None:
    assert await bench.names() == []


async def test_a_row_describes_a_file(bench: Bench) -> None:
    entry = await bench.put(b"file", b"seven b")
    assert await bench.entries(await bench.at(b"")) == [entry]
    assert (entry.name, entry.is_directory, entry.size, entry.mtime_ns) == (b"file", False, 7, bench.kept(MTIME))
    assert entry.version
    assert entry.attributes == (FILE if bench.can.attributes else None)
    assert bool(entry.identity) == bench.can.stable_identities


async def test_a_row_describes_a_directory(bench: Bench) -> None:
    entry = await bench.make_directory(b"directory")
    assert await bench.entries(await bench.at(b"")) == [entry]
    assert (entry.name, entry.is_directory, entry.size, entry.version) == (b"directory", True, 0, "")
    assert entry.attributes == (DIRECTORY if bench.can.attributes else None)
    assert bool(entry.identity) == bench.can.stable_identities


async def test_stat_says_what_the_listing_says(bench: Bench) -> None:
    await bench.make_directory(b"d")
    await bench.put(b"d/file", b"x")
    assert await bench.stat(b"d") in await bench.entries(await bench.at(b""))
    assert [await bench.stat(b"d/file")] == await bench.entries(await bench.at(b"d"))


async def test_the_root_is_a_directory(bench: Bench) -> None:
    assert (await bench.stat(b"")).is_directory


async def test_what_is_not_there_is_not_found(bench: Bench) -> None:
    await bench.put(b"file", b"x")
    for path in (b"missing", b"missing/below", b"file/below"):
        with pytest.raises(NotFound):
            await bench.store.stat(Location(path))


async def test_only_directories_are_listed(bench: Bench) -> None:
    await bench.put(b"file", b"x")
    for path in (b"missing", b"file"):
        with pytest.raises(NotFound):
            await bench.store.list(await bench.at(path))


async def test_each_directory_has_its_own_entries(bench: Bench) -> None:
    await bench.make_directory(b"d")
    await bench.make_directory(b"d/e")
    await bench.make_directory(b"dd")
    await bench.put(b"d/e/file")
    await bench.put(b"dd/file")
    await bench.put(b"d/file")
    assert await bench.names() == [b"d", b"dd"]
    assert await bench.names(b"d") == [b"e", b"file"]
    assert await bench.names(b"d/e") == [b"file"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=repr)
async def test_names_come_back_as_they_were_given(bench: Bench, name: bytes) -> None:
    assert valid_name(name)
    await bench.make_directory(b"d")
    entry = await bench.put(b"d/" + name, b"odd")
    assert entry.name == name
    assert await bench.names(b"d") == [name]
    assert await bench.read(b"d/" + name) == b"odd"
    await bench.move(b"d/" + name, name)
    assert await bench.names(b"d") == []
    await bench.delete(name, (await bench.stat(name)).version)
    assert await bench.names() == [b"d"]


async def test_names_that_differ_in_case_are_different(bench: Bench) -> None:
    if not bench.can.case_sensitive:
        pytest.skip("the store is not case sensitive; its wrapper is")
    await bench.put(b"name", b"small")
    await bench.put(b"NAME", b"large")
    assert [await bench.read(b"name"), await bench.read(b"NAME")] == [b"small", b"large"]


async def test_a_name_that_is_too_long_is_refused(bench: Bench) -> None:
    name = b"n" * (bench.can.max_name + 1)
    with pytest.raises(NameRefused):
        await bench.put(name, b"x")
    with pytest.raises(NameRefused):
        await bench.make_directory(name)
    assert await bench.names() == []


@pytest.mark.parametrize("path", [b"..", b".", b"../x", b"d/../x", b"d//x", b"d/.", b"nul\0"], ids=repr)
async def test_a_path_that_means_something_else_is_refused(bench: Bench, path: bytes) -> None:
    await bench.make_directory(b"d")
    with pytest.raises((NameRefused, NotFound)):
        await bench.store.put(Location(path), BytesSource(b"x"), FILE, replaces=None, transfer=bench.progress)
    assert await bench.names() == [b"d"]
    assert await bench.names(b"d") == []


async def test_a_long_listing_has_every_entry_once(bench: Bench) -> None:
    wanted = [b"%03d" % number for number in range(40)]
    for name in wanted:
        await bench.put(name)
    assert await bench.names() == wanted


async def test_what_stays_is_listed_once_whatever_changes_around_it(bench: Bench) -> None:
    stay = [b"%03d" % number for number in range(0, 60, 2)]
    for name in stay:
        await bench.put(name)
    doomed = {name: await bench.put(name) for name in (b"001", b"003", b"041", b"059")}
    root = await bench.at(b"")
    page = await bench.store.list(root)
    seen = [entry.name for entry in page.entries]
    for number in range(100):
        if page.cursor is None:
            break
        if doomed:
            name, entry = doomed.popitem()
            await bench.delete(name, entry.version)
        await bench.put(b"%03d-new" % (number % 60))
        page = await bench.store.list(root, page.cursor)
        seen += [entry.name for entry in page.entries]
    assert page.cursor is None
    assert sorted(name for name in seen if name in set(stay)) == stay
    assert len(seen) == len(set(seen))


async def test_an_unfinished_upload_does_not_appear(bench: Bench) -> None:
    source = HeldSource(BytesSource(content(LARGE)), LARGE - 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.put, b"large", source)
        await source.reached.wait()
        assert await bench.names() == []
        with pytest.raises(NotFound):
            await bench.stat(b"large")
        source.gate.set()
    assert await bench.names() == [b"large"]


async def test_another_client_sees_the_same(bench: Bench) -> None:
    await bench.make_directory(b"d")
    entry = await bench.put(b"d/file", b"shared")
    theirs = bench.through(bench.other)
    assert await theirs.entries(await theirs.at(b"d")) == [entry]
    assert await theirs.read(b"d/file") == b"shared"


async def test_an_identity_finds_what_another_client_renamed(bench: Bench) -> None:
    if not bench.can.stable_identities:
        pytest.skip("the store has no identities")
    await bench.put(b"old", b"x")
    known = await bench.at(b"old")
    await bench.through(bench.other).move(b"old", b"new")
    entry = await bench.store.stat(known)
    assert (entry.name, entry.identity) == (b"new", known.identity)
    assert await bench.store.read(known, entry.version, 0, 1) == b"x"


async def test_usage_counts(bench: Bench) -> None:
    usage = await bench.store.usage()
    assert usage.used >= 0
    assert usage.total is None or usage.total >= usage.used
