"""open: flags, permissions, modes, what moves."""

from __future__ import annotations

import os
import stat

import pytest

from tests.mount.posix.syscalls import KINDS, Identity, Syscalls

R, W, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
CREATE, EXCLUSIVE, TRUNCATE = os.O_CREAT, os.O_EXCL, os.O_TRUNC


@pytest.mark.parametrize(
    ("mode", "umask", "wanted"), [(0o755, 0, 0o755), (0o151, 0, 0o151), (0o345, 0o070, 0o305), (0o345, 0o501, 0o244)]
)
def test_mode_and_umask(worker: Syscalls, mode: int, umask: int, wanted: int) -> None:
    assert worker.identity(0, umask=umask).effect("attempt", "f", CREATE | W, mode, on=["."]) == ("OK", "mc")
    assert worker.identity(0).stat("f").st_mode == stat.S_IFREG | wanted


def test_owner_is_the_maker(root: Identity, worker: Syscalls) -> None:
    root.chmod(".", 0o777)
    worker.identity(65534, 65533).attempt("f", CREATE | W, 0o640)
    assert (root.stat("f").st_uid, root.stat("f").st_gid) == (65534, 65533)


def test_set_group_id_directories_give_their_group(root: Identity, alice: Identity) -> None:
    root.chown(".", 0, 77)
    root.chmod(".", 0o2777)
    alice.attempt("f", CREATE | W, 0o644)
    assert root.stat("f").st_gid == 77


def test_creating_with_a_mode_that_forbids_it(root: Identity, alice: Identity) -> None:
    """The descriptor of a new file may do what was asked, whatever the mode says to those who come later."""
    root.chmod(".", 0o777)
    fd = alice.open("f", CREATE | RW, 0)
    assert alice.write(fd, b"allowed") == 7
    assert alice.outcome("attempt", "f", R) == "EACCES"
    assert alice.outcome("attempt", "f", CREATE | W) == "EACCES"


def test_opening_what_exists_moves_nothing(root: Identity) -> None:
    root.create("f", 0o644, b"abc")
    assert root.effect("attempt", "f", CREATE | RW, on=["f", "."]) == ("OK", "", "")
    assert root.content("f") == b"abc"


def test_truncation(root: Identity, alice: Identity) -> None:
    root.create("f", 0o644, b"abc")
    assert alice.effect("attempt", "f", W | TRUNCATE, on=["f"]) == ("EACCES", "")
    assert alice.effect("attempt", "f", R | TRUNCATE, on=["f"]) == ("EACCES", "")
    assert root.content("f") == b"abc"
    assert root.effect("attempt", "f", W | TRUNCATE, on=["f", "."]) == ("OK", "mc", "")
    assert root.stat("f").st_size == 0


def test_truncation_when_created_again(root: Identity) -> None:
    root.create("f", 0o640, b"abc")
    root.attempt("f", CREATE | W | TRUNCATE, 0o777)
    assert (root.stat("f").st_size, stat.S_IMODE(root.stat("f").st_mode)) == (0, 0o640)


@pytest.mark.parametrize(
    ("mode", "flags", "alice_outcome", "bob_outcome", "group_outcome"),
    [
        (0o600, R, "OK", "EACCES", "EACCES"),
        (0o600, RW, "OK", "EACCES", "EACCES"),
        (0o060, R, "EACCES", "EACCES", "OK"),
        (0o060, RW, "EACCES", "EACCES", "OK"),
        (0o006, R, "EACCES", "OK", "EACCES"),
        (0o006, W, "EACCES", "OK", "EACCES"),
        (0o400, R, "OK", "EACCES", "EACCES"),
        (0o400, W, "EACCES", "EACCES", "EACCES"),
        (0o200, R, "EACCES", "EACCES", "EACCES"),
        (0o200, W, "OK", "EACCES", "EACCES"),
        (0o040, RW, "EACCES", "EACCES", "EACCES"),
        (0o020, W, "EACCES", "EACCES", "OK"),
        (0o111, R, "EACCES", "EACCES", "EACCES"),
    ],
)
@pytest.mark.parametrize("kind", ["regular", "fifo"])
def test_permission_classes(
    root: Identity,
    worker: Syscalls,
    kind: str,
    mode: int,
    flags: int,
    alice_outcome: str,
    bob_outcome: str,
    group_outcome: str,
) -> None:
    """The first class that fits decides, also if a later one would allow more."""
    root.make(kind, "f")
    root.chown("f", 65534, 1000)
    root.chmod("f", mode)
    reader = root.open("f", RW | os.O_NONBLOCK)
    flags |= os.O_NONBLOCK
    assert worker.identity(65534, 65534, [1000]).outcome("attempt", "f", flags) == alice_outcome
    assert worker.identity(65533).outcome("attempt", "f", flags) == bob_outcome
    assert worker.identity(65533, 1000).outcome("attempt", "f", flags) == group_outcome
    assert worker.identity(65533, 65533, [999, 1000]).outcome("attempt", "f", flags) == group_outcome
    assert root.outcome("attempt", "f", flags) == "OK"
    root.close(reader)


@pytest.mark.parametrize("mode", [0o444, 0o555, 0o111, 0])
def test_creation_needs_write_and_search(root: Identity, alice: Identity, mode: int) -> None:
    root.mkdir("d")
    root.chown("d", alice.uid, alice.gid)
    root.chmod("d", mode)
    assert alice.effect("attempt", "d/f", CREATE | W, on=["d"]) == ("EACCES", "")
    assert root.listdir("d") == []


