"""Numbered files, spread over directories."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudfs.writeback import staged_files
from cloudfs.writeback.staged_files import SHARE, StagedFiles


@pytest.fixture
def files(tmp_path: Path) -> Iterator[StagedFiles]:
    made = StagedFiles(tmp_path / "staging")
    yield made
    made.close()


def make(files: StagedFiles, *numbers: int) -> None:
    for number in numbers:
        os.close(files.make(number))


def test_a_file_is_found_under_its_number(files: StagedFiles) -> None:
    fd = files.make(7)
    os.write(fd, b"bytes")
    os.close(fd)
    again = files.open(7)
    assert os.read(again, 10) == b"bytes"
    os.close(again)
    assert files.path(7).read_bytes() == b"bytes"
    assert files.stat(7).st_size == 5


def test_a_number_is_used_once(files: StagedFiles) -> None:
    make(files, 7)
    with pytest.raises(FileExistsError):
        files.make(7)


def test_numbers_far_apart_have_directories_of_their_own(files: StagedFiles) -> None:
    make(files, 1, 2, SHARE + 1)
    assert files.path(1).parent == files.path(2).parent
    assert files.path(1).parent != files.path(SHARE + 1).parent


def test_every_file_is_listed_and_empty_directories_of_earlier_mounts_go(tmp_path: Path, files: StagedFiles) -> None:
    make(files, 1, 2, SHARE + 1, 5 * SHARE)
    files.remove(SHARE + 1)
    assert sorted(files.numbers()) == [1, 2, 5 * SHARE]
    assert files.path(SHARE + 1).parent.exists()
    later = StagedFiles(tmp_path / "staging")
    assert sorted(later.numbers()) == [1, 2, 5 * SHARE]
    later.close()
    assert not files.path(SHARE + 1).parent.exists()


def test_removing_what_is_not_there_is_success(files: StagedFiles) -> None:
    files.remove(3)
    with pytest.raises(FileNotFoundError):
        files.open(3)


def test_nobody_else_looks_inside(files: StagedFiles) -> None:
    make(files, 1)
    path = files.path(1)
    assert [entry.stat().st_mode & 0o777 for entry in (path, path.parent, path.parent.parent)] == [0o600, 0o700, 0o700]


# --- at the same time ------------------------------------------------------------------------------------------------


def test_whoever_needs_a_new_directory_has_it(files: StagedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare files are made in a thread; a program that writes when there are none makes its own beside it."""
    make_directory = os.mkdir

    def slowly(*arguments: object, **keywords: object) -> None:
        time.sleep(0.01)
        make_directory(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "mkdir", slowly)
    with ThreadPoolExecutor(8) as threads:
        for fd in threads.map(files.make, range(1, 20 * SHARE, SHARE // 4)):
            os.close(fd)


class Disk:
    """Syncs of directories that take as long as we like."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self.gate = threading.Event()
        self.trouble: OSError | None = None
        self.synced = 0
        monkeypatch.setattr(staged_files, "_sync", self._sync)

    def _sync(self, fd: int) -> None:
        os.close(fd)
        self.reached.set()
        assert self.gate.wait(30)
        if self.trouble is not None:
            raise self.trouble
        self.synced += 1


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_nobody_is_told_before_it_is_so(files: StagedFiles, disk: Disk) -> None:
    make(files, 1)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(files.sync)
        assert disk.reached.wait(30)
        second = threads.submit(files.sync)
        time.sleep(0.05)
        assert not second.done(), "the directory is being synced, and is not yet"
        disk.gate.set()
        first.result(30)
        second.result(30)
    assert disk.synced == 1


def test_what_is_made_meanwhile_is_for_the_next_sync(files: StagedFiles, disk: Disk) -> None:
    make(files, 1)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(files.sync)
        assert disk.reached.wait(30)
        make(files, 2)
        disk.gate.set()
        first.result(30)
    files.sync()
    assert disk.synced == 2
    files.sync()
    assert disk.synced == 2


def test_a_sync_that_failed_is_not_done(files: StagedFiles, disk: Disk) -> None:
    make(files, 1)
    disk.gate.set()
    disk.trouble = OSError(5, "Input/output error")
    with pytest.raises(OSError, match="Input/output"):
        files.sync()
    disk.trouble = None
    files.sync()
    assert disk.synced == 1
