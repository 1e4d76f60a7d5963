"""truncate and ftruncate: sizes, contents, whose, what moves."""

from __future__ import annotations

import os

import pytest

from tests.mount.posix.syscalls import Identity

HUGE = 999_999_999_999_999


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 123_456, 5_000_000])
@pytest.mark.parametrize("by_descriptor", [False, True])
def test_growing_adds_zeros(root: Identity, size: int, by_descriptor: bool) -> None:
    root.create("f", 0o644, b"abc")
    target = root.open("f", os.O_RDWR) if by_descriptor else "f"
    assert root.effect("ftruncate" if by_descriptor else "truncate", target, size, on=["f", "."]) == ("OK", "mc", "")
    assert root.stat("f").st_size == size
    assert root.content("f") == b"abc"[:size].ljust(size, b"\0")


def test_what_was_cut_off_does_not_come_back(root: Identity) -> None:
    root.create("f", 0o644, b"x" * 10_000)
    root.truncate("f", 5_000)
    root.truncate("f", 10_000)
    assert root.content("f") == b"x" * 5_000 + b"\0" * 5_000


def test_the_same_size_changes_nothing_else(root: Identity) -> None:
    """POSIX lets truncate(2) leave the times alone then, and the kernel's write-back cache does."""
    root.create("f", 0o644, b"abc")
    assert root.outcome("truncate", "f", 3) == "OK"
    assert root.content("f") == b"abc"


def test_a_descriptor_needs_no_permission_of_the_file(root: Identity, alice: Identity) -> None:
    root.create("f", 0o600, b"abc")
    root.chown("f", alice.uid, alice.gid)
    fd = alice.open("f", os.O_RDWR)
    root.chmod("f", 0)
    assert alice.outcome("ftruncate", fd, 1) == "OK"
    assert alice.outcome("truncate", "f", 0) == "EACCES"
    assert root.stat("f").st_size == 1


def test_write_permission(root: Identity, alice: Identity) -> None:
    root.create("f", 0o644, b"abc")
    assert alice.effect("truncate", "f", 0, on=["f"]) == ("EACCES", "")
    assert root.content("f") == b"abc"


def test_an_unlinked_file(root: Identity) -> None:
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    root.unlink("f")
    assert root.effect("ftruncate", fd, 12_345, on=[fd]) == ("OK", "mc")
    assert root.fstat(fd).st_size == 12_345


def test_read_only_descriptors_and_directories(root: Identity) -> None:
    root.create("f")
    root.mkdir("d")
    assert root.outcome("ftruncate", root.open("f", os.O_RDONLY), 1) == "EINVAL"
    assert root.outcome("truncate", "d", 0) == "EISDIR"
    assert root.outcome("truncate", "f", -1) == "EINVAL"
    assert root.outcome("ftruncate", root.open("f", os.O_RDWR), -1) == "EINVAL"


@pytest.mark.parametrize("by_descriptor", [False, True])
def test_a_huge_size_works_or_is_too_large(root: Identity, by_descriptor: bool) -> None:
    root.create("f", 0o644, b"abc")
    target = root.open("f", os.O_RDWR) if by_descriptor else "f"
    outcome = root.outcome("ftruncate" if by_descriptor else "truncate", target, HUGE)
    assert outcome in ("OK", "EFBIG", "EINVAL")
    assert root.stat("f").st_size == (HUGE if outcome == "OK" else 3)
    root.unlink("f")


def test_a_write_at_a_huge_offset_works_or_fails_before_close_returns(root: Identity) -> None:
    """With a write-back cache the file system hears of it late, and the kernel turns any errno into EIO then."""
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    outcomes = [root.outcome("pwrite", fd, b"x", HUGE), root.outcome("fsync", fd), root.outcome("close", fd)]
    if outcomes == ["OK", "OK", "OK"]:
        assert root.stat("f").st_size == HUGE + 1
    else:
        assert set(outcomes) <= {"OK", "EFBIG", "EINVAL", "EIO"}
    assert root.outcome("unlink", "f") == "OK"


def test_a_running_program_is_busy(root: Identity) -> None:
    with open("/bin/sleep", "rb") as program:
        root.create("sleep", 0o755, program.read())
    pid = root.spawn("./sleep", "1000")
    try:
        assert root.outcome("truncate", "sleep", 0) == "ETXTBSY"
        assert root.outcome("attempt", "sleep", os.O_WRONLY) == "ETXTBSY"
        assert root.outcome("attempt", "sleep", os.O_WRONLY | os.O_TRUNC) == "ETXTBSY"
    finally:
        root.end(pid)
    assert root.outcome("truncate", "sleep", 0) == "OK"


def test_a_file_open_for_writing_does_not_run(root: Identity) -> None:
    with open("/bin/true", "rb") as program:
        root.create("true", 0o755, program.read())
    fd = root.open("true", os.O_WRONLY)
    assert root.outcome("spawn", "./true") == "ETXTBSY"
    root.close(fd)
