"""`Store.set_attributes`, and the attributes that every other method keeps or sets."""

from __future__ import annotations

import os
import stat
from dataclasses import replace

import pytest
import trio

from cloudfs.errors import NotFound, VersionMismatch
from cloudfs.types import Attributes, Version
from tests.stores.conformance.bench import DIRECTORY, FILE, MTIME, Bench, of_type

LINK = of_type(stat.S_IFLNK, 0o777, target=b"../somewhere/else")
FIFO = of_type(stat.S_IFIFO, 0o640)
SOCKET = of_type(stat.S_IFSOCK, 0o755)
BLOCK = of_type(stat.S_IFBLK, 0o660, rdev=os.makedev(8, 17))
CHARACTER = of_type(stat.S_IFCHR, 0o600, rdev=os.makedev(1, 1023))
SPECIALS = [LINK, FIFO, SOCKET, BLOCK, CHARACTER]

MODES = [0o000, 0o200, 0o444, 0o644, 0o777, 0o1777, 0o2755, 0o4755, 0o7777]
TIMES = [0, 1, -1_500_000_001, MTIME, 2_147_483_648_000_000_001, 7_000_000_000_999_999_999]


@pytest.fixture(autouse=True)
def _with_attributes(bench: Bench) -> None:
    if not bench.can.attributes:
        pytest.skip("the store keeps no attributes; its wrapper does")


def kind(attributes: Attributes) -> str:
    return {LINK: "symlink", FIFO: "fifo", SOCKET: "socket", BLOCK: "block", CHARACTER: "char"}[attributes]


async def listed(bench: Bench, path: bytes) -> Attributes | None:
    """What a fresh listing by another client says."""
    entries = await bench.through(bench.other).entries(await bench.at(path.rpartition(b"/")[0]))
    return next(entry.attributes for entry in entries if entry.name == path.rpartition(b"/")[2])


@pytest.mark.parametrize("mode", MODES, ids=oct)
async def test_modes_of_files(bench: Bench, mode: int) -> None:
    attributes = of_type(stat.S_IFREG, mode)
    entry = await bench.put(b"file", b"readable to us", attributes)
    assert entry.attributes == attributes == await listed(bench, b"file")
    assert await bench.read(b"file") == b"readable to us"
    changed = await bench.put(b"file", b"and writable", attributes, entry.version)
    assert changed.attributes == attributes


@pytest.mark.parametrize("mode", MODES, ids=oct)
async def test_modes_of_directories(bench: Bench, mode: int) -> None:
    attributes = of_type(stat.S_IFDIR, mode)
    entry = await bench.make_directory(b"d", attributes)
    assert entry.attributes == attributes == await listed(bench, b"d")
    await bench.put(b"d/file", b"inside")
    assert await bench.read(b"d/file") == b"inside"
    assert await listed(bench, b"d") == attributes


@pytest.mark.parametrize("mtime_ns", TIMES)
async def test_times(bench: Bench, mtime_ns: int) -> None:
    for name, attributes in ((b"file", FILE), (b"link", LINK), (b"fifo", FIFO)):
        entry = await bench.put(name, b"", replace(attributes, mtime_ns=mtime_ns))
        assert entry.mtime_ns == mtime_ns
    await bench.make_directory(b"d", replace(DIRECTORY, mtime_ns=mtime_ns))
    for name in (b"file", b"link", b"fifo", b"d"):
        found = await listed(bench, name)
        assert found is not None
        assert found.mtime_ns == mtime_ns


@pytest.mark.parametrize("attributes", SPECIALS, ids=kind)
async def test_objects_without_bytes(bench: Bench, attributes: Attributes) -> None:
    entry = await bench.put(b"special", b"", attributes)
    assert (entry.is_directory, entry.size, entry.attributes) == (False, 0, attributes)
    assert entry.version
    assert await listed(bench, b"special") == attributes
    with pytest.raises(VersionMismatch):
        await bench.put(b"special", b"other", FILE)
    moved = await bench.move(b"special", b"moved")
    assert moved.attributes == attributes
    await bench.delete(b"moved", moved.version)
    assert await bench.names() == []


@pytest.mark.parametrize("attributes", SPECIALS, ids=kind)
async def test_an_object_is_replaced_by_one_of_another_type(bench: Bench, attributes: Attributes) -> None:
    file = await bench.put(b"name", b"bytes")
    special = await bench.put(b"name", b"", attributes, file.version)
    assert special.attributes == attributes
    again = await bench.put(b"name", b"bytes again", FILE, special.version)
    assert again.attributes == FILE
    assert await bench.read(b"name") == b"bytes again"
    assert len({file.version, special.version, again.version}) == 3


@pytest.mark.parametrize("target", [b"x", b"x" * 4095, b"\xff\n../..", b"/etc/passwd"], ids=len)
async def test_targets_of_symbolic_links(bench: Bench, target: bytes) -> None:
    await bench.put(b"link", b"", replace(LINK, target=target))
    attributes = await listed(bench, b"link")
    assert attributes is not None
    assert attributes.target == target


@pytest.mark.parametrize("attributes", [FILE, DIRECTORY], ids=["file", "directory"])
async def test_owners(bench: Bench, attributes: Attributes) -> None:
    theirs = replace(attributes, uid=12345, gid=54321)
    make = bench.make_directory if attributes.is_directory else bench.put
    await make(b"object", attributes=theirs)
    assert await listed(bench, b"object") == theirs
    await bench.set_attributes(b"object", (await bench.stat(b"object")).version, attributes)
    assert await listed(bench, b"object") == attributes


