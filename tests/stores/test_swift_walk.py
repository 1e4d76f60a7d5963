"""What a walk asks for by name: nothing that the listing told, or told to be known."""

from __future__ import annotations

import dataclasses

import httpx
import pytest

from cloudfs.stores.base import Entry, Location
from cloudfs.stores.swift.store import SwiftStore
from tests.servers.swift import SwiftCluster
from tests.servers.swift_counter import KINDS
from tests.servers.swift_files import Extras
from tests.stores.swift import Box

DIRECTORY = "application/directory"


@pytest.fixture
def box(swift_cluster: SwiftCluster) -> Box:
    return dataclasses.replace(Box.make(swift_cluster), swift=swift_cluster.front(extras=Extras(counted=True)))


def heads(box: Box) -> int:
    return int(httpx.get(box.swift.url + KINDS).json().get("HEAD object", 0))


async def walk(store: SwiftStore) -> dict[str, Entry]:
    """Every directory that is found."""
    assert store.walker is not None
    found = {}
    async for listing in store.walker.walk(Location(b"")):
        for entry in listing.entries:
            if entry.is_directory:
                found[f"{listing.directory.path.decode()}/{entry.name.decode()}".lstrip("/")] = entry
    return found


async def test_directories_that_nobody_marked_are_not_asked_for(box: Box) -> None:
    with box.raw() as raw:
        for name in ("a/b/c/1", "a/b/2", "a-b/3", "d/4"):
            raw("PUT", name, b"content")
    store, before = box.store(), heads(box)
    found = await walk(store)
    await store.aclose()
    assert sorted(found) == ["a", "a-b", "a/b", "a/b/c", "d"]
    assert heads(box) - before == 4  # the files, which have no attributes


async def test_markers_of_others_are_asked_for_once(box: Box) -> None:
    """With and without a slash, changed and not."""
    with box.raw() as raw:
        for name in ("slash/", "slash/inner/", "plain", "plain/inner", "both", "both/"):
            raw("PUT", name, Content_Type=DIRECTORY, X_Object_Meta_Mtime="1000000000.5")
        store, before = box.store(), heads(box)
        found = await walk(store)
        asked = heads(box) - before
        assert {name: entry.mtime_ns for name, entry in found.items()} == dict.fromkeys(
            ("slash", "slash/inner", "plain", "plain/inner", "both"), 1_000_000_000_500_000_000
        )
        assert await walk(store) == found
        assert heads(box) - before == asked
        raw("POST", "slash/inner/", Content_Type=DIRECTORY, X_Object_Meta_Mtime="5")
        raw("POST", "plain", Content_Type=DIRECTORY, X_Object_Meta_Mtime="6")
        found = await walk(store)
        assert (found["slash/inner"].mtime_ns, found["plain"].mtime_ns) == (5 * 10**9, 6 * 10**9)
        await store.settle(last=True)
        await store.aclose()
        store, before = box.store(), heads(box)
        assert await walk(store) == found
        await store.aclose()
        assert heads(box) == before
