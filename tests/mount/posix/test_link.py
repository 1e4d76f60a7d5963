"""link: counts, kinds, permissions, what moves."""

from __future__ import annotations

import os

import pytest

from tests.mount.posix.syscalls import KINDS, Identity

LINKABLE = [kind for kind in KINDS if kind != "directory"]


@pytest.mark.parametrize("kind", LINKABLE)
def test_names_of_one_file(root: Identity, kind: str) -> None:
    root.make(kind, "a")
    root.mkdir("d")
    assert root.effect("link", "a", "b", on=["a", "."]) == ("OK", "c", "mc")
    assert root.effect("link", "b", "d/c", on=["a", ".", "d"]) == ("OK", "c", "", "mc")
    seen = {(found.st_ino, found.st_nlink, found.st_mode) for found in map(root.lstat, ("a", "b", "d/c"))}
    assert len(seen) == 1
    assert root.lstat("a").st_nlink == 3
    root.lchown("b", 65534, 65533)
    assert (root.lstat("d/c").st_uid, root.lstat("a").st_gid) == (65534, 65533)
    assert root.effect("unlink", "a", on=["b", "."]) == ("OK", "c", "mc")
    assert root.lstat("b").st_nlink == 2
    root.unlink("b")
    assert root.lstat("d/c").st_nlink == 1


def test_content_is_shared(root: Identity) -> None:
    root.create("a", 0o644, b"one")
    root.link("a", "b")
    root.overwrite("b", b"two!")
    assert root.content("a") == b"two!"
    root.truncate("a", 2)
    assert root.content("b") == b"tw"
    root.chmod("a", 0o400)
    assert root.stat("b").st_mode & 0o777 == 0o400


def test_a_directory_has_one_name(root: Identity, alice: Identity) -> None:
    root.mkdir("d")
    assert root.effect("link", "d", "e", on=["d", "."]) == ("EPERM", "", "")
    root.chmod(".", 0o777)
    assert alice.outcome("link", "d", "e") == "EPERM"


def test_a_symbolic_link_itself_is_linked(root: Identity) -> None:
    root.create("f")
    root.symlink("f", "s")
    root.link("s", "t")
    assert root.readlink("t") == "f"
    assert root.stat("f").st_nlink == 1
    root.link("s", "u", follow_symlinks=False)
    assert root.lstat("s").st_nlink == 3


def test_permissions(root: Identity, alice: Identity) -> None:
    root.mkdir("from", 0o777)
    root.mkdir("to", 0o755)
    root.create("from/f", 0o666)
    root.chown("from/f", alice.uid, alice.gid)
    assert alice.effect("link", "from/f", "to/f", on=["from/f", "to"]) == ("EACCES", "", "")
    root.chmod("to", 0o777)
    assert alice.outcome("link", "from/f", "to/f") == "OK"
    root.chmod("from", 0o666)
    assert alice.outcome("link", "from/f", "to/g") == "EACCES"


def test_an_unlinked_file_gets_no_new_name_by_its_old_one(root: Identity) -> None:
    root.create("f")
    fd = root.open("f", os.O_RDONLY)
    root.unlink("f")
    assert root.outcome("link", "f", "g") == "ENOENT"
    assert root.fstat(fd).st_nlink == 0


def test_many_names(root: Identity) -> None:
    root.create("f0")
    for number in range(1, 200):
        root.link("f0", f"f{number}")
    assert root.stat("f77").st_nlink == 200
    for number in range(199):
        root.unlink(f"f{number}")
    assert root.stat("f199").st_nlink == 1