def test_directories(root: Identity, alice: Identity) -> None:
    root.mkdir("d", 0o755)
    root.create("f")
    for flags in (W, RW, R | TRUNCATE, W | TRUNCATE, CREATE | R):
        assert root.outcome("attempt", "d", flags) == "EISDIR"
    assert root.outcome("attempt", "d", R | os.O_DIRECTORY) == "OK"
    assert root.outcome("attempt", "f", R | os.O_DIRECTORY) == "ENOTDIR"
    assert root.outcome("read", root.open("d", R), 10) == "EISDIR"
    root.chmod("d", 0o711)
    assert alice.outcome("listdir", "d") == "EACCES"


def test_links_are_followed_unless_told(root: Identity) -> None:
    root.create("f", 0o644, b"there")
    root.symlink("f", "s")
    assert root.content("s") == b"there"
    assert root.outcome("attempt", "s", R | os.O_NOFOLLOW) == "ELOOP"
    assert root.outcome("attempt", "s", CREATE | EXCLUSIVE | W) == "EEXIST"
    root.symlink("new", "t")
    assert root.outcome("attempt", "t", CREATE | W) == "OK"
    assert "new" in root.listdir(".")
    root.mkdir("d")
    root.symlink("d", "e")
    assert root.outcome("attempt", "e", R | os.O_NOFOLLOW | os.O_DIRECTORY) == "ENOTDIR"


@pytest.mark.parametrize("kind", KINDS)
def test_exclusive_creation(root: Identity, kind: str) -> None:
    root.make(kind, "x")
    assert root.effect("attempt", "x", CREATE | EXCLUSIVE | RW, on=["x", "."]) == ("EEXIST", "", "")


def test_a_fifo_without_readers(root: Identity) -> None:
    root.mkfifo("p", 0o600)
    assert root.outcome("attempt", "p", W | os.O_NONBLOCK) == "ENXIO"
    assert root.outcome("attempt", "p", R | os.O_NONBLOCK) == "OK"


def test_a_socket_is_not_opened(root: Identity) -> None:
    root.make("socket", "s")
    for flags in (R, W, RW):
        assert root.outcome("attempt", "s", flags) == "ENXIO"


def test_a_device_without_driver(root: Identity) -> None:
    root.mknod("c", stat.S_IFCHR | 0o600, os.makedev(254, 12_345))
    assert root.outcome("attempt", "c", R) == "ENXIO"


def test_appending(root: Identity) -> None:
    first = root.open("f", CREATE | W | os.O_APPEND, 0o644)
    second = root.open("f", W | os.O_APPEND)
    for number in range(20):
        root.write(first if number % 2 else second, b"%02d" % number)
    assert root.content("f") == b"".join(b"%02d" % number for number in range(20))
    assert root.lseek(first, 0, os.SEEK_CUR) == 40


def test_unlinked_while_open(root: Identity) -> None:
    fd = root.open("f", CREATE | RW, 0o644)
    root.write(fd, b"before ")
    root.unlink("f")
    root.write(fd, b"after")
    assert root.pread(fd, 100, 0) == b"before after"
    assert (root.fstat(fd).st_nlink, root.fstat(fd).st_size) == (0, 12)
    root.create("f", 0o644, b"another")
    assert root.fstat(fd).st_ino != root.stat("f").st_ino
    root.ftruncate(fd, 6)
    root.close(fd)
    assert root.content("f") == b"another"


def test_a_file_without_a_name(root: Identity) -> None:
    """``O_TMPFILE``: where the kernel and the file system know it, with ``linkat`` to name it; EOPNOTSUPP if not."""
    outcome = root.outcome("attempt", ".", os.O_TMPFILE | RW, 0o600)
    assert outcome in ("OK", "EOPNOTSUPP")
    assert root.listdir(".") == []
    if outcome == "OK":
        fd = root.open(".", os.O_TMPFILE | RW, 0o640)
        root.write(fd, b"named late")
        assert root.fstat(fd).st_nlink == 0
        pid = root.getpid()
        root.link(f"/proc/{pid}/fd/{fd}", "f", src_dir_fd=root.open(".", R), follow_symlinks=True)
        assert root.content("f") == b"named late"


def test_writing_and_reading_needs_the_right_descriptor(root: Identity) -> None:
    root.create("f", 0o644, b"abc")
    assert root.outcome("write", root.open("f", R), b"x") == "EBADF"
    assert root.outcome("read", root.open("f", W), 1) == "EBADF"


def test_a_write_moves_the_times(root: Identity) -> None:
    root.create("f", 0o644, b"abc")
    fd = root.open("f", RW)
    assert root.effect("pwrite", fd, b"x", 1, on=["f", "."]) == ("OK", "mc", "")
    assert root.effect("pread", fd, 3, 0, on=["f"]) == ("OK", "")
    assert root.effect("fsync", fd, on=["f"]) == ("OK", "")
    assert root.effect("close", fd, on=["f"]) == ("OK", "")


def test_holes_read_as_zeros(root: Identity) -> None:
    fd = root.open("f", CREATE | RW, 0o644)
    root.pwrite(fd, b"end", 3_000_000)
    assert root.fstat(fd).st_size == 3_000_003
    assert root.pread(fd, 4096, 1_000_000) == b"\0" * 4096
    assert root.pread(fd, 10, 2_999_999) == b"\0end"
    assert root.pread(fd, 10, 3_000_003) == b""


def test_syncing(root: Identity) -> None:
    root.create("f")
    fd = root.open("f", RW)
    root.write(fd, b"x")
    directory = root.open(".", R)
    for call, target in (("fsync", fd), ("fdatasync", fd), ("fsync", directory), ("fdatasync", directory)):
        assert root.outcome(call, target) == "OK"
