"""rename and renameat2: kinds over kinds, places, permissions, what moves."""

from __future__ import annotations

import os

import pytest

from tests.mount.posix.syscalls import KINDS, RENAME_EXCHANGE, RENAME_NOREPLACE, Identity

FILES = [kind for kind in KINDS if kind != "directory"]


def identity_of(root: Identity, path: str) -> tuple[int, int, int, int, int]:
    found = root.lstat(path)
    return found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_rdev


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_stays_the_same(root: Identity, kind: str) -> None:
    root.make(kind, "a")
    root.lchown("a", 65534, 65533)
    root.mkdir("d")
    before, modified = identity_of(root, "a"), root.lstat("a").st_mtime_ns
    assert root.effect("rename", "a", "b", on=["."]) == ("OK", "mc")
    assert root.effect("rename", "b", "d/c", on=[".", "d"]) == ("OK", "mc", "mc")
    assert identity_of(root, "d/c") == before
    if kind != "directory":
        assert root.lstat("d/c").st_mtime_ns == modified
    assert (root.listdir("."), root.listdir("d")) == (["d"], ["c"])


@pytest.mark.parametrize("kind", FILES)
def test_ctime_of_the_file_moves(root: Identity, kind: str) -> None:
    root.make(kind, "a")
    fd = root.open(".", os.O_RDONLY)
    before = root.times("a")
    assert root.effect("rename", "a", "b", on=[fd]) == ("OK", "mc")
    assert root.times("b")[0] == before[0]
    assert root.times("b")[1] > before[1]


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("over", FILES)
def test_a_file_over_a_file(root: Identity, kind: str, over: str) -> None:
    root.make(kind, "a")
    root.make(over, "b")
    root.link("b", "other", follow_symlinks=False)
    before = identity_of(root, "a")
    assert root.effect("rename", "a", "b", on=[".", "other"]) == ("OK", "mc", "c")
    assert identity_of(root, "b") == before
    assert root.lstat("other").st_nlink == 1
    assert sorted(root.listdir(".")) == ["b", "other"]


