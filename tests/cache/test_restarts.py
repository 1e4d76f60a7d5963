"""What the cache is after a restart, a crash, and damage: as much as is sound, never wrong bytes."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import trio
import trio.testing

from cloudfs.cache.blocks import BLOCK
from cloudfs.cache.contract import ContentKey
from cloudfs.cache.disk import DiskCache
from cloudfs.cache.files import DataFiles
from cloudfs.cache.sums import Sums

from .conftest import (
    KEY,
    MEBI,
    damage,
    data_file,
    data_files,
    noise,
    origin_of,
    read_all,
    running,
    stage,
)


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


def block(home: Path) -> None:
    """Something else is where the directories of data files should be."""
    home.mkdir()
    for number in range(256):
        (home / f"{number:02x}").touch()


async def test_without_directories_for_data_files_it_reads_from_the_store(home: Path) -> None:
    block(home)
    origin = origin_of(1000)
    async with running(home) as cache:
        await swept(cache)
        assert await read_all(cache, origin) == origin.content


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
