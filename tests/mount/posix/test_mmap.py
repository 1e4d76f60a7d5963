"""Shared memory maps and the file see the same bytes."""

from __future__ import annotations

import os

from tests.mount.posix.syscalls import Identity


def test_what_a_map_writes_the_file_has(root: Identity) -> None:
    root.create("f", 0o644, b"." * 100_000)
    fd = root.open("f", os.O_RDWR)
    root.map_write(fd, 50_000, b"mapped")
    assert root.pread(fd, 8, 49_999) == b".mapped."
    root.close(fd)
    assert root.content("f") == b"." * 50_000 + b"mapped" + b"." * 49_994


def test_what_is_written_a_map_shows(root: Identity) -> None:
    root.create("f", 0o644, b"." * 10_000)
    fd = root.open("f", os.O_RDWR)
    assert root.map_read(fd, 0, 3) == b"..."
    root.pwrite(fd, b"new", 4_094)
    assert root.map_read(fd, 4_093, 4_098) == b".new."


def test_a_map_moves_the_times(root: Identity) -> None:
    root.create("f", 0o644, b"." * 4_096)
    fd = root.open("f", os.O_RDWR)
    outcome, moved = root.effect("map_write", fd, 0, b"x", on=["f"])
    assert outcome == "OK"
    assert "m" in moved


def test_a_map_outlives_descriptor_and_name(root: Identity) -> None:
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    root.ftruncate(fd, 8_192)
    root.unlink("f")
    root.map_write(fd, 8_000, b"kept")
    assert root.pread(fd, 4, 8_000) == b"kept"


def test_a_sparse_file_is_mapped_as_zeros(root: Identity) -> None:
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    root.ftruncate(fd, 1_000_000)
    assert root.map_read(fd, 999_000, 1_000_000) == b"\0" * 1_000
    root.map_write(fd, 500_000, b"island")
    assert root.content("f") == b"\0" * 500_000 + b"island" + b"\0" * 499_994
