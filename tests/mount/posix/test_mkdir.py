"""mkdir and rmdir: modes, owners, link counts, what moves, whose."""

from __future__ import annotations

import os
import stat

import pytest

from tests.mount.posix.syscalls import KINDS, Identity, Syscalls


@pytest.mark.parametrize(
    ("mode", "umask", "wanted"),
    [(0o755, 0, 0o755), (0o151, 0, 0o151), (0o777, 0o077, 0o700), (0o777, 0o501, 0o276), (0o1777, 0o022, 0o1755)],
)
def test_mode_and_umask(worker: Syscalls, mode: int, umask: int, wanted: int) -> None:
    assert worker.identity(0, umask=umask).effect("mkdir", "d", mode, on=["."]) == ("OK", "mc")
    found = worker.identity(0).stat("d")
    assert found.st_mode == stat.S_IFDIR | wanted


def test_owner_is_the_maker(root: Identity, worker: Syscalls) -> None:
    root.chmod(".", 0o777)
    worker.identity(65534, 65533).mkdir("d")
    assert (root.stat("d").st_uid, root.stat("d").st_gid) == (65534, 65533)


def test_a_set_group_id_directory_gives_its_group_and_bit(root: Identity, alice: Identity) -> None:
    root.mkdir("d", 0o777)
    root.chown("d", 0, 1234)
    root.chmod("d", 0o2777)
    alice.mkdir("d/e", 0o755)
    alice.create("d/f")
    alice.make("fifo", "d/p")
    alice.symlink("f", "d/s")
    for name in "efps":
        assert (root.lstat(f"d/{name}").st_uid, root.lstat(f"d/{name}").st_gid) == (alice.uid, 1234)
    assert stat.S_IMODE(root.stat("d/e").st_mode) == 0o2755
    alice.mkdir("d/e/g")
    assert root.stat("d/e/g").st_gid == 1234


def test_link_counts(root: Identity) -> None:
    before = root.stat(".").st_nlink
    for number in range(5):
        root.mkdir(f"d{number}")
        assert root.stat(".").st_nlink == before + number + 1
    assert root.stat("d0").st_nlink == 2
    root.create("f")
    root.rename("d1", "d0/d1")
    assert (root.stat(".").st_nlink, root.stat("d0").st_nlink) == (before + 4, 3)
    root.rmdir("d0/d1")
    assert root.stat("d0").st_nlink == 2
    for name in ("d0", "d2", "d3", "d4"):
        root.rmdir(name)
    assert root.stat(".").st_nlink == before


def test_rmdir_moves_the_parent(root: Identity) -> None:
    root.mkdir("d")
    root.mkdir("d/e")
    assert root.effect("rmdir", "d/e", on=["d", "."]) == ("OK", "mc", "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_directory_that_is_not_empty(root: Identity, kind: str) -> None:
    root.mkdir("d")
    root.make(kind, "d/x")
    assert root.effect("rmdir", "d", on=["d", "."]) == ("ENOTEMPTY", "", "")
    assert root.listdir("d") == ["x"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "directory"])
def test_rmdir_of_something_else(root: Identity, kind: str) -> None:
    root.make(kind, "x")
    assert root.effect("rmdir", "x", on=["."]) == ("ENOTDIR", "")
    root.mkdir("d")
    root.symlink("d", "s")
    assert root.outcome("rmdir", "s") == "ENOTDIR"


def test_rmdir_needs_permission_to_write_the_parent(root: Identity, alice: Identity) -> None:
    root.mkdir("d", 0o755)
    root.mkdir("d/e", 0o777)
    root.chown("d/e", alice.uid, alice.gid)
    assert alice.effect("rmdir", "d/e", on=["d"]) == ("EACCES", "")
    root.chmod("d", 0o777)
    assert alice.outcome("rmdir", "d/e") == "OK"


def test_the_working_directory_may_go(root: Identity) -> None:
    """What is removed stays usable to those inside, and takes no new entries."""
    home = root.open(".", os.O_RDONLY)
    root.mkdir("d")
    root.chdir("d")
    try:
        root.rmdir("../d")
        assert root.stat(".").st_nlink == 0
        assert root.listdir(".") == []
        assert root.outcome("create", "x") == "ENOENT"
        assert root.outcome("mkdir", "x") == "ENOENT"
        assert root.outcome("symlink", "t", "x") == "ENOENT"
    finally:
        root.fchdir(home)
    assert root.listdir(".") == []


def test_a_mountpoint_or_root_is_not_removed(root: Identity) -> None:
    assert root.outcome("rmdir", "/") == "EBUSY"


def test_a_removed_and_remade_directory_is_another(root: Identity) -> None:
    root.mkdir("d")
    fd = root.open("d", os.O_RDONLY)
    root.rmdir("d")
    root.mkdir("d")
    root.create("d/x")
    assert root.listdir(fd) == []
    assert root.listdir("d") == ["x"]
