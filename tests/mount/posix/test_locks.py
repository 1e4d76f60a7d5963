"""flock and fcntl locks between two processes of one machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mount.posix.syscalls import Identity, Syscalls

TRY = fcntl.LOCK_NB


@pytest.fixture
def other(directory: Path) -> Iterator[Identity]:
    """Root in another process."""
    process = Syscalls(directory)
    yield process.identity(0)
    process.close()


def test_flock_excludes(root: Identity, other: Identity) -> None:
    root.create("f")
    mine, theirs = root.open("f", os.O_RDWR), other.open("f", os.O_RDWR)
    root.flock(mine, fcntl.LOCK_EX)
    assert other.outcome("flock", theirs, fcntl.LOCK_EX | TRY) == "EAGAIN"
    assert other.outcome("flock", theirs, fcntl.LOCK_SH | TRY) == "EAGAIN"
    root.flock(mine, fcntl.LOCK_UN)
    assert other.outcome("flock", theirs, fcntl.LOCK_SH | TRY) == "OK"
    assert root.outcome("flock", mine, fcntl.LOCK_SH | TRY) == "OK"
    assert root.outcome("flock", mine, fcntl.LOCK_EX | TRY) == "EAGAIN"


def test_ranges_exclude(root: Identity, other: Identity) -> None:
    root.create("f", 0o644, b"x" * 100)
    mine, theirs = root.open("f", os.O_RDWR), other.open("f", os.O_RDWR)
    root.lockf(mine, fcntl.LOCK_EX, 10, 0)
    assert other.outcome("lockf", theirs, fcntl.LOCK_EX | TRY, 10, 5) in ("EAGAIN", "EACCES")
    assert other.outcome("lockf", theirs, fcntl.LOCK_EX | TRY, 10, 10) == "OK"
    assert root.outcome("lockf", mine, fcntl.LOCK_EX | TRY, 0, 0) in ("EAGAIN", "EACCES")
    other.lockf(theirs, fcntl.LOCK_UN, 0, 0)
    assert root.outcome("lockf", mine, fcntl.LOCK_EX | TRY, 0, 0) == "OK"


def test_closing_lets_go(root: Identity, other: Identity) -> None:
    root.create("f")
    mine, theirs = root.open("f", os.O_RDWR), other.open("f", os.O_RDWR)
    root.flock(mine, fcntl.LOCK_EX)
    root.close(mine)
    assert other.outcome("flock", theirs, fcntl.LOCK_EX | TRY) == "OK"
    again = root.open("f", os.O_RDWR)
    other.flock(theirs, fcntl.LOCK_UN)
    root.lockf(again, fcntl.LOCK_EX)
    root.close(again)
    assert other.outcome("lockf", theirs, fcntl.LOCK_EX | TRY) == "OK"


def test_a_process_that_dies_lets_go(root: Identity, directory: Path) -> None:
    root.create("f")
    mortal = Syscalls(directory)
    holder = mortal.identity(0)
    holder.flock(holder.open("f", os.O_RDWR), fcntl.LOCK_EX)
    mine = root.open("f", os.O_RDWR)
    assert root.outcome("flock", mine, fcntl.LOCK_EX | TRY) == "EAGAIN"
    mortal.close()
    assert root.outcome("flock", mine, fcntl.LOCK_EX | TRY) == "OK"
