"""`Store.link`: several names of one object."""

from __future__ import annotations

import stat
from dataclasses import replace

import pytest

from cloudfs.errors import NotFound, VersionMismatch
from cloudfs.stores.base import Entry, Location
from cloudfs.types import Version
from tests.stores.conformance.bench import FILE, Bench, of_type


@pytest.fixture(autouse=True)
def _with_hard_links(bench: Bench) -> None:
    if not bench.can.hard_links:
        pytest.skip("the store has no hard links")


def group(entry: Entry) -> str:
    assert entry.attributes is not None
    return entry.attributes.link_group


async def test_a_link_is_another_name_of_the_same(bench: Bench) -> None:
    before = await bench.put(b"a", b"bytes")
    assert group(before) == ""
    await bench.make_directory(b"d")
    linked = await bench.link(b"a", b"d/b")
    assert linked == await bench.stat(b"d/b")
    assert await bench.stat(b"a") == replace(linked, name=b"a")
    assert group(linked)
    assert linked.version == before.version
    assert await bench.read(b"d/b") == b"bytes"


async def test_a_link_changes_no_version(bench: Bench) -> None:
    """Also where it replaces something; whoever lists both names later sees the same."""
    version = (await bench.put(b"a", b"bytes")).version
    old = await bench.put(b"c", b"replaced")
    for target, replaces in ((b"b", None), (b"c", old.version)):
        assert (await bench.link(b"a", target, replaces)).version == version
    listed = await bench.entries(await bench.at(b""))
    assert {entry.name: entry.version for entry in listed} == {b"a": version, b"b": version, b"c": version}


async def test_groups_are_different(bench: Bench) -> None:
    groups = set()
    for name in (b"a", b"b", b"c"):
        await bench.put(name, b"same")
        groups.add(group(await bench.link(name, name + b"2")))
    assert len(groups) == 3


async def test_names_of_one_object_change_together(bench: Bench) -> None:
    entry = await bench.put(b"a", b"bytes")
    await bench.link(b"a", b"b")
    attributes = replace(FILE, mode=stat.S_IFREG | 0o600, mtime_ns=42)
    changed = await bench.set_attributes(b"a", entry.version, attributes)
    assert await bench.stat(b"b") == replace(changed, name=b"b")


async def test_new_content_of_one_name_is_not_that_of_the_other(bench: Bench) -> None:
    entry = await bench.put(b"a", b"old")
    await bench.link(b"a", b"b")
    new = await bench.put(b"a", b"new", replaces=entry.version)
    assert [await bench.read(b"a"), await bench.read(b"b")] == [b"new", b"old"]
    assert group(new) == group(await bench.stat(b"b")) == ""


async def test_a_name_that_is_deleted_leaves_the_others(bench: Bench) -> None:
    entry = await bench.put(b"a", b"bytes")
    await bench.link(b"a", b"b")
    await bench.delete(b"a", entry.version)
    assert await bench.names() == [b"b"]
    assert await bench.read(b"b") == b"bytes"
    assert group(await bench.stat(b"b")) == ""


async def test_a_link_that_is_there_is_success(bench: Bench) -> None:
    await bench.put(b"a", b"bytes")
    first = await bench.link(b"a", b"b")
    assert await bench.link(b"a", b"b") == first
    assert await bench.link(b"a", b"b", Version("no-such-version")) == first
    assert await bench.names() == [b"a", b"b"]


async def test_a_link_replaces_only_what_is_known(bench: Bench) -> None:
    await bench.put(b"a", b"ours")
    theirs = await bench.put(b"b", b"theirs")
    await bench.make_directory(b"d")
    for target, replaces in ((b"b", None), (b"b", Version("other")), (b"d", Version("")), (b"none", theirs.version)):
        with pytest.raises(VersionMismatch):
            await bench.link(b"a", target, replaces)
    assert await bench.read(b"b") == b"theirs"
    await bench.link(b"a", b"b", theirs.version)
    assert await bench.read(b"b") == b"ours"
    assert await bench.names() == [b"a", b"b", b"d"]


async def test_a_name_replaces_another_name_of_the_same(bench: Bench) -> None:
    entry = await bench.put(b"a", b"bytes")
    await bench.link(b"a", b"b")
    moved = await bench.move(b"a", b"b", entry.version)
    assert await bench.names() == [b"b"]
    assert group(moved) == ""
    assert await bench.read(b"b") == b"bytes"


async def test_what_is_not_there_gets_no_other_name(bench: Bench) -> None:
    await bench.put(b"a", b"bytes")
    with pytest.raises(NotFound):
        await bench.store.link(Location(b"missing"), await bench.at(b"b"))
    with pytest.raises(NotFound):
        await bench.store.link(await bench.at(b"a"), Location(b"missing/b"))
    assert await bench.names() == [b"a"]


async def test_objects_without_bytes_have_several_names(bench: Bench) -> None:
    for kind, others in ((stat.S_IFLNK, {"target": b"nowhere"}), (stat.S_IFIFO, {})):
        name = b"%o" % kind
        await bench.put(name, b"", of_type(kind, 0o777, **others))
        linked = await bench.link(name, name + b"-too")
        assert group(linked)
        assert await bench.stat(name) == replace(linked, name=name)
