"""utimensat: nanoseconds, NOW and OMIT, whose, what moves."""

from __future__ import annotations

import os
import time

import pytest

from tests.mount.posix.syscalls import AT_SYMLINK_NOFOLLOW, KINDS, NOW, OMIT, Identity, Syscalls

NOT_LINKS = [kind for kind in KINDS if kind != "symlink"]


def stamps(root: Identity, path: str) -> tuple[int, int]:
    found = root.lstat(path)
    return found.st_atime_ns, found.st_mtime_ns


def ns(pair: tuple[int, int]) -> int:
    return pair[0] * 10**9 + pair[1]


@pytest.mark.parametrize("kind", NOT_LINKS)
@pytest.mark.parametrize(
    ("atime", "mtime"),
    [
        ((1_900_000_000, 0), (1_950_000_000, 0)),
        ((1_234_567_890, 123_456_789), (987_654_321, 999_999_999)),
        ((0, 0), (0, 1)),
        ((-1, 5), (-86_400 * 365, 500_000_000)),
        ((2**31, 7), (2**32 + 5, 8)),
    ],
)
def test_any_time_to_the_nanosecond(root: Identity, kind: str, atime: tuple[int, int], mtime: tuple[int, int]) -> None:
    root.make(kind, "f")
    before = root.lstat("f").st_ctime_ns
    assert root.outcome("utimensat", "f", atime, mtime) == "OK"
    assert stamps(root, "f") == (ns(atime), ns(mtime))
    assert root.lstat("f").st_ctime_ns >= before


@pytest.mark.parametrize("seconds", [2**33, 15_032_385_535])
def test_a_time_that_is_too_far_away_is_the_last_there_is(root: Identity, seconds: int) -> None:
    fd = root.open("f", os.O_CREAT | os.O_WRONLY, 0o644)
    root.write(fd, b"content")
    assert root.outcome("utimensat", "f", (seconds, 0), (seconds, 0)) == "OK"
    assert root.outcome("fsync", fd) == "OK"
    assert root.outcome("close", fd) == "OK"
    assert root.stat("f").st_mtime_ns >= min(seconds * 10**9, 2**63 - 1)
    assert root.content("f") == b"content"


def test_ctime_moves_and_parents_do_not(root: Identity) -> None:
    root.create("f")
    outcome, own, parent = root.effect("utimensat", "f", (1, 0), (2, 0), on=["f", "."])
    assert (outcome, own, parent) == ("OK", "c", "")


def test_omit(root: Identity) -> None:
    root.create("f")
    root.utimensat("f", (100, 1), (200, 2))
    root.utimensat("f", OMIT, (300, 3))
    assert stamps(root, "f") == (ns((100, 1)), ns((300, 3)))
    root.utimensat("f", (400, 4), OMIT)
    assert stamps(root, "f") == (ns((400, 4)), ns((300, 3)))
    assert root.effect("utimensat", "f", OMIT, OMIT, on=["f"]) == ("OK", "")


def test_now(root: Identity) -> None:
    root.create("f")
    root.utimensat("f", (100, 1), (200, 2))
    before = time.time_ns() - 20_000_000
    root.utimensat("f", NOW, OMIT)
    assert stamps(root, "f")[0] >= before
    assert stamps(root, "f")[1] == ns((200, 2))
    root.utimensat("f", (300, 3), NOW)
    assert stamps(root, "f")[0] == ns((300, 3))
    assert stamps(root, "f")[1] >= before
    root.utimensat("f", NOW, NOW)
    assert all(before <= stamp <= time.time_ns() + 20_000_000 for stamp in stamps(root, "f"))


@pytest.mark.parametrize("nanoseconds", [-1, 1_000_000_000, 2**31 - 1])
def test_impossible_nanoseconds(root: Identity, nanoseconds: int) -> None:
    root.create("f")
    assert root.effect("utimensat", "f", (1, nanoseconds), (1, 0), on=["f"]) == ("EINVAL", "")
    assert root.effect("utimensat", "f", (1, 0), (1, nanoseconds), on=["f"]) == ("EINVAL", "")


@pytest.mark.parametrize("kind", ["regular", "directory", "fifo"])
def test_whose(root: Identity, worker: Syscalls, kind: str) -> None:
    """Given times are for the owner; the present time is also for whoever may write; OMIT for both is for anyone."""
    root.make(kind, "f")
    root.chown("f", 65534, 1000)
    root.chmod("f", 0o764)
    owner = worker.identity(65534)
    writer = worker.identity(65533, 1000)
    reader = worker.identity(65533)
    given = ((100, 0), (200, 0))
    for who, at_given, at_now in ((owner, "OK", "OK"), (writer, "EPERM", "OK"), (reader, "EPERM", "EACCES")):
        assert who.outcome("utimensat", "f", *given) == at_given
        assert who.outcome("utimensat", "f", NOW, NOW) == at_now
        assert who.outcome("utimensat", "f", OMIT, OMIT) == "OK"
        assert who.outcome("utimensat", "f", NOW, OMIT) == at_given
        assert who.outcome("utimensat", "f", OMIT, NOW) == at_given
    assert reader.effect("utimensat", "f", *given, on=["f"]) == ("EPERM", "")


def test_links_are_followed_or_not(root: Identity) -> None:
    root.create("f")
    root.symlink("f", "s")
    root.utimensat("s", (10, 1), (20, 2))
    root.utimensat("s", (30, 3), (40, 4), AT_SYMLINK_NOFOLLOW)
    assert stamps(root, "f") == (ns((10, 1)), ns((20, 2)))
    assert root.lstat("s").st_mtime_ns == ns((40, 4))


def test_an_open_file_keeps_given_times(root: Identity) -> None:
    """As ``cp -p`` and ``rsync`` do: write, set the times, close. Closing must not move them."""
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    root.write(fd, b"x" * 100_000)
    root.utime(fd, ns=(111_000_000_001, 222_000_000_002))
    root.close(fd)
    assert stamps(root, "f")[1] == 222_000_000_002
    assert root.content("f") == b"x" * 100_000
    assert stamps(root, "f")[1] == 222_000_000_002


def test_an_unlinked_file(root: Identity) -> None:
    fd = root.open("f", os.O_CREAT | os.O_RDWR, 0o644)
    root.unlink("f")
    root.utime(fd, ns=(1, 2))
    assert root.fstat(fd).st_mtime_ns == 2


def test_a_write_after_moves_mtime_again(root: Identity) -> None:
    root.create("f")
    root.utimensat("f", (1, 0), (2, 0))
    root.overwrite("f", b"now")
    assert root.stat("f").st_mtime_ns > ns((1_000_000_000, 0))
