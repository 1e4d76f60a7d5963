"""Whether a directory is there, asked by many at once."""

from __future__ import annotations

from typing import cast

import pytest
import trio

from cloudfs.errors import NotFound
from cloudfs.stores.base import Entry, Location
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.directories import SwiftDirectories
from cloudfs.stores.swift.listing import SwiftListing
from cloudfs.stores.swift.marks import Marks
from cloudfs.stores.swift.names import Names
from cloudfs.stores.swift.rows import directory_entry


class OneDirectory:
    """Knows ``there`` and nothing else, and counts who asks."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def stat(self, location: Location) -> Entry:
        self.asked.append(location.path)
        await trio.lowlevel.checkpoint()
        if location.path != b"there":
            raise NotFound(str(location))
        return directory_entry(location.name, None)


def directories(listing: OneDirectory) -> SwiftDirectories:
    return SwiftDirectories(cast(SwiftContainer, None), Names("", 1024), cast(SwiftListing, listing), Marks())


async def test_one_asks_for_all() -> None:
    listing = OneDirectory()
    found = directories(listing)
    async with trio.open_nursery() as nursery:
        for number in range(100):
            nursery.start_soon(found.require_parent, Location(b"there/%d" % number))
    assert listing.asked == [b"there"]


async def test_what_is_not_there_is_asked_for_again() -> None:
    listing = OneDirectory()
    found = directories(listing)
    for _ in range(2):
        with pytest.raises(NotFound):
            await found.require_parent(Location(b"gone/file"))
    assert listing.asked == [b"gone", b"gone"]


async def test_the_root_is_always_there() -> None:
    listing = OneDirectory()
    await directories(listing).require_parent(Location(b"file"))
    assert not listing.asked
