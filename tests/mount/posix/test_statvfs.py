"""statvfs, and what stat says of sizes and blocks."""

from __future__ import annotations

import os

from tests.mount.posix.syscalls import Identity


def test_a_real_file_system_of_real_size(root: Identity) -> None:
    found = root.statvfs(".")
    assert found.f_namemax == 255
    assert found.f_bsize > 0
    assert found.f_frsize > 0
    assert found.f_blocks >= found.f_bfree >= found.f_bavail
    assert found.f_blocks > 0


def test_by_descriptor(root: Identity) -> None:
    root.create("f")
    assert root.fstatvfs(root.open("f", os.O_RDONLY)).f_namemax == 255


def test_blocks_follow_the_size(root: Identity) -> None:
    """``du`` counts ``st_blocks`` of 512 bytes: about what is stored, and never more than size asks for."""
    root.create("f", 0o644, b"x" * 100_000)
    fd = root.open("f", os.O_RDWR)
    root.fsync(fd)
    found = root.fstat(fd)
    assert 100_000 <= found.st_blocks * 512 <= 200_000
    assert found.st_blksize >= 512


def test_inodes_differ_and_devices_agree(root: Identity) -> None:
    for name in "abc":
        root.create(name)
    root.mkdir("d")
    found = [root.stat(name) for name in ("a", "b", "c", "d", ".")]
    assert len({one.st_ino for one in found}) == 5
    assert len({one.st_dev for one in found}) == 1
