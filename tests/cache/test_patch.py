"""A changed version made of an old one and the staged extents: right bytes, or absent blocks, never wrong bytes."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.cache import loan
from cloudfs.cache.blocks import BLOCK
from cloudfs.cache.contract import ContentKey
from cloudfs.cache.disk import DiskCache
from cloudfs.cache.patch import Base, Patch, copy_blocks
from cloudfs.cache.runs import Runs
from cloudfs.cache.sums import Sums
from cloudfs.types import Extent

from .conftest import KEY, Origin, damage, data_file, noise, origin_of, read_all, running, stage, sums_of

NEW = ContentKey("some-file-v2")
OLD_SIZE = 8 * BLOCK + 1000

PATCHES = [
    pytest.param(OLD_SIZE, [Extent(5, 10)], 9, id="a few bytes"),
    pytest.param(OLD_SIZE, [Extent(BLOCK, 3 * BLOCK)], 9, id="whole blocks"),
    pytest.param(OLD_SIZE, [Extent(BLOCK - 5, 2 * BLOCK + 5), Extent(OLD_SIZE - 1, OLD_SIZE)], 9, id="across blocks"),
    pytest.param(OLD_SIZE + 500, [Extent(OLD_SIZE, OLD_SIZE + 500)], 9, id="an append"),
    pytest.param(12 * BLOCK, [Extent(0, 1)], 8, id="grown with a hole"),
    pytest.param(3 * BLOCK + 7, [Extent(BLOCK, BLOCK + 1)], 4, id="cut off"),
    pytest.param(3 * BLOCK, [], 3, id="cut off at a block"),
    pytest.param(100, [Extent(0, 100)], 1, id="almost nothing left"),
]


def changed(old: bytes, size: int, extents: list[Extent]) -> tuple[bytes, bytes]:
    """The new content, and the staged file that has only the extents of it."""
    new, staged = bytearray(old[:size].ljust(size, b"\0")), bytearray(size)
    for n, extent in enumerate(extents):
        fresh = noise(len(extent), 100 + n)
        new[extent.start : extent.stop] = staged[extent.start : extent.stop] = fresh
    return bytes(new), bytes(staged)


async def adopted_old(cache: DiskCache, tmp_path: Path, old: Origin) -> None:
    cache.adopt(KEY, OLD_SIZE, stage(tmp_path, old.content, "old"))


async def fetched_old(cache: DiskCache, tmp_path: Path, old: Origin) -> None:
    await read_all(cache, old)


Prepare = Callable[[DiskCache, Path, Origin], Awaitable[None]]


@pytest.mark.parametrize("prepare", [adopted_old, fetched_old])
@pytest.mark.parametrize(("size", "extents", "here"), PATCHES)
async def test_unchanged_blocks_are_not_fetched_again(
    cache: DiskCache, tmp_path: Path, prepare: Prepare, size: int, extents: list[Extent], here: int
) -> None:
    old = origin_of(OLD_SIZE)
    await prepare(cache, tmp_path, old)
    content, patch = changed(old.content, size, extents)
    staged = stage(tmp_path, patch)
    cache.adopt_patch(KEY, NEW, size, staged, extents)
    assert not staged.exists()
    new = Origin(content)
    assert await read_all(cache, new, NEW) == content
    blocks = -(-size // BLOCK)
    assert new.bytes_asked <= (blocks - here) * BLOCK
    assert cache.used == -(-size // 4096) * 4096


@pytest.mark.parametrize(("size", "extents", "here"), PATCHES)
async def test_an_old_version_that_is_open_stays_as_it_is(
    cache: DiskCache, tmp_path: Path, size: int, extents: list[Extent], here: int
) -> None:
    old = origin_of(OLD_SIZE)
    reader = cache.open(KEY, OLD_SIZE, old.fetch)
    await reader.read(0, OLD_SIZE)
    content, patch = changed(old.content, size, extents)
    cache.adopt_patch(KEY, NEW, size, stage(tmp_path, patch), extents)
    assert reader.read_nowait(0, OLD_SIZE) == old.content
    new = Origin(content)
    assert await read_all(cache, new, NEW) == content
    assert new.bytes_asked <= (-(-size // BLOCK) - here) * BLOCK
    reader.close()


async def test_a_large_open_old_version_is_not_copied(
    cache: DiskCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudfs.cache.loan.COPIED", BLOCK)
    old = origin_of(OLD_SIZE)
    reader = cache.open(KEY, OLD_SIZE, old.fetch)
    await reader.read(0, OLD_SIZE)
    extents = [Extent(BLOCK - 1, 2 * BLOCK)]
    content, patch = changed(old.content, OLD_SIZE, extents)
    cache.adopt_patch(KEY, NEW, OLD_SIZE, stage(tmp_path, patch), extents)
    assert cache.used == -(-OLD_SIZE // 4096) * 4096 + BLOCK
    new = Origin(content)
    assert await read_all(cache, new, NEW) == content
    reader.close()


async def test_without_the_old_version_whole_blocks_are_adopted(cache: DiskCache, tmp_path: Path) -> None:
    extents = [Extent(BLOCK - 1, 4 * BLOCK + 1), Extent(OLD_SIZE - 1500, OLD_SIZE)]
    content, patch = changed(noise(OLD_SIZE), OLD_SIZE, extents)
    cache.adopt_patch(KEY, NEW, OLD_SIZE, stage(tmp_path, patch), extents)
    assert cache.used == 3 * BLOCK + 4096
    assert await read_all(cache, Origin(content), NEW) == content


async def test_a_damaged_old_block_never_becomes_part_of_a_new_one(home: Path, tmp_path: Path) -> None:
    old = origin_of(OLD_SIZE)
    async with running(home) as cache:
        await read_all(cache, old)
    data_file(home).write_bytes(bytes(OLD_SIZE))
    extents = [Extent(5, 10), Extent(BLOCK, 2 * BLOCK)]
    content, patch = changed(old.content, OLD_SIZE, extents)
    async with running(home) as cache:
        cache.adopt_patch(KEY, NEW, OLD_SIZE, stage(tmp_path, patch), extents)
        assert await read_all(cache, Origin(content), NEW) == content


@pytest.mark.parametrize("prepare", [adopted_old, fetched_old])
@pytest.mark.parametrize(("size", "extents", "here"), PATCHES)
async def test_damage_to_a_patched_content_with_sums_is_noticed(
    home: Path, tmp_path: Path, prepare: Prepare, size: int, extents: list[Extent], here: int
) -> None:
    old = origin_of(OLD_SIZE)
    content, patch = changed(old.content, size, extents)
    new = Origin(content)
    async with running(home) as cache:
        await prepare(cache, tmp_path, old)
        cache.adopt_patch(KEY, NEW, size, stage(tmp_path, patch), extents, sums_of(content))
    for at in range(0, size, BLOCK):
        damage(data_file(home, NEW), at)
    async with running(home) as cache:
        assert await read_all(cache, new, NEW) == content
    assert new.bytes_asked == size


async def test_blocks_without_a_sum_of_the_upload_keep_those_they_had(home: Path, tmp_path: Path) -> None:
    """As when only what was touched is sent."""
    old = origin_of(OLD_SIZE)
    content, patch = changed(old.content, OLD_SIZE, [Extent(BLOCK, 2 * BLOCK)])
    new, sums = Origin(content), Sums(OLD_SIZE)
    sums.note(*sums.measure(BLOCK, content[BLOCK : 2 * BLOCK]))
    async with running(home) as cache:
        await fetched_old(cache, tmp_path, old)
        cache.adopt_patch(KEY, NEW, OLD_SIZE, stage(tmp_path, patch), [Extent(BLOCK, 2 * BLOCK)], sums)
    for block in (1, 2):
        damage(data_file(home, NEW), block * BLOCK)
    async with running(home, boot=b"another") as cache:
        assert await read_all(cache, new, NEW) == content
    assert new.asked == [(BLOCK, 2 * BLOCK), (2 * BLOCK, 3 * BLOCK)]


async def test_an_old_file_cut_off_behind_our_back(home: Path, tmp_path: Path) -> None:
    old = origin_of(OLD_SIZE)
    async with running(home) as cache:
        cache.adopt(KEY, OLD_SIZE, stage(tmp_path, old.content))
        data_file(home).write_bytes(old.content[: 2 * BLOCK + 5])
        content, patch = changed(old.content, OLD_SIZE, [Extent(5, 10)])
        cache.adopt_patch(KEY, NEW, OLD_SIZE, stage(tmp_path, patch), [Extent(5, 10)])
        assert await read_all(cache, Origin(content), NEW) == content


async def test_a_patch_may_be_adopted_in_a_worker_thread(cache: DiskCache, tmp_path: Path) -> None:
    old = origin_of(OLD_SIZE)
    await read_all(cache, old)
    content, patch = changed(old.content, OLD_SIZE, [Extent(5, 10)])
    await trio.to_thread.run_sync(cache.adopt_patch, KEY, NEW, OLD_SIZE, stage(tmp_path, patch), [Extent(5, 10)])
    new = Origin(content)
    assert await read_all(cache, new, NEW) == content
    assert new.asked == []


async def test_a_failed_patch_costs_the_cache_and_nothing_else(
    cache: DiskCache, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    old = origin_of(OLD_SIZE)
    await read_all(cache, old)
    content, patch = changed(old.content, OLD_SIZE, [Extent(5, 10)])
    staged = stage(tmp_path, patch)
    monkeypatch.setattr("cloudfs.cache.patch.copy_range", full)
    cache.adopt_patch(KEY, NEW, OLD_SIZE, staged, [Extent(5, 10)])
    assert not staged.exists()
    assert cache.used == 0
    assert not any((home / "unfinished").iterdir())
    assert await read_all(cache, Origin(content), NEW) == content
    assert await read_all(cache, old) == old.content


async def test_a_patched_content_survives_a_restart_and_its_sums_another_boot(home: Path, tmp_path: Path) -> None:
    old = origin_of(OLD_SIZE)
    content, patch = changed(old.content, OLD_SIZE, [Extent(5, 10)])
    new = Origin(content)
    async with running(home) as cache:
        await read_all(cache, old)
        cache.adopt_patch(KEY, NEW, OLD_SIZE, stage(tmp_path, patch), [Extent(5, 10)])
    async with running(home, boot=b"another"):
        pass
    async with running(home, boot=b"another") as cache:
        assert await read_all(cache, new, NEW) == content
    assert new.asked == [(0, BLOCK)]


SMALL = st.integers(0, 5 * BLOCK)


@given(SMALL, SMALL, st.lists(st.tuples(SMALL, SMALL), max_size=4), st.sets(st.integers(0, 4)))
def test_a_block_is_present_exactly_if_all_its_bytes_are_known(
    size: int, old_size: int, pairs: list[tuple[int, int]], here: set[int]
) -> None:
    extents = [Extent(min(pair), max(pair)) for pair in pairs]
    present = Runs((block, block + 1) for block in here if block * BLOCK < old_size)
    result, unsummed = Patch(size, old_size, extents).result(Base(old_size, present))
    known = Runs((extent.start, extent.stop) for extent in extents)
    for first, last in present:
        known.add(first * BLOCK, min(last * BLOCK, old_size))
    for block in range(-(-size // BLOCK)):
        stop = min((block + 1) * BLOCK, size)
        assert result.covers(block, block + 1) == known.covers(block * BLOCK, stop)
    assert result.end <= -(-size // BLOCK)
    assert all(result.covers(*run) for run in unsummed)


async def test_an_old_version_that_is_closed_while_it_is_copied_stays_whole(
    cache: DiskCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader goes away, and then room is needed: holes are no content."""
    size, extents = 40 * BLOCK, [Extent(5, 10)]
    old = origin_of(size)
    cache.adopt(KEY, size, stage(tmp_path, old.content, "old"))
    reader = cache.open(KEY, size, old.fetch)
    begun, go_on = threading.Event(), threading.Event()

    def slowly(source: int, path: str, base: Base) -> int:
        begun.set()
        go_on.wait(10)
        return copy_blocks(source, path, base)

    monkeypatch.setattr(loan, "copy_blocks", slowly)
    content, patch = changed(old.content, size, extents)

    async def adopt_patch() -> None:
        await trio.to_thread.run_sync(cache.adopt_patch, KEY, NEW, size, stage(tmp_path, patch), extents)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(adopt_patch)
        await trio.to_thread.run_sync(begun.wait)
        reader.close()
        cache.shrink(20 * BLOCK)
        go_on.set()
    assert await read_all(cache, Origin(content), NEW) == content