@pytest.mark.parametrize("kind", FILES)
def test_files_and_directories_do_not_replace_each_other(root: Identity, kind: str) -> None:
    root.make(kind, "f")
    root.mkdir("d")
    assert root.effect("rename", "f", "d", on=["f", "d", "."]) == ("EISDIR", "", "", "")
    assert root.effect("rename", "d", "f", on=["f", "d", "."]) == ("ENOTDIR", "", "", "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_directory_over_one_that_is_not_empty(root: Identity, kind: str) -> None:
    root.mkdir("a")
    root.mkdir("b")
    root.make(kind, "b/x")
    assert root.effect("rename", "a", "b", on=["a", "b", "."]) in (
        ("ENOTEMPTY", "", "", ""),
        ("EEXIST", "", "", ""),
    )


def test_a_directory_over_an_empty_one(root: Identity) -> None:
    root.mkdir("a")
    root.create("a/x")
    root.mkdir("d")
    root.mkdir("d/b")
    links, inner = root.stat(".").st_nlink, root.stat("d").st_nlink
    before = identity_of(root, "a")
    assert root.effect("rename", "a", "d/b", on=[".", "d"]) == ("OK", "mc", "mc")
    assert identity_of(root, "d/b") == before
    assert root.listdir("d/b") == ["x"]
    assert (root.stat(".").st_nlink, root.stat("d").st_nlink) == (links - 1, inner)
    assert root.stat("d/b/..").st_ino == root.stat("d").st_ino


def test_a_replaced_directory_lives_on_in_its_descriptor(root: Identity) -> None:
    root.mkdir("a")
    root.mkdir("b")
    fd = root.open("b", os.O_RDONLY)
    root.rename("a", "b")
    assert root.fstat(fd).st_nlink == 0
    assert root.outcome("attempt", f"/proc/self/fd/{fd}/x", os.O_CREAT | os.O_WRONLY) == "ENOENT"


def test_a_replaced_file_lives_on_in_its_descriptor(root: Identity) -> None:
    root.create("a", 0o644, b"new")
    root.create("b", 0o644, b"old content")
    fd = root.open("b", os.O_RDWR)
    root.rename("a", "b")
    assert root.pread(fd, 100, 0) == b"old content"
    root.pwrite(fd, b"OLD", 0)
    assert (root.content("b"), root.fstat(fd).st_nlink) == (b"new", 0)


def test_an_open_file_keeps_being_written_after_its_rename(root: Identity) -> None:
    fd = root.open("a", os.O_CREAT | os.O_RDWR, 0o644)
    root.write(fd, b"one ")
    root.rename("a", "b")
    root.write(fd, b"two")
    root.close(fd)
    assert root.content("b") == b"one two"


def test_a_directory_into_itself(root: Identity) -> None:
    root.mkdir("d")
    root.mkdir("d/e")
    root.mkdir("d/e/f")
    for target in ("d/x", "d/e/x", "d/e/f", "d/e/f/x"):
        assert root.effect("rename", "d", target, on=["d", "."]) == ("EINVAL", "", "")
    assert root.outcome("rename", "d/e", "d") in ("ENOTEMPTY", "EEXIST")
    assert root.outcome("rename", "d/.", "x") in ("EBUSY", "EINVAL")
    assert root.outcome("rename", "d/..", "x") in ("EBUSY", "EINVAL")


@pytest.mark.parametrize("kind", FILES)
def test_two_names_of_one_file_both_stay(root: Identity, kind: str) -> None:
    root.make(kind, "a")
    root.link("a", "b", follow_symlinks=False)
    assert root.effect("rename", "a", "b", on=["a", "."]) == ("OK", "", "")
    assert sorted(root.listdir(".")) == ["a", "b"]
    assert root.effect("rename", "a", "a", on=["a", "."]) == ("OK", "", "")
    assert root.lstat("a").st_nlink == 2


@pytest.mark.parametrize("kind", KINDS)
def test_permissions_of_the_directories(root: Identity, alice: Identity, kind: str) -> None:
    root.mkdir("from", 0o755)
    root.mkdir("to", 0o777)
    root.make(kind, "from/x", 0o777)
    root.lchown("from/x", alice.uid, alice.gid)
    assert alice.effect("rename", "from/x", "to/x", on=["from", "to"]) == ("EACCES", "", "")
    root.chmod("from", 0o777)
    root.chmod("to", 0o755)
    assert alice.effect("rename", "from/x", "to/x", on=["from", "to"]) == ("EACCES", "", "")
    root.chmod("to", 0o777)
    assert alice.outcome("rename", "from/x", "to/x") == "OK"


def test_a_directory_one_may_not_write_keeps_its_parent(root: Identity, alice: Identity) -> None:
    """Its ``..`` would change; within the same parent it does not."""
    root.mkdir("from", 0o777)
    root.mkdir("to", 0o777)
    root.mkdir("from/d", 0o755)
    assert alice.outcome("rename", "from/d", "to/d") == "EACCES"
    assert alice.outcome("rename", "from/d", "from/e") == "OK"


def test_noreplace(root: Identity) -> None:
    root.create("a")
    for kind in KINDS:
        root.make(kind, kind)
        assert root.effect("renameat2", "a", kind, RENAME_NOREPLACE, on=["a", kind]) == ("EEXIST", "", "")
    assert root.outcome("renameat2", "a", "new", RENAME_NOREPLACE) == "OK"
    assert root.outcome("renameat2", "new", "new", RENAME_NOREPLACE) == "EEXIST"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_exchange(root: Identity, kind: str, other: str) -> None:
    root.mkdir("d")
    root.mkdir("e")
    root.make(kind, "d/a")
    root.make(other, "e/b")
    for path in ("d/a", "e/b"):
        if root.lstat(path).st_mode & 0o170000 == 0o040000:
            root.create(f"{path}/inside")
    first, second = identity_of(root, "d/a"), identity_of(root, "e/b")
    links = root.stat("d").st_nlink, root.stat("e").st_nlink
    assert root.effect("renameat2", "d/a", "e/b", RENAME_EXCHANGE, on=["d", "e"]) == ("OK", "mc", "mc")
    assert (identity_of(root, "d/a"), identity_of(root, "e/b")) == (second, first)
    change = (other == "directory") - (kind == "directory")
    assert (root.stat("d").st_nlink, root.stat("e").st_nlink) == (links[0] + change, links[1] - change)


def test_exchange_needs_both_and_no_circle(root: Identity) -> None:
    root.mkdir("d")
    root.create("d/f")
    assert root.outcome("renameat2", "d/f", "d/absent", RENAME_EXCHANGE) == "ENOENT"
    assert root.outcome("renameat2", "d/absent", "d/f", RENAME_EXCHANGE) == "ENOENT"
    assert root.outcome("renameat2", "d", "d/f", RENAME_EXCHANGE) == "EINVAL"
    assert root.outcome("renameat2", "d/f", "d", RENAME_EXCHANGE) == "EINVAL"
    assert root.outcome("renameat2", "d", "d/f", RENAME_EXCHANGE | RENAME_NOREPLACE) == "EINVAL"


def test_a_deep_tree_moves_with_all_that_is_in_it(root: Identity) -> None:
    root.makedirs("a/b/c/d")
    root.create("a/b/c/d/f", 0o644, b"bottom")
    root.mkdir("x")
    root.rename("a/b", "x/y")
    assert root.content("x/y/c/d/f") == b"bottom"
    assert root.outcome("lstat", "a/b") == "ENOENT"
    root.rename("x", "a/z")
    assert root.content("a/z/y/c/d/f") == b"bottom"
