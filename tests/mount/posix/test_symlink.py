"""symlink and readlink."""

from __future__ import annotations

import os
import stat

import pytest

from tests.mount.posix.syscalls import Identity, Syscalls


@pytest.mark.parametrize("length", [1, 255, 256, 1023, 4094, 4095])
def test_targets_up_to_path_max(root: Identity, length: int) -> None:
    target = ("t" * 200 + "/") * 20 + "t" * 80
    target = target[:length]
    assert root.effect("symlink", target, "s", on=["."]) == ("OK", "mc")
    assert root.readlink("s") == target
    found = root.lstat("s")
    assert (stat.S_ISLNK(found.st_mode), found.st_size, stat.S_IMODE(found.st_mode)) == (True, length, 0o777)


def test_a_target_too_long_or_empty(root: Identity) -> None:
    assert root.effect("symlink", "t" * 4096, "s", on=["."]) == ("ENAMETOOLONG", "")
    assert root.outcome("symlink", "", "s") == "ENOENT"


def test_targets_are_bytes(root: Identity) -> None:
    target = os.fsdecode(b"../\xff\xfe\n //x/./ ")
    root.symlink(target, "s")
    assert root.readlink("s") == target


def test_owner_and_umask(root: Identity, worker: Syscalls) -> None:
    root.chmod(".", 0o777)
    worker.identity(65534, 65533, umask=0o777).symlink("t", "s")
    found = root.lstat("s")
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65533, 0o777)


def test_following(root: Identity) -> None:
    root.mkdir("d")
    root.create("d/f", 0o644, b"found")
    root.symlink("d", "s")
    root.symlink("../d/f", "d/t")
    assert root.content("s/t") == b"found"
    assert root.stat("s").st_ino == root.stat("d").st_ino
    root.unlink("s")
    assert root.listdir("d") != []


def test_what_is_no_link_is_not_read(root: Identity) -> None:
    root.create("f")
    root.mkdir("d")
    assert (root.outcome("readlink", "f"), root.outcome("readlink", "d")) == ("EINVAL", "EINVAL")


def test_a_link_replaced_leads_elsewhere_at_once(root: Identity) -> None:
    root.create("one", 0o644, b"1")
    root.create("two", 0o644, b"2")
    root.symlink("one", "s")
    assert root.content("s") == b"1"
    root.symlink("two", "new")
    root.rename("new", "s")
    assert (root.content("s"), root.readlink("s")) == (b"2", "two")
