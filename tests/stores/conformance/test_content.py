"""`Store.put`, `Store.read`, `Store.checksum` and `Store.digest`."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from cloudfs.errors import NotFound, TooLarge, VersionMismatch
from cloudfs.stores.base import Location
from cloudfs.types import Version
from tests.stores.conformance.bench import FILE, LARGE, Bench, content
from tests.stores.sources import BrokenSource, BytesSource, Progress, SparseSource, UnreadableError

NONSENSE = Version("no-such-version")


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 4 << 20, LARGE + 1])
async def test_bytes_come_back(bench: Bench, size: int) -> None:
    data = content(size)
    entry = await bench.put(b"file", data)
    assert entry.size == size
    assert await bench.read(b"file") == data
    assert bench.progress.sent == size


@pytest.mark.parametrize(("start", "stop"), [(0, 0), (0, 1), (99, 100), (100, 100), (10, 90), (0, 100)])
async def test_a_range_is_read_exactly(bench: Bench, start: int, stop: int) -> None:
    data = content(100)
    await bench.put(b"file", data)
    assert await bench.read(b"file", start, stop) == data[start:stop]


async def test_a_range_of_a_large_file_is_read(bench: Bench) -> None:
    data = content(LARGE)
    await bench.put(b"file", data)
    assert await bench.read(b"file", LARGE - 5_000_001, LARGE - 7) == data[-5_000_001:-7]


async def test_only_the_known_version_is_read(bench: Bench) -> None:
    old = await bench.put(b"file", b"old content")
    await bench.put(b"file", b"new content", replaces=old.version)
    with pytest.raises(VersionMismatch):
        await bench.store.read(await bench.at(b"file"), old.version, 0, 3)


async def test_what_is_not_there_is_not_read(bench: Bench) -> None:
    await bench.make_directory(b"d")
    with pytest.raises(NotFound):
        await bench.store.read(Location(b"missing"), NONSENSE, 0, 0)
    with pytest.raises(VersionMismatch):
        await bench.store.read(await bench.at(b"d"), NONSENSE, 0, 0)


async def test_new_content_replaces_the_known_version(bench: Bench) -> None:
    old = await bench.put(b"file", b"old")
    new = await bench.put(b"file", b"newer", replaces=old.version)
    assert new.version != old.version
    assert await bench.read(b"file") == b"newer"
    assert await bench.names() == [b"file"]


async def test_other_bytes_are_another_version_also_with_size_and_time_the_same(bench: Bench) -> None:
    versions = set()
    last: Version | None = None
    for data in (b"one", b"two", b"six"):
        last = (await bench.put(b"file", data, replaces=last)).version
        assert last not in versions
        versions.add(last)


async def test_nothing_unknown_is_replaced(bench: Bench) -> None:
    entry = await bench.put(b"file", b"theirs")
    for replaces in (None, NONSENSE):
        with pytest.raises(VersionMismatch):
            await bench.put(b"file", b"ours", replaces=replaces)
        assert await bench.stat(b"file") == entry
        assert await bench.read(b"file") == b"theirs"


async def test_what_another_client_has_replaced_is_not_replaced(bench: Bench) -> None:
    known = await bench.put(b"file", b"first")
    await bench.through(bench.other).put(b"file", b"theirs", replaces=known.version)
    with pytest.raises(VersionMismatch):
        await bench.put(b"file", b"ours", replaces=known.version)
    assert await bench.read(b"file") == b"theirs"


async def test_what_is_gone_cannot_be_replaced(bench: Bench) -> None:
    known = await bench.put(b"file", b"first")
    await bench.delete(b"file", known.version)
    with pytest.raises(VersionMismatch):
        await bench.put(b"file", b"second", replaces=known.version)
    assert await bench.names() == []


async def test_a_directory_is_not_replaced(bench: Bench) -> None:
    await bench.make_directory(b"d")
    for replaces in (None, Version("")):
        with pytest.raises(VersionMismatch):
            await bench.put(b"d", b"x", replaces=replaces)
    assert (await bench.stat(b"d")).is_directory


async def test_the_directory_has_to_be_there(bench: Bench) -> None:
    await bench.put(b"file", b"x")
    for path in (b"missing/file", b"file/file"):
        with pytest.raises(NotFound):
            await bench.put(path, b"x")
    assert await bench.names() == [b"file"]


async def test_a_file_beyond_the_limit_is_too_large(bench: Bench) -> None:
    if bench.can.max_size is None:
        pytest.skip("the store has no limit")
    with pytest.raises(TooLarge):
        await bench.put(b"file", SparseSource(bench.can.max_size + 1, {}))
    assert await bench.names() == []


async def test_holes_read_as_zeros(bench: Bench) -> None:
    size = 3 << 20
    source = SparseSource(size, {5: b"begin", 1 << 20: b"middle", size - 3: b"end"})
    entry = await bench.put(b"sparse", source)
    assert entry.size == size
    expected = bytearray(size)
    expected[5:10], expected[1 << 20 : (1 << 20) + 6], expected[-3:] = b"begin", b"middle", b"end"
    assert await bench.read(b"sparse") == bytes(expected)


async def test_a_file_of_nothing_but_a_hole(bench: Bench) -> None:
    await bench.put(b"hole", SparseSource(100_000, {}))
    assert await bench.read(b"hole") == bytes(100_000)


@pytest.mark.parametrize("size", [0, 5, 4096, LARGE])
async def test_the_checksum_is_that_of_the_bytes(bench: Bench, size: int) -> None:
    if not bench.can.checksum:
        pytest.skip("the store has no checksums")
    data = content(size)
    entry = await bench.put(b"file", data)
    checksum = await bench.store.checksum(await bench.at(b"file"), entry.version)
    assert checksum
    assert checksum == await bench.store.digest(BytesSource(data))
    assert checksum != await bench.store.digest(BytesSource(data + b"\0"))


async def test_the_checksum_does_not_depend_on_where_the_holes_are(bench: Bench) -> None:
    if not bench.can.checksum:
        pytest.skip("the store has no checksums")
    data = b"\0" * 8192 + b"data" + b"\0" * 20_000
    with_holes = SparseSource(len(data), {8192: b"data"})
    entry = await bench.put(b"file", with_holes)
    checksum = await bench.store.checksum(await bench.at(b"file"), entry.version)
    assert checksum == await bench.store.digest(with_holes) == await bench.store.digest(BytesSource(data))


async def test_the_checksum_is_of_the_known_version(bench: Bench) -> None:
    old = await bench.put(b"file", b"old")
    await bench.put(b"file", b"new", replaces=old.version)
    with pytest.raises(VersionMismatch):
        await bench.store.checksum(await bench.at(b"file"), old.version)


async def test_of_two_who_make_the_same_name_one_wins(bench: Bench) -> None:
    outcomes: dict[bytes, bool] = {}
    location = await bench.at(b"file")

    async def contend(number: int) -> None:
        data = b"%06d" % number * 1000
        store = bench.other if number % 2 and bench.swaps else bench.store
        try:
            await store.put(location, BytesSource(data), FILE, replaces=None, transfer=Progress())
        except VersionMismatch:
            outcomes[data] = False
        else:
            outcomes[data] = True

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(contend, number)
    winners = [data for data, won in outcomes.items() if won]
    assert len(outcomes) == 10
    assert winners == [await bench.read(b"file")]
    assert await bench.names() == [b"file"]


async def test_many_are_stored_at_a_time(bench: Bench) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(bench.put, b"%02d" % number, b"content %d" % number)
    assert len(await bench.names()) == 50
    assert await bench.read(b"42") == b"content 42"


@pytest.mark.parametrize("offset", [0, 5 << 20])
async def test_a_source_that_fails_publishes_nothing(bench: Bench, offset: int) -> None:
    old = await bench.put(b"file", b"old")
    for replaces, name in ((None, b"new"), (old.version, b"file")):
        with pytest.raises(UnreadableError):
            await bench.put(name, BrokenSource(BytesSource(content(LARGE)), offset), replaces=replaces)
    assert await bench.names() == [b"file"]
    assert await bench.read(b"file") == b"old"


async def test_copies_are_made_by_the_store(bench: Bench) -> None:
    if not bench.can.server_copy:
        pytest.skip("the store does not copy")
    data = content(LARGE)
    await bench.put(b"file", data)
    attributes = replace(FILE, mtime_ns=77)
    entry = await bench.copy(b"file", b"copy", attributes)
    assert (entry.name, entry.size, entry.mtime_ns) == (b"copy", LARGE, bench.kept(77))
    assert await bench.read(b"copy") == data
    await bench.put(b"file", b"changed", replaces=(await bench.stat(b"file")).version)
    assert await bench.read(b"copy") == data


async def test_a_copy_replaces_only_what_is_known(bench: Bench) -> None:
    if not bench.can.server_copy:
        pytest.skip("the store does not copy")
    await bench.put(b"file", b"file")
    old = await bench.put(b"copy", b"other")
    for replaces in (None, NONSENSE):
        with pytest.raises(VersionMismatch):
            await bench.copy(b"file", b"copy", FILE, replaces)
    assert await bench.read(b"copy") == b"other"
    await bench.copy(b"file", b"copy", FILE, old.version)
    assert await bench.read(b"copy") == b"file"


async def test_only_the_known_version_is_copied(bench: Bench) -> None:
    if not bench.can.server_copy:
        pytest.skip("the store does not copy")
    await bench.put(b"file", b"file")
    source, target = await bench.at(b"file"), await bench.at(b"copy")
    with pytest.raises(VersionMismatch):
        await bench.store.copy(source, NONSENSE, target, FILE)
    with pytest.raises(NotFound):
        await bench.store.copy(Location(b"missing"), NONSENSE, target, FILE)
    assert await bench.names() == [b"file"]