@pytest.mark.parametrize("attributes", [FILE, DIRECTORY], ids=["file", "directory"])
async def test_extended_attributes(bench: Bench, attributes: Attributes) -> None:
    many = replace(attributes, xattrs=((b"user.a", b"\0\xff"), (b"user.b", b""), (b"user.\xc3\xa9", b"v" * 500)))
    make = bench.make_directory if attributes.is_directory else bench.put
    entry = await make(b"object", attributes=many)
    assert entry.attributes == many == await listed(bench, b"object")
    few = replace(attributes, xattrs=((b"user.a", b"new"),))
    await bench.set_attributes(b"object", entry.version, few)
    assert await listed(bench, b"object") == few


# --- set_attributes ----------------------------------------------------------------------------------------------


async def test_attributes_change_and_bytes_do_not(bench: Bench) -> None:
    entry = await bench.put(b"file", b"bytes")
    attributes = replace(FILE, mode=stat.S_IFREG | 0o600, mtime_ns=99)
    changed = await bench.set_attributes(b"file", entry.version, attributes)
    assert (changed.attributes, changed.mtime_ns, changed.size) == (attributes, 99, 5)
    assert await bench.stat(b"file") == changed
    assert await bench.store.read(await bench.at(b"file"), changed.version, 0, 5) == b"bytes"


@pytest.mark.parametrize("attributes", SPECIALS, ids=kind)
async def test_attributes_of_objects_without_bytes_change(bench: Bench, attributes: Attributes) -> None:
    entry = await bench.put(b"special", b"", attributes)
    changed = replace(attributes, mtime_ns=99)
    if not stat.S_ISLNK(attributes.mode):
        changed = changed.with_mode(stat.S_IFMT(attributes.mode) | 0o604)
    assert (await bench.set_attributes(b"special", entry.version, changed)).attributes == changed
    assert await listed(bench, b"special") == changed


async def test_attributes_of_directories_change(bench: Bench) -> None:
    await bench.make_directory(b"d")
    for path in (b"d", b""):
        attributes = replace(DIRECTORY, mode=stat.S_IFDIR | 0o1700, mtime_ns=99)
        entry = await bench.set_attributes(path, Version(""), attributes)
        assert entry.attributes == attributes == (await bench.stat(path)).attributes


async def test_attributes_of_other_content_do_not_change(bench: Bench) -> None:
    old = await bench.put(b"file", b"old")
    new = await bench.put(b"file", b"new", replaces=old.version)
    await bench.make_directory(b"d")
    for path, version in ((b"file", old.version), (b"file", Version("")), (b"d", old.version)):
        with pytest.raises(VersionMismatch):
            await bench.set_attributes(path, version, replace(FILE, mtime_ns=1))
    assert await bench.stat(b"file") == new
    with pytest.raises(NotFound):
        await bench.set_attributes(b"missing", old.version, FILE)


async def test_a_copy_has_the_attributes_it_was_given(bench: Bench) -> None:
    if not bench.can.server_copy:
        pytest.skip("the store does not copy")
    before = await bench.put(b"file", b"x", replace(FILE, xattrs=((b"user.a", b"1"),)))
    attributes = replace(FILE, mode=stat.S_IFREG | 0o600, mtime_ns=3)
    entry = await bench.copy(b"file", b"copy", attributes)
    assert entry.attributes == attributes == await listed(bench, b"copy")
    assert await bench.stat(b"file") == before
    await bench.put(b"link", b"", LINK)
    assert (await bench.copy(b"link", b"link2", LINK)).attributes == LINK


async def test_an_mtime_holds_while_names_come_and_go(bench: Bench) -> None:
    await bench.make_directory(b"d")
    wanted = replace(DIRECTORY, mtime_ns=3)
    async with trio.open_nursery() as nursery:
        for number in range(40):
            nursery.start_soon(bench.put, b"d/%02d" % number)
            if number == 20:
                nursery.start_soon(bench.set_attributes, b"d", Version(""), wanted)
    assert await listed(bench, b"d") == wanted


# --- what happens in a directory leaves its mtime alone ----------------------------------------------------------


async def test_changes_of_names_leave_the_mtimes_of_directories(bench: Bench) -> None:
    await bench.make_directory(b"d")
    await bench.make_directory(b"e")

    async def unchanged() -> bool:
        return await listed(bench, b"d") == DIRECTORY == await listed(bench, b"e")

    first = await bench.put(b"d/file", b"1")
    assert await unchanged()
    second = await bench.put(b"d/file", b"2", replaces=first.version)
    assert await unchanged()
    await bench.put(b"d/link", b"", LINK)
    assert await unchanged()
    await bench.make_directory(b"d/sub")
    assert await unchanged()
    await bench.move(b"d/file", b"e/file")
    assert await unchanged()
    assert (await bench.stat(b"e/file")).mtime_ns == second.mtime_ns
    if bench.can.server_copy:
        await bench.copy(b"e/file", b"d/copy", FILE)
        assert await unchanged()
    if bench.can.hard_links:
        await bench.link(b"e/file", b"d/name")
        assert await unchanged()
    if bench.can.directory_move:
        await bench.move(b"d/sub", b"e/sub")
        assert await unchanged()
        await bench.delete(b"e/sub")
        assert await unchanged()
    await bench.delete(b"e/file", (await bench.stat(b"e/file")).version)
    assert await unchanged()
