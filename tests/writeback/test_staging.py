"""Staged files: what they hold, who may touch them, and what is counted and swept."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.stagings import StagedRow
from cloudfs.types import Extent, Inode
from cloudfs.writeback.staged import Staged
from cloudfs.writeback.staged_files import StagedFiles
from cloudfs.writeback.staging import Staging
from tests.writeback.rig import DIRECTORY

INO = Inode(7)
MIB = 1 << 20


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "catalog.db", "memory:", (DIRECTORY, 0, 0), lambda step: None)
    yield catalog
    catalog.close()


@pytest.fixture
async def staging(catalog: Catalog, tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging", catalog.stagings, catalog.pieces)


def files(staging: Staging) -> list[Path]:
    return sorted(path for path in staging.path(0).parent.parent.rglob("*") if path.is_file())


def truncate(staged: Staged, size: int) -> None:
    staged.cut(size)
    staged.resize(size)


def begin(staging: Staging, base: int = 0, visible: int = 0) -> Staged:
    return staging.begin(INO, base, visible)


# --- bytes ------------------------------------------------------------------------------------------------------------


async def test_holes_are_zeros(staging: Staging) -> None:
    staged = begin(staging)
    staged.write(MIB, b"data")
    assert staged.read(MIB - 2, MIB + 6) == b"\0\0data\0\0"
    assert staged.holds(0, MIB)
    [data] = staged.data_extents(MIB + 4)
    assert data.stop == MIB + 4 and 0 < data.start <= MIB


async def test_reading_beyond_the_end_gives_zeros(staging: Staging) -> None:
    staged = begin(staging)
    staged.write(0, b"abc")
    assert staged.read(0, 10) == b"abc" + bytes(7)


async def test_over_a_base_only_our_own_ranges_are_held(staging: Staging) -> None:
    staged = begin(staging, base=3, visible=100)
    staged.write(10, b"x" * 10)
    assert staged.holds(10, 20)
    assert not staged.holds(5, 15)
    assert not staged.holds(15, 25)
    assert staged.holds(100, 200), "nothing of the base shows through there"
    assert staged.holds(50, 50)
    assert list(staged.extents) == [Extent(10, 20)]


async def test_truncation_hides_the_base_for_good(staging: Staging) -> None:
    staged = begin(staging, base=3, visible=100)
    staged.write(90, b"x" * 20)
    truncate(staged, 95)
    truncate(staged, 200)
    assert staged.visible == 95
    assert list(staged.extents) == [Extent(90, 95)]
    assert staged.holds(95, 200)
    assert staged.read(90, 110) == b"x" * 5 + bytes(15)


async def test_truncation_to_nothing_needs_no_base_any_more(staging: Staging) -> None:
    staged = begin(staging, base=3, visible=100)
    staged.damaged = "a write failed"
    truncate(staged, 0)
    assert (staged.base, staged.visible, staged.damaged) == (0, 0, "")
    staged.write(0, b"new")
    assert list(staged.extents) == []
    assert staged.holds(0, 100)


writes = st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=10) | st.just(b"")), max_size=10)


@given(writes)
def test_it_reads_as_a_file_does(script: list[tuple[int, bytes]]) -> None:
    """A write, or with no bytes a truncation, over a base of fifty ``b``."""
    base, model = b"b" * 50, b"b" * 50
    with over_fifty_bytes() as staged:
        for offset, data in script:
            if data:
                staged.write(offset, data)
                model = model[:offset].ljust(offset, b"\0") + data + model[offset + len(data) :]
            else:
                truncate(staged, offset)
                model = model[:offset].ljust(offset, b"\0")
        assert shown(staged, base, len(model)) == model


def shown(staged: Staged, base: bytes, size: int) -> bytes:
    """Our bytes, with those of the base where they are not held."""
    ours = staged.read(0, size)
    return b"".join(ours[at : at + 1] if staged.holds(at, at + 1) else base[at : at + 1] for at in range(size))


@contextmanager
def over_fifty_bytes() -> Iterator[Staged]:
    """A staged file without a directory."""
    fd = os.memfd_create("staged")
    try:
        row = StagedRow(INO, file=1, base=3, visible=50, extents=(), writing=True)
        yield Staged(row, fd, lambda change: None)
    finally:
        os.close(fd)


# --- writable or being sent -------------------------------------------------------------------------------------------


async def test_who_sends_is_told_once_when_it_is_written_to(staging: Staging) -> None:
    staged = begin(staging)
    told: list[str] = []
    staged.claim(lambda: told.append("revoked"))
    staged.revoke()
    staged.revoke()
    assert told == ["revoked"]


async def test_after_sending_nobody_is_told(staging: Staging) -> None:
    staged = begin(staging)
    staged.claim(lambda: pytest.fail("it is not being sent any more"))
    staged.unclaim()
    staged.revoke()


async def test_it_is_sent_once_at_a_time(staging: Staging) -> None:
    staged = begin(staging)
    staged.claim(lambda: None)
    with pytest.raises(AssertionError):
        staged.claim(lambda: None)


# --- the directory ------------------------------------------------------------------------------------------------


async def test_one_file_an_inode_shared_by_all_who_use_it(staging: Staging) -> None:
    staged = begin(staging)
    assert staging.acquire(INO) is staged
    staging.release(staged)
    staged.write(0, b"still open")
    staging.release(staged)
    again = staging.acquire(INO)
    assert again is not None and again is not staged
    assert again.read(0, 10) == b"still open"


async def test_an_inode_without_staged_bytes_has_none(staging: Staging) -> None:
    assert staging.acquire(INO) is None


async def test_discarding_leaves_nothing(staging: Staging, catalog: Catalog) -> None:
    staged = begin(staging)
    staged.write(0, b"x" * 5000)
    staging.discard(INO)
    assert staged.gone
    staging.release(staged)
    assert files(staging) != [], "a power cut could bring the row back"
    await catalog.database.synced()
    assert files(staging) == []
    assert not catalog.stagings.exists(INO)
    assert staging.used == 0


async def test_giving_up_leaves_the_file_to_the_cache(staging: Staging) -> None:
    staged = begin(staging)
    staged.write(0, b"x" * 5000)
    staging.give_up(INO, staged.file)
    assert staged.gone
    assert staged.read(0, 5) == b"xxxxx", "who has it open reads on"
    assert [path.name for path in files(staging)] == [str(staged.file)]
    assert staging.used == 0


async def test_the_row_survives(staging: Staging, catalog: Catalog, tmp_path: Path) -> None:
    staged = begin(staging, base=3, visible=100)
    staged.write(10, b"ours")
    staged.writing = False
    staged.damaged = "reason"
    with catalog:
        staging.save(staged)
    another = Staging(tmp_path / "staging", catalog.stagings, catalog.pieces).acquire(INO)
    assert another is not None
    assert another.row() == staged.row()
    assert another.read(10, 14) == b"ours"


# --- accounting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("released", [False, True])
async def test_what_is_counted_is_taken_back(staging: Staging, released: bool) -> None:
    staged = begin(staging)
    staged.write(0, b"x" * 10_000)
    assert staging.used >= 10_000
    truncate(staged, 100)
    assert staging.used < 10_000
    staged.write(50_000, b"tail")
    if released:
        staging.release(staged)
    staging.give_up(INO, staged.file)
    assert staging.used == 0


async def test_holes_are_not_counted(staging: Staging) -> None:
    staged = begin(staging)
    staged.write(1 << 40, b"far away")
    staging.release(staged)
    assert staging.used < MIB


async def test_a_restart_counts_what_is_there(staging: Staging, catalog: Catalog, tmp_path: Path) -> None:
    staged = begin(staging)
    staged.write(0, b"x" * 10_000)
    staging.release(staged)
    another = Staging(tmp_path / "staging", catalog.stagings, catalog.pieces)
    await another.sweep()
    assert another.used == staging.used
    staged_again = another.acquire(INO)
    assert staged_again is not None
    truncate(staged_again, 0)
    another.release(staged_again)
    another.discard(INO)
    assert another.used == 0


async def test_a_sweep_removes_what_belongs_to_nobody(staging: Staging, catalog: Catalog, tmp_path: Path) -> None:
    staged = begin(staging)
    left = staging.path(12345)
    left.parent.mkdir()
    left.write_bytes(b"left by a crash")
    (tmp_path / "staging" / "not a number").write_bytes(b"not ours")
    await Staging(tmp_path / "staging", catalog.stagings, catalog.pieces).sweep()
    assert {path.name for path in files(staging)} == {str(staged.file), "not a number"}


async def test_a_sweep_leaves_files_that_were_made_since(staging: Staging, catalog: Catalog) -> None:
    await staging.sweep()
    staged = begin(staging)
    staged.write(0, b"new")
    await staging.sweep()
    assert staged.file in [int(path.name) for path in files(staging)]


# --- power cuts ---------------------------------------------------------------------------------------------------


async def test_a_file_shorter_than_its_inode_lost_its_end(staging: Staging) -> None:
    staged = begin(staging)
    staged.write(0, b"x" * 100)
    assert not staged.is_short(100)
    assert staged.is_short(101)


async def test_over_a_base_a_short_file_is_as_it_should_be(staging: Staging) -> None:
    staged = begin(staging, base=3, visible=1000)
    staged.write(0, b"x")
    assert not staged.is_short(1000)


async def test_grown_by_truncation_it_is_not_short(staging: Staging) -> None:
    staged = begin(staging)
    truncate(staged, 1000)
    assert not staged.is_short(1000)


async def test_spare_files_are_kept_also_when_there_is_no_room_for_all(
    staging: Staging, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    make, made = StagedFiles.make, 0

    def full(self: StagedFiles, file: int) -> int:
        nonlocal made
        if made == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        made += 1
        return make(self, file)

    monkeypatch.setattr(StagedFiles, "make", full)
    begin(staging)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(staging.prepare_forever)
        await trio.testing.wait_all_tasks_blocked(0.1)
        nursery.cancel_scope.cancel()
    assert made == 3
    assert len(files(staging)) == 1, "those that nobody needed are gone, and were not forgotten"
