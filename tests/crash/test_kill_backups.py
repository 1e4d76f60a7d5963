"""``kill -9`` of the driver while tar, rsync, git and sqlite are at work: what they had finished is there, and they go
on where they were.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.acknowledged import Writer
from tests.crash.backups import PROGRAMS
from tests.mount.driver import Mount, kill_and_wait, workspace
from tests.mount.programs import run
from tests.mount.tree import plant
from tests.property.tree import Tree

SEEDS = max(2, int(os.environ.get("CLOUDFS_TEST_KILLS", "20")) // 10)


@pytest.fixture
def source() -> Iterator[Path]:
    with workspace() as home:
        source = home / "source"
        source.mkdir()
        plant(source, files=40)
        yield source


def check_tar(root: Path, source: Path, last: int) -> None:
    same(source, root / f"unpacked-{last % 3}")
    for number in (last, last - 1):
        if number >= 0:
            run("tar", "-C", source, "--compare", "-f", root / f"{number}.tar")


def check_rsync(root: Path, source: Path, last: int) -> None:
    for number in range(max(last - 1, 0), last + 1):
        same(source, root / f"snapshot-{number}")


def same(source: Path, copy: Path) -> None:
    assert run("rsync", "-aHn", "--delete", "--checksum", "--itemize-changes", f"{source}/", f"{copy}/") == ""


def check_git(root: Path, source: Path, last: int) -> None:
    for lock in (root / ".git").rglob("*.lock"):
        lock.unlink()
    run("git", "fsck", "--full", "--strict", cwd=root)
    commits = run("git", "log", "--format=%s", cwd=root).split()
    assert commits == [str(number) for number in reversed(range(len(commits)))]
    assert len(commits) > last


def check_sqlite(root: Path, source: Path, last: int) -> None:
    with closing(sqlite3.connect(root / "rows.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = database.execute("SELECT number, length(text) FROM rows ORDER BY number").fetchall()
    assert rows == [(number, number % 3000) for number in range(len(rows))]
    assert len(rows) > last


CHECKS = {"tar": check_tar, "rsync": check_rsync, "git": check_git, "sqlite": check_sqlite}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_all_of_them_at_once(mount: Mount, source: Path, seed: int) -> None:
    writers: dict[str, Writer] = {}
    pid = int(mount.status()["pid"])
    for program in PROGRAMS:
        (mount.path / program).mkdir()
        writers[program] = Writer("tests.crash.backups", program, str(mount.path / program), str(source))
    try:
        for writer in writers.values():
            assert writer.read_until(1)
        time.sleep(random.Random(seed).uniform(0, 3))  # any moment will do
    finally:
        kill_and_wait(pid)
        for writer in writers.values():
            writer.end()
    mount.start()
    for program, writer in writers.items():
        CHECKS[program](mount.path / program, source, writer.acknowledged - 1)
    mount.wait()
    assert mount.status()["parked"] == []
    for program in PROGRAMS:
        assert Tree(mount.store / program).contents() == Tree(mount.path / program).contents()
