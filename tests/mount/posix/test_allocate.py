"""posix_fallocate, fallocate, SEEK_HOLE and SEEK_DATA: what a file system may leave to others.

pyfuse3 has no handlers for fallocate and lseek. The kernel then answers EOPNOTSUPP to fallocate(2), which makes glibc's
posix_fallocate write zeros itself or hand EOPNOTSUPP on, and treats every file as one run of data. Both are allowed;
wrong contents are not.
"""

from __future__ import annotations

import errno
import os

import pytest

from tests.mount.posix.syscalls import FALL_KEEP_SIZE, FALL_PUNCH_HOLE, FALL_ZERO_RANGE, Identity

NOT_THERE = (errno.EOPNOTSUPP, errno.ENOSYS)


@pytest.mark.parametrize(("offset", "length", "size"), [(0, 1, 10), (0, 100_000, 100_000), (5_000, 5_000, 10_000)])
def test_allocation_grows_and_keeps_content(root: Identity, offset: int, length: int, size: int) -> None:
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    root.write(fd, b"0123456789")
    try:
        root.posix_fallocate(fd, offset, length)
    except OSError as error:
        assert error.errno in NOT_THERE
        size = 10
    assert root.fstat(fd).st_size == size
    assert root.content("f") == b"0123456789".ljust(size, b"\0")


def test_allocation_of_nonsense(root: Identity) -> None:
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    assert root.outcome("posix_fallocate", fd, 0, 0) == "EINVAL"
    assert root.outcome("posix_fallocate", fd, -1, 10) == "EINVAL"
    assert root.outcome("posix_fallocate", root.open("f", os.O_RDONLY), 0, 10) == "EBADF"


@pytest.mark.parametrize("mode", [FALL_KEEP_SIZE, FALL_PUNCH_HOLE | FALL_KEEP_SIZE, FALL_ZERO_RANGE])
def test_modes_do_what_they_say_or_nothing(root: Identity, mode: int) -> None:
    root.create("f", 0o644, b"x" * 20_000)
    fd = root.open("f", os.O_RDWR)
    outcome = root.outcome("fallocate", fd, mode, 4_096, 8_192)
    assert outcome in ("OK", "EOPNOTSUPP")
    zeroed = outcome == "OK" and mode != FALL_KEEP_SIZE
    middle = b"\0" * 8_192 if zeroed else b"x" * 8_192
    assert root.content("f") == b"x" * 4_096 + middle + b"x" * (20_000 - 12_288)


def test_holes_are_found_or_there_are_none(root: Identity) -> None:
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    root.pwrite(fd, b"d" * 4096, 1_048_576)
    root.ftruncate(fd, 4_194_304)
    data, hole = root.lseek(fd, 0, os.SEEK_DATA), root.lseek(fd, 0, os.SEEK_HOLE)
    assert (data, hole) in ((1_048_576, 0), (0, 4_194_304))
    assert root.outcome("lseek", fd, 4_194_304, os.SEEK_DATA) == "ENXIO"
    assert root.outcome("lseek", fd, 5_000_000, os.SEEK_HOLE) == "ENXIO"


def test_copy_file_range(root: Identity) -> None:
    root.create("a", 0o644, b"abcdefgh" * 10_000)
    source, target = root.open("a", os.O_RDONLY), root.open("b", os.O_CREAT | os.O_RDWR, 0o644)
    copied = 0
    while step := root.copy_file_range(source, target, 80_000 - copied):
        copied += step
    assert root.content("b") == b"abcdefgh" * 10_000
