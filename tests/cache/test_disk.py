"""The promises of ``cache/contract.py``, kept by `DiskCache`."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from cloudfs.cache.blocks import BLOCK
from cloudfs.cache.contract import Cache, CachedContent, ContentKey
from cloudfs.cache.disk import DiskCache
from cloudfs.cache.files import DataFiles
from cloudfs.cache.sparse import write_all
from cloudfs.cache.sums import Sums
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


# --- restarts -----------------------------------------------------------------------------------------------------


async def test_a_restart_keeps_the_content(home: Path, tmp_path: Path) -> None:
    fetched, adopted = origin_of(300_000), origin_of(500_000, seed=2)
    other = ContentKey("other")
    async with running(home) as cache:
        await read_all(cache, fetched)
        cache.adopt(other, 500_000, stage(tmp_path, adopted.content))
        used = cache.used
    fetched.asked.clear()
    async with running(home) as cache:
        assert cache.used == used
        assert await read_all(cache, fetched) == fetched.content
        assert await read_all(cache, adopted, other) == adopted.content
    assert fetched.asked == adopted.asked == []


async def test_another_boot_drops_unsummed_blocks_and_keeps_summed_ones(home: Path, tmp_path: Path) -> None:
    fetched, adopted = origin_of(300_000), origin_of(2 * BLOCK, seed=2)
    other = ContentKey("other")
    async with running(home) as cache:
        await read_all(cache, fetched)
        cache.adopt(other, 2 * BLOCK, stage(tmp_path, adopted.content))
        content = cache.open(other, 2 * BLOCK, adopted.fetch)
        assert content.read_nowait(0, 10) is not None  # now the first block has a sum
        content.close()
    data_file(home, other).write_bytes(adopted.content[:BLOCK] + bytes(BLOCK))  # what a power cut leaves
    fetched.asked.clear()
    async with running(home, boot=b"after a power cut") as cache:
        assert await read_all(cache, fetched) == fetched.content
        assert await read_all(cache, adopted, other) == adopted.content
        assert fetched.asked == []
        assert adopted.asked == [(BLOCK, 2 * BLOCK)]


async def test_another_boot_keeps_what_was_adopted_with_sums(home: Path, tmp_path: Path) -> None:
    origin = origin_of(3 * BLOCK + 5)
    sums = Sums(len(origin.content))
    sums.note(*sums.measure(BLOCK, origin.content[BLOCK:]))
    async with running(home) as cache:
        cache.adopt(KEY, len(origin.content), stage(tmp_path, origin.content), sums)
    damage(data_file(home), 2 * BLOCK)
    async with running(home, boot=b"after a power cut") as cache:
        assert await read_all(cache, origin) == origin.content
    assert origin.asked == [(0, BLOCK), (2 * BLOCK, 3 * BLOCK)]


async def test_killed_at_any_moment_it_never_lies(home: Path, tmp_path: Path) -> None:
    """What is on the disk is copied after every step, as it would be found after ``kill -9``, and read."""
    origin, patched = origin_of(4 * BLOCK), origin_of(4 * BLOCK, seed=2)
    keys = ContentKey("a"), ContentKey("b")
    copies: list[Path] = []

    def killed_here() -> None:
        copies.append(tmp_path / f"copy{len(copies)}")
        shutil.copytree(home, copies[-1])

    async with running(home, limit=6 * BLOCK) as cache:
        for step in range(8):
            key, source = keys[step % 2], (origin, patched)[step % 2]
            if step % 3 == 0:
                cache.adopt(key, 4 * BLOCK, stage(tmp_path, source.content))
            elif step % 3 == 1:
                content = cache.open(key, 4 * BLOCK, source.fetch)
                await content.read(step % 4 * BLOCK, 4 * BLOCK)
                content.close()
            else:
                cache.shrink(BLOCK)
            killed_here()
    for copy in copies:
        async with running(copy) as cache:
            assert await read_all(cache, origin, keys[0]) == origin.content
            assert await read_all(cache, patched, keys[1]) == patched.content


async def test_killed_after_a_block_was_fetched_into_a_new_file(home: Path, tmp_path: Path) -> None:
    """The index must not still claim the blocks of the file that was there before."""
    origin = origin_of(4 * BLOCK)
    async with running(home) as cache:
        cache.adopt(KEY, 4 * BLOCK, stage(tmp_path, origin.content))
        cache._ledger.save()
        data_file(home).unlink()
        content = cache.open(KEY, 4 * BLOCK, origin.fetch)
        await content.read(3 * BLOCK, 4 * BLOCK)
        shutil.copytree(home, tmp_path / "killed")
        content.close()
    async with running(tmp_path / "killed") as cache:
        assert await read_all(cache, origin) == origin.content


@pytest.mark.parametrize("opened", [True, False])
async def test_killed_after_blocks_were_evicted(home: Path, tmp_path: Path, opened: bool) -> None:
    origin = origin_of(4 * MEBI)
    async with running(home) as cache:
        cache.adopt(KEY, 4 * MEBI, stage(tmp_path, origin.content))
        cache._ledger.save()
        content = cache.open(KEY, 4 * MEBI, origin.fetch)
        if not opened:
            content.close()
        cache.shrink(3 * MEBI)
        shutil.copytree(home, tmp_path / "killed")
        content.close()
    async with running(tmp_path / "killed") as cache:
        assert await read_all(cache, origin) == origin.content


@pytest.mark.parametrize("opened", [True, False])
async def test_a_file_cut_off_behind_our_back_is_fetched_again(
    cache: DiskCache, home: Path, tmp_path: Path, opened: bool
) -> None:
    origin = origin_of(8 * BLOCK)
    cache.adopt(KEY, 8 * BLOCK, stage(tmp_path, origin.content))
    content = cache.open(KEY, 8 * BLOCK, origin.fetch)
    if opened:
        assert content.read_nowait(0, 8 * BLOCK) == origin.content
    data_file(home).write_bytes(origin.content[: BLOCK + 9])
    assert await content.read(7 * BLOCK, 8 * BLOCK) == origin.content[7 * BLOCK :]
    assert content.read_nowait(0, BLOCK) == origin.content[:BLOCK]
    assert content.read_nowait(3 * BLOCK, 4 * BLOCK) is None
    assert await content.read(0, 8 * BLOCK) == origin.content
    content.close()


async def swept(cache: DiskCache) -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)
    while cache._ledger._unswept:
        await trio.testing.wait_all_tasks_blocked(0.01)


async def test_files_the_index_does_not_know_are_deleted(home: Path) -> None:
    async with running(home) as cache:
        await read_all(cache, origin_of(1000))
    stray = data_file(home).parent / "unknown-file"
    stray.write_bytes(b"left by a crash")
    async with running(home) as cache:
        await swept(cache)
        assert not stray.exists()
        assert data_file(home).exists()


@pytest.mark.parametrize("garbage", [b"", b"not a database", noise(50_000)])
async def test_a_corrupt_index_is_an_empty_cache(home: Path, garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    origin = origin_of(300_000)
    async with running(home) as cache:
        await read_all(cache, origin)
    (home / "index.db").write_bytes(garbage)
    async with running(home) as cache:
        assert cache.used == 0
        await swept(cache)
        assert not list(data_files(home))
        assert await read_all(cache, origin) == origin.content
        assert cache.used > 0


async def test_an_index_damaged_anywhere_never_lies(home: Path) -> None:
    origins = {ContentKey(f"file-{n}"): origin_of(3000 * n, seed=n) for n in range(1, 30)}
    async with running(home) as cache:
        for key, origin in origins.items():
            await read_all(cache, origin, key)
    sound = (home / "index.db").read_bytes()
    for at in range(0, len(sound), len(sound) // 23):
        (home / "index.db").write_bytes(sound[:at] + noise(200, at) + sound[at + 200 :])
        async with running(home) as cache:
            for key, origin in origins.items():
                assert await read_all(cache, origin, key) == origin.content


async def test_an_index_lost_while_running_is_started_over(
    home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    origin = origin_of(4 * BLOCK)
    other = ContentKey("other")
    async with running(home) as cache:
        content = cache.open(KEY, 4 * BLOCK, origin.fetch)
        await content.read(0, 4 * BLOCK)
        (home / "index.db").unlink()
        cache.adopt(other, 1000, stage(tmp_path, noise(1000)))
        cache._ledger.save()
        assert content.read_nowait(0, 4 * BLOCK) == origin.content
        assert cache.used == 4 * BLOCK + 4096
        content.close()
    assert "starting over" in caplog.text
    origin.asked.clear()
    async with running(home) as cache:
        assert cache.used == 4 * BLOCK + 4096
        assert await read_all(cache, origin) == origin.content
    assert origin.asked == []


async def test_deleting_the_cache_under_a_running_mount_loses_nothing(home: Path, tmp_path: Path) -> None:
    origin, later = origin_of(4 * BLOCK), origin_of(3 * BLOCK, seed=2)
    async with running(home) as cache:
        content = cache.open(KEY, 4 * BLOCK, origin.fetch)
        await content.read(0, BLOCK)
        shutil.rmtree(home)
        assert await content.read(0, 4 * BLOCK) == origin.content
        content.close()
        assert await read_all(cache, origin) == origin.content
        cache.adopt(ContentKey("later"), 3 * BLOCK, stage(tmp_path, later.content))
        assert await read_all(cache, later, ContentKey("later")) == later.content
    assert later.asked == []
    origin.asked.clear()
    async with running(home) as cache:
        assert await read_all(cache, later, ContentKey("later")) == later.content
        assert await read_all(cache, origin) == origin.content
    assert later.asked == []


async def test_closing_while_strays_are_looked_for_keeps_what_is_known(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin, looking, closed = origin_of(BLOCK), trio.Event(), threading.Event()
    async with running(home) as cache:
        cache.adopt(KEY, BLOCK, stage(tmp_path, origin.content))
    [known] = data_files(home)
    token, names = trio.lowlevel.current_trio_token(), DataFiles.names

    def names_after_the_end(files: DataFiles, number: int) -> list[str]:
        if f"{number:02x}" == known.parent.name:
            token.run_sync_soon(looking.set)
            closed.wait(10)
        return names(files, number)

    monkeypatch.setattr(DataFiles, "names", names_after_the_end)
    async with running(home) as cache:
        await looking.wait()
        await cache.aclose()
        closed.set()
    assert list(data_files(home)) == [known]


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
