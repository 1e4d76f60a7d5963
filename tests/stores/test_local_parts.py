# ruff: noqa: ASYNC222 - waits for a process that has just been killed, while nothing else wants to run
"""What a killed process left unfinished in a local store goes away by itself, and what a living one makes stays."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloudfs.errors import DirectoryNotEmpty
from cloudfs.stores.local.parts import Maker, is_part
from cloudfs.stores.local.store import LocalStore
from tests.stores.conformance.bench import Bench
from tests.stores.stopped import CHANGES, store

HERE = Maker.this_process()
FOREIGN = replace(HERE, here="0123456789abcdef")
DEAD = replace(HERE, born=HERE.born - 1)
"""A process that had this one's number before it."""

MTIME = 1_111_111_111_222_222_222
PLAIN = {"d", "d/file", "d/other"}


@pytest.fixture
async def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "store"
    directory.mkdir()
    bench = Bench.of(lambda: LocalStore(directory, durable=False))
    await bench.make_directory(b"d")
    await bench.put(b"d/file", b"old")
    await bench.put(b"d/other", b"other")
    touch(directory)
    return directory


def touch(directory: Path) -> None:
    """Give the directories an mtime that shows whether anything was done there since."""
    for path in (directory, directory / "d"):
        os.utime(path, ns=(MTIME, MTIME))


def untouched(directory: Path) -> bool:
    return {path.stat().st_mtime_ns for path in (directory, directory / "d")} == {MTIME}


def on_disk(directory: Path) -> set[str]:
    return {os.path.relpath(path, directory) for path in directory.rglob("*")}


def hidden(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if is_part(path.name.encode())]


@contextlib.contextmanager
def stopped(directory: Path, change: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has hidden what it makes, and has not published it. Killed at the end."""
    command = [sys.executable, "-m", "tests.stores.stopped", str(directory), change]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "hidden\n"
            touch(directory)
            yield process
        finally:
            process.kill()


def killed(directory: Path, change: str) -> None:
    with stopped(directory, change):
        pass


@pytest.mark.parametrize("change", CHANGES)
async def test_what_a_killed_process_left_is_gone_for_the_next_one(directory: Path, change: str) -> None:
    killed(directory, change)
    assert len(hidden(directory)) == 1
    bench = Bench.of(lambda: store(directory, change))
    assert on_disk(directory) == PLAIN
    await CHANGES[change](bench)
    assert on_disk(directory) in (PLAIN, PLAIN | {"d/new"})
    assert untouched(directory)


async def test_it_is_hidden_where_it_is_found_whatever_became_of_its_directory(directory: Path) -> None:
    killed(directory, "replace")
    (part,) = hidden(directory)
    assert part.parent == directory


@pytest.mark.parametrize("change", ["symlink", "replace", "named"])
async def test_what_a_living_process_makes_is_left_to_it(directory: Path, change: str) -> None:
    bench = Bench.of(lambda: LocalStore(directory))
    with stopped(directory, change) as process:
        (part,) = hidden(directory)
        assert await bench.names() == [b"d"]
        LocalStore(directory)
        assert hidden(directory) == [part]
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        # It is a zombie now: it still has its number, and does nothing any more.
        assert await bench.names() == [b"d"]
        assert on_disk(directory) == PLAIN
    assert untouched(directory)


async def test_another_store_of_the_same_process_is_alive(directory: Path) -> None:
    (directory / os.fsdecode(HERE.new_part())).touch()
    assert await Bench.of(lambda: LocalStore(directory)).names() == [b"d"]
    assert len(hidden(directory)) == 1


async def test_what_cannot_be_attributed_is_removed_when_it_is_old(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = directory / os.fsdecode(FOREIGN.new_part())
    part.write_bytes(b"of another machine, perhaps alive")
    touch(directory)
    bench = Bench.of(lambda: LocalStore(directory))
    assert await bench.names() == [b"d"]
    assert hidden(directory) == [part]
    tomorrow = part.stat().st_ctime + 25 * 3600
    monkeypatch.setattr("cloudfs.stores.local.listing.time.time", lambda: tomorrow)
    assert await bench.names() == [b"d"]
    assert on_disk(directory) == PLAIN
    assert untouched(directory)


@pytest.mark.parametrize("maker", [DEAD, FOREIGN])
async def test_what_a_crash_left_does_not_keep_a_directory(directory: Path, maker: Maker) -> None:
    bench = Bench.of(lambda: LocalStore(directory))
    await bench.make_directory(b"empty")
    (directory / "empty" / os.fsdecode(maker.new_part())).write_bytes(b"left over")
    await bench.delete(b"empty")
    assert on_disk(directory) == PLAIN


async def test_what_a_living_process_makes_keeps_its_directory(directory: Path) -> None:
    bench = Bench.of(lambda: LocalStore(directory))
    await bench.make_directory(b"used")
    for maker in (DEAD, HERE):
        (directory / "used" / os.fsdecode(maker.new_part())).touch()
    with pytest.raises(DirectoryNotEmpty):
        await bench.delete(b"used")
    assert len(hidden(directory)) == 2


# --- a mountpoint inside of the store ----------------------------------------------------------------------------


@pytest.fixture
def mountpoint(directory: Path) -> Iterator[Path]:
    """``d`` is a mountpoint now, and no name can go there from the root of the store."""
    place = str(directory / "d")
    if subprocess.run(["mount", "--bind", place, place], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.parametrize("change", CHANGES)
async def test_below_a_mountpoint_it_is_hidden_beside_its_place(mountpoint: Path, change: str) -> None:
    bench = Bench.of(lambda: store(mountpoint, change))
    with stopped(mountpoint, change):
        (part,) = hidden(mountpoint)
        assert part.parent == mountpoint / "d"
        assert len(await bench.names(b"d")) == 2
        assert hidden(mountpoint) == [part]
    assert len(await bench.names(b"d")) == 2
    assert on_disk(mountpoint) == PLAIN
    await CHANGES[change](bench)
    assert on_disk(mountpoint) in (PLAIN, PLAIN | {"d/new"})
    assert untouched(mountpoint)


# --- who is alive ------------------------------------------------------------------------------------------------


def test_processes_are_told_apart_even_if_a_number_is_used_again() -> None:
    assert Maker.this_process() == HERE
    assert HERE.is_abandoned(HERE.new_part()) is False
    assert HERE.is_abandoned(DEAD.new_part()) is True
    assert HERE.is_abandoned(replace(HERE, pid=0x7FFFFFFF).new_part()) is True
    assert HERE.is_abandoned(replace(HERE, pid=0xFFFFFFFF).new_part()) is True
    assert HERE.new_part() != HERE.new_part()


def test_of_other_machines_and_containers_nothing_is_known() -> None:
    assert HERE.is_abandoned(replace(DEAD, here=FOREIGN.here).new_part()) is None
    assert HERE.is_abandoned(b"an ordinary name") is None


def test_where_nothing_is_told_of_processes_nobody_is_thought_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> bytes:
        raise FileNotFoundError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", nothing)
        unknown = Maker.this_process()
        assert HERE.is_abandoned(DEAD.new_part()) is False
    assert unknown.is_abandoned(unknown.new_part()) is None
    assert unknown.is_abandoned(DEAD.new_part()) is None
    assert is_part(unknown.new_part())
