"""Numbered files, spread over directories."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

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
