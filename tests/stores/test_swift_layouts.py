"""Large objects are read from their segments, and what is read is what the version had."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from cloudfs.errors import NotFound, VersionMismatch
from cloudfs.http.message import Answer
from cloudfs.stores.base import Entry, Known, Location
from cloudfs.stores.swift.account import SwiftAccount
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.layouts import LayoutReader
from cloudfs.stores.swift.rows import etag_in
from cloudfs.stores.swift.store import SwiftStore
from cloudfs.types import Attributes, Extent, Version
from tests.servers.swift import SwiftCluster
from tests.stores.sources import BytesSource, Progress
from tests.stores.swift import Box

MEBI = 1 << 20
DATA = random.Random(1).randbytes(5 * MEBI + 12345)
FILE, OTHER = Location(b"file"), Location(b"other")
OWNER = Attributes(mode=0o100644, uid=0, gid=0, mtime_ns=0)


class Listening:
    """An account, and what was read from it: the container of each request."""

    def __init__(self, account: SwiftAccount) -> None:
        self.account = account
        self.asked: list[str] = []

    async def send(self, method: str, path: str, **keywords: Any) -> Answer:
        assert method == "GET"
        kind = (
            "manifest" if keywords.get("query") else "segment" if path.split("/")[0].endswith("_segments") else "file"
        )
        self.asked.append(kind)
        return await self.account.send(method, path, **keywords)

    def said(self) -> list[str]:
        asked, self.asked = self.asked, []
        return sorted(asked)


@pytest.fixture
def box(swift_cluster: SwiftCluster) -> Box:
    return Box.make(swift_cluster)


@pytest.fixture
async def store(box: Box) -> AsyncIterator[SwiftStore]:
    store = box.store(segment_size=MEBI)
    yield store
    await store.aclose()


@pytest.fixture
async def line(box: Box) -> AsyncIterator[Listening]:
    line = Listening(box.account())
    yield line
    await line.account.aclose()


@pytest.fixture
def reader(box: Box, line: Listening) -> LayoutReader:
    return LayoutReader(SwiftContainer(cast(SwiftAccount, line), box.container))


async def put(
    store: SwiftStore, data: bytes, replaces: Version | None = None, known: Known | None = None, at: Location = FILE
) -> Entry:
    more = {} if known is None else {"known": known}
    return await store.put(at, BytesSource(data), OWNER, replaces=replaces, transfer=Progress(), **more)


async def read(reader: LayoutReader, entry: Entry, start: int, stop: int, name: str = "file") -> bytes:
    return await reader.read(name, etag_in(entry.version), start, stop)


async def learn(reader: LayoutReader, entry: Entry, data: bytes) -> None:
    for start in (0, 100):
        assert await read(reader, entry, start, start + 50) == data[start : start + 50]


async def test_from_the_second_part_on_it_is_known_where_they_are(
    store: SwiftStore, reader: LayoutReader, line: Listening
) -> None:
    entry = await put(store, DATA)
    assert await read(reader, entry, 0, 10) == DATA[:10]
    assert line.said() == ["file"]
    assert await read(reader, entry, 5, 10) == DATA[5:10]
    assert line.said() == ["file", "manifest"]
    dice = random.Random(2)
    for _ in range(20):
        start = dice.randrange(len(DATA))
        stop = min(start + dice.randrange(1, MEBI // 4), len(DATA))
        assert await read(reader, entry, start, stop) == DATA[start:stop]
        within = start // MEBI == (stop - 1) // MEBI
        assert line.said() == ["segment" if within else "file"]
    for start in range(0, len(DATA), MEBI):
        assert await read(reader, entry, start, min(start + MEBI, len(DATA))) == DATA[start : start + MEBI]
    assert set(line.said()) == {"segment"}


async def test_parts_of_segments(store: SwiftStore, reader: LayoutReader, line: Listening) -> None:
    """Of a patched file: the middle of an old segment, then a new one, and the rest of the old one."""
    data = random.Random(3).randbytes(12 * MEBI)
    old = await put(store, data)
    at = 5 * MEBI + 300_000
    patched = data[:at] + b"patch" * 1000 + data[at + 5000 :]
    known = Known(FILE, old.version, kept=[Extent(0, at), Extent(at + 5000, len(data))])
    new = await put(store, patched, old.version, known)
    await learn(reader, new, patched)
    line.said()
    for start in range(0, len(data), 100_000):
        assert await read(reader, new, start, start + 1000) == patched[start : start + 1000]
    assert set(line.said()) == {"segment"}


async def test_small_files_have_no_layout(store: SwiftStore, reader: LayoutReader, line: Listening) -> None:
    entry = await put(store, b"small")
    for _ in range(3):
        assert await read(reader, entry, 1, 3) == b"ma"
    assert line.said() == ["file"] * 3


async def test_what_was_replaced_is_told(store: SwiftStore, reader: LayoutReader) -> None:
    old = await put(store, DATA)
    await learn(reader, old, DATA)
    new = await put(store, DATA[::-1], old.version)
    with pytest.raises(VersionMismatch):
        await read(reader, old, 0, 10)
    await learn(reader, new, DATA[::-1])
    await store.delete(FILE, new.version)
    with pytest.raises(NotFound):
        await read(reader, new, 0, 10)


async def test_the_same_content_with_other_segments(store: SwiftStore, reader: LayoutReader, line: Listening) -> None:
    """Two files, one etag: when the segments of one are gone, those of the other are found."""
    first, second = await put(store, DATA), await put(store, DATA, at=OTHER)
    assert etag_in(first.version) == etag_in(second.version)
    await learn(reader, first, DATA)
    await store.delete(FILE, first.version)
    line.said()
    for _ in range(3):
        assert await read(reader, second, 7, 99, "other") == DATA[7:99]
    assert line.said() == ["file"] * 3 + ["segment"]


async def test_a_moved_file_keeps_its_segments(store: SwiftStore, reader: LayoutReader, line: Listening) -> None:
    entry = await put(store, DATA)
    await learn(reader, entry, DATA)
    moved = await store.move(FILE, OTHER)
    line.said()
    assert await read(reader, moved, 7, 99, "other") == DATA[7:99]
    assert line.said() == ["segment"]
