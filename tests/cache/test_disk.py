"""The promises of ``cache/contract.py``, kept by `DiskCache`."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from cloudfs.cache.blocks import BLOCK
from cloudfs.cache.contract import Cache, CachedContent, ContentKey
from cloudfs.cache.disk import DiskCache
from cloudfs.cache.sparse import write_all
from cloudfs.errors import StateInUse

from .conftest import (
    KEY,
    MEBI,
    damage,
    data_file,
    data_files,
    modes,
    noise,
    on_disk,
    origin_of,
    read_all,
    running,
    stage,
    sums_of,
)


async def test_it_is_a_cache(cache: DiskCache) -> None:
    promised: Cache = cache
    opened: CachedContent = promised.open(KEY, 5, origin_of(5).fetch)
    opened.close()


async def test_a_second_read_asks_nobody(cache: DiskCache) -> None:
    origin = origin_of(300_000)
    content = cache.open(KEY, 300_000, origin.fetch)
    assert content.read_nowait(10, 20) is None
    assert await content.read(0, 300_000) == origin.content
    asked = len(origin.asked)
    assert content.read_nowait(0, 300_000) == origin.content
    assert content.read_nowait(BLOCK - 3, BLOCK + 5) == origin.content[BLOCK - 3 : BLOCK + 5]
    assert await content.read(7, 200_000) == origin.content[7:200_000]
    assert len(origin.asked) == asked
    content.close()


async def test_reads_end_at_the_end_of_the_content(cache: DiskCache) -> None:
    origin = origin_of(100)
    content = cache.open(KEY, 100, origin.fetch)
    assert await content.read(90, 200) == origin.content[90:]
    assert await content.read(100, 200) == b""
    assert content.read_nowait(90, 4096) == origin.content[90:]
    assert content.read_nowait(300, 400) == b""
    content.close()


async def test_an_empty_content_needs_no_file(cache: DiskCache, home: Path, tmp_path: Path) -> None:
    staged = stage(tmp_path, b"")
    cache.adopt(KEY, 0, staged)
    content = cache.open(KEY, 0, origin_of(0).fetch)
    assert content.read_nowait(0, 4096) == b""
    content.close()
    assert not list(data_files(home))
    assert not staged.exists()


async def test_readers_of_one_version_share_it(cache: DiskCache) -> None:
    origin = origin_of(BLOCK)
    one, two = (cache.open(KEY, BLOCK, origin.fetch) for _ in range(2))
    await one.read(0, BLOCK)
    one.close()
    one.close()
    assert two.read_nowait(0, BLOCK) == origin.content
    two.close()


async def test_nobody_else_can_look_into_the_cache(cache: DiskCache, home: Path, tmp_path: Path) -> None:
    await read_all(cache, origin_of(1000))
    staged = stage(tmp_path, noise(1000))
    staged.chmod(0o644)
    cache.adopt(ContentKey("other"), 1000, staged)
    assert modes(home) == {"directory": {0o700}, "file": {0o600}}


async def test_two_processes_cannot_have_the_same_cache(cache: DiskCache, home: Path, nursery: trio.Nursery) -> None:
    with pytest.raises(StateInUse, match="another process"):
        DiskCache(home, MEBI, nursery)


async def test_a_key_is_never_a_path(cache: DiskCache) -> None:
    with pytest.raises(ValueError, match="not a content key"):
        await read_all(cache, origin_of(10), ContentKey("../../escape"))


# --- adopting -----------------------------------------------------------------------------------------------------


async def test_an_adopted_file_is_read_without_a_request(cache: DiskCache, tmp_path: Path) -> None:
    origin = origin_of(200_000)
    staged = stage(tmp_path, origin.content)
    inode = staged.stat().st_ino
    cache.adopt(KEY, 200_000, staged)
    assert not staged.exists()
    assert await read_all(cache, origin) == origin.content
    assert origin.asked == []
    assert data_file(cache._ledger.files.directory).stat().st_ino == inode


async def test_holes_of_an_adopted_file_are_not_believed(cache: DiskCache, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    with staged.open("wb") as file:
        file.seek(1 << 40)
        file.write(b"end")
    size = (1 << 40) + 3
    cache.adopt(KEY, size, staged)
    assert cache.used <= 2 * BLOCK
    content = cache.open(KEY, size, origin_of(10).fetch)
    assert content.read_nowait(1 << 40, size) == b"end"
    assert content.read_nowait(0, 10) is None
    content.close()


@pytest.mark.parametrize("size", [99, 101])
async def test_a_staged_file_of_another_size_is_not_adopted(cache: DiskCache, tmp_path: Path, size: int) -> None:
    staged = stage(tmp_path, noise(100))
    cache.adopt(KEY, size, staged)
    assert not staged.exists()
    assert cache.used == 0


async def test_damage_to_an_adopted_block_with_a_sum_is_noticed(cache: DiskCache, home: Path, tmp_path: Path) -> None:
    origin = origin_of(3 * BLOCK + 5)
    cache.adopt(KEY, len(origin.content), stage(tmp_path, origin.content), sums_of(origin.content))
    damage(data_file(home), BLOCK + 5)
    damage(data_file(home), 3 * BLOCK)
    assert await read_all(cache, origin) == origin.content
    assert origin.asked == [(BLOCK, 2 * BLOCK), (3 * BLOCK, 3 * BLOCK + 5)]


async def test_damage_is_noticed_also_if_the_content_was_open_when_it_was_adopted(
    cache: DiskCache, home: Path, tmp_path: Path
) -> None:
    origin = origin_of(3 * BLOCK)
    content = cache.open(KEY, 3 * BLOCK, origin.fetch)
    cache.adopt(KEY, 3 * BLOCK, stage(tmp_path, origin.content), sums_of(origin.content))
    damage(data_file(home), BLOCK + 5)
    assert content.read_nowait(0, BLOCK) == origin.content[:BLOCK]
    assert content.read_nowait(BLOCK, 2 * BLOCK) is None
    assert await content.read(0, 3 * BLOCK) == origin.content
    content.close()


async def test_adopting_what_is_open_serves_its_readers(cache: DiskCache, tmp_path: Path) -> None:
    origin = origin_of(8 * BLOCK)
    content = cache.open(KEY, 8 * BLOCK, origin.fetch)
    await content.read(3 * BLOCK, 4 * BLOCK)
    cache.adopt(KEY, 8 * BLOCK, stage(tmp_path, origin.content))
    assert content.read_nowait(0, 8 * BLOCK) == origin.content
    assert cache.used == 8 * BLOCK
    content.close()


async def test_adopting_while_the_same_version_is_fetched(cache: DiskCache, tmp_path: Path) -> None:
    origin = origin_of(8 * BLOCK)
    origin.hold()
    content = cache.open(KEY, 8 * BLOCK, origin.fetch)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(content.read, BLOCK, 2 * BLOCK)
        await trio.testing.wait_all_tasks_blocked()
        cache.adopt(KEY, 8 * BLOCK, stage(tmp_path, origin.content))
        origin.gate.set()
    assert content.read_nowait(0, 8 * BLOCK) == origin.content
    assert cache.used == 8 * BLOCK
    content.close()


async def test_a_cache_without_room_takes_nothing_and_still_reads(home: Path, tmp_path: Path) -> None:
    origin = origin_of(3 * BLOCK + 5)
    staged = stage(tmp_path, origin.content)
    async with running(home, limit=0) as cache:
        cache.adopt(KEY, len(origin.content), staged)
        assert not staged.exists()
        assert await read_all(cache, origin) == origin.content
        assert cache.used == 0
        assert not list(data_files(home))


async def test_a_staged_file_that_cannot_be_renamed_is_just_removed(
    cache: DiskCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    staged = stage(tmp_path, noise(100))
    monkeypatch.setattr("os.rename", refuse)
    cache.adopt(KEY, 100, staged)
    assert not staged.exists()
    assert cache.used == 0


async def test_what_is_written_into_a_file_that_was_dropped_meanwhile_is_not_believed(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write of several blocks is in a thread; before it ends, the file is evicted and another one begun."""
    begun, release = trio.Event(), threading.Event()

    def slow_write(descriptor: int, data: bytes, offset: int) -> None:
        if len(data) > 2 * BLOCK:
            trio.from_thread.run_sync(begun.set)
            release.wait(10)
        write_all(descriptor, data, offset)

    monkeypatch.setattr("cloudfs.cache.content.write_all", slow_write)
    origin = origin_of(20 * BLOCK)
    content = cache.open(KEY, 20 * BLOCK, origin.fetch)
    await content.read(19 * BLOCK, 20 * BLOCK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(content.read, 5 * BLOCK, 9 * BLOCK)
        await begun.wait()
        cache.shrink(0)
        assert await content.read(17 * BLOCK, 18 * BLOCK) == origin.content[17 * BLOCK : 18 * BLOCK]
        release.set()
    assert content.read_nowait(5 * BLOCK, 9 * BLOCK) is None
    assert cache.used == BLOCK
    content.close()


# --- room ---------------------------------------------------------------------------------------------------------


async def test_a_file_larger_than_the_cache_is_read_within_the_limit(home: Path) -> None:
    origin = origin_of(10 * MEBI + 17)
    async with running(home, limit=2 * MEBI) as cache:
        content = cache.open(KEY, len(origin.content), origin.fetch)
        for start in range(0, len(origin.content), 128 << 10):
            assert await content.read(start, start + (128 << 10)) == origin.content[start : start + (128 << 10)]
            assert cache.used <= 2 * MEBI
            assert on_disk(home) <= 2 * MEBI
        content.close()
    assert origin.bytes_asked < 2 * len(origin.content)


async def test_the_least_recently_used_content_goes_first(home: Path, tmp_path: Path) -> None:
    keys = [ContentKey(f"file-{n}") for n in range(6)]
    async with running(home, limit=6 * BLOCK) as cache:
        for n, key in enumerate(keys):
            cache.adopt(key, BLOCK, stage(tmp_path, noise(BLOCK, n)))
        await read_all(cache, origin_of(BLOCK, 0), keys[0])
        cache.shrink(3 * BLOCK)
        assert {path.name for path in data_files(home)} == {keys[0], keys[4], keys[5]}


async def test_open_contents_go_after_closed_ones(home: Path, tmp_path: Path) -> None:
    origin = origin_of(4 * BLOCK)
    other = ContentKey("other")
    async with running(home) as cache:
        content = cache.open(KEY, 4 * BLOCK, origin.fetch)
        await content.read(0, 4 * BLOCK)
        cache.adopt(other, 4 * BLOCK, stage(tmp_path, noise(4 * BLOCK)))
        assert cache.shrink(4 * BLOCK) == 4 * BLOCK
        assert content.read_nowait(0, 4 * BLOCK) == origin.content
        assert cache.shrink(0) == 4 * BLOCK
        assert content.read_nowait(0, 1) is None
        assert cache.used == on_disk(home) == 0
        assert await content.read(0, 4 * BLOCK) == origin.content
        content.close()


async def test_a_large_closed_content_loses_only_what_is_needed(home: Path, tmp_path: Path) -> None:
    data = noise(4 * MEBI)
    async with running(home) as cache:
        cache.adopt(KEY, 4 * MEBI, stage(tmp_path, data))
        freed = cache.shrink(3 * MEBI)
        assert MEBI <= freed <= MEBI + 2 * BLOCK
        assert cache.used == on_disk(home) == 4 * MEBI - freed
        content = cache.open(KEY, 4 * MEBI, origin_of(1).fetch)
        assert content.read_nowait(0, 2 * MEBI) == data[: 2 * MEBI]
        assert content.read_nowait(4 * MEBI - 1, 4 * MEBI) is None
        content.close()


async def test_without_holes_a_content_goes_as_a_whole(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudfs.cache.shelf.punch_hole", lambda descriptor, start, stop: False)
    origin = origin_of(4 * MEBI)
    async with running(home, limit=2 * MEBI) as cache:
        assert await read_all(cache, origin) == origin.content
        assert cache.used <= 2 * MEBI
        assert on_disk(home) <= 2 * MEBI


async def test_adopting_stays_within_the_limit(home: Path, tmp_path: Path) -> None:
    async with running(home, limit=MEBI) as cache:
        for n in range(40):
            cache.adopt(ContentKey(f"file-{n}"), 50_000, stage(tmp_path, noise(50_000, n)))
            assert cache.used <= MEBI
        assert on_disk(home) <= MEBI
        cache.adopt(KEY, 3 * MEBI, stage(tmp_path, noise(3 * MEBI)))
        assert on_disk(home) <= MEBI


async def test_forgotten_contents_are_deleted_once_nobody_reads_them(home: Path) -> None:
    origin = origin_of(BLOCK)
    async with running(home) as cache:
        content = cache.open(KEY, BLOCK, origin.fetch)
        await content.read(0, BLOCK)
        cache.forget(KEY)
        assert content.read_nowait(0, BLOCK) == origin.content
        content.close()
        assert cache.used == 0
        assert not list(data_files(home))
        await read_all(cache, origin)
        cache.forget(KEY)
        cache.forget(ContentKey("never-seen"))
        assert cache.used == 0
        assert not list(data_files(home))


async def test_a_full_disk_is_served_from_memory(
    cache: DiskCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(descriptor: int, data: bytes, offset: int) -> None:
        raise OSError(28, "No space left on device")

    origin = origin_of(3 * MEBI)
    monkeypatch.setattr("cloudfs.cache.content.write_all", full)
    content = cache.open(KEY, 3 * MEBI, origin.fetch)
    assert await content.read(0, 3 * MEBI) == origin.content
    assert await content.read(0, 10) == origin.content[:10]
    assert cache.used == 0
    content.close()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_reading_goes_on_after_the_cache_was_closed(home: Path) -> None:
    origin = origin_of(2 * BLOCK)
    async with running(home) as cache:
        content = cache.open(KEY, 2 * BLOCK, origin.fetch)
        await content.read(0, BLOCK)
        await cache.aclose()
        assert await content.read(0, 2 * BLOCK) == origin.content
        content.close()
        cache.adopt(KEY, 5, home / "no-such-file")
    async with running(home) as cache:
        assert cache.used >= BLOCK
