"""Sticky directories: unlink, rmdir and rename need the owner of the entry or of the directory, or root."""

from __future__ import annotations

import itertools

import pytest

from tests.mount.posix.syscalls import Identity, Syscalls

ROOT, ALICE, BOB = 0, 65534, 65533
OWNERS = list(itertools.product((ROOT, ALICE, BOB), repeat=2))
KINDS = ("regular", "directory", "fifo", "symlink")


def sticky(root: Identity, path: str, owner: int, mode: int = 0o1777) -> None:
    root.mkdir(path)
    root.chown(path, owner, owner)
    root.chmod(path, mode)


def entry(root: Identity, kind: str, path: str, owner: int) -> None:
    root.make(kind, path, 0o777)
    root.lchown(path, owner, owner)


def removal(kind: str) -> str:
    return "rmdir" if kind == "directory" else "unlink"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("directory_owner", "owner"), OWNERS)
def test_removal(root: Identity, alice: Identity, kind: str, directory_owner: int, owner: int) -> None:
    sticky(root, "d", directory_owner)
    entry(root, kind, "d/x", owner)
    if ALICE in (directory_owner, owner):
        assert alice.outcome(removal(kind), "d/x") == "OK"
    else:
        assert alice.effect(removal(kind), "d/x", on=["d", "d/x"]) == ("EPERM", "", "")
        assert root.outcome(removal(kind), "d/x") == "OK"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("directory_owner", "owner"), OWNERS)
def test_renaming_away(root: Identity, alice: Identity, kind: str, directory_owner: int, owner: int) -> None:
    """A directory that changes its parent must also be writable itself, which 0777 grants here."""
    sticky(root, "d", directory_owner)
    root.mkdir("e", 0o777)
    entry(root, kind, "d/x", owner)
    allowed = ALICE in (directory_owner, owner)
    if allowed:
        assert alice.effect("rename", "d/x", "e/x", on=["d", "e"]) == ("OK", "mc", "mc")
    else:
        assert alice.effect("rename", "d/x", "e/x", on=["d", "e", "d/x"]) == ("EPERM", "", "", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("directory_owner", "owner"), OWNERS)
def test_renaming_over(root: Identity, alice: Identity, kind: str, directory_owner: int, owner: int) -> None:
    sticky(root, "d", directory_owner)
    root.mkdir("e", 0o777)
    entry(root, kind, "d/x", owner)
    entry(root, kind, "e/x", ALICE)
    wanted = "OK" if ALICE in (directory_owner, owner) else "EPERM"
    assert alice.outcome("rename", "e/x", "d/x") == wanted
    assert root.lstat("d/x").st_uid == (ALICE if wanted == "OK" else owner)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("directory_owner", "owner"), OWNERS)
def test_renaming_within(root: Identity, alice: Identity, kind: str, directory_owner: int, owner: int) -> None:
    sticky(root, "d", directory_owner)
    entry(root, kind, "d/x", owner)
    wanted = "OK" if ALICE in (directory_owner, owner) else "EPERM"
    assert alice.outcome("rename", "d/x", "d/y") == wanted
    assert root.listdir("d") == ["y" if wanted == "OK" else "x"]


@pytest.mark.parametrize("kind", KINDS)
def test_linking_and_making_are_not_restricted(root: Identity, alice: Identity, kind: str) -> None:
    sticky(root, "d", BOB)
    assert alice.outcome("make", kind, "d/y", 0o644) == "OK"


def test_without_write_permission_the_bit_does_not_matter(root: Identity, alice: Identity) -> None:
    sticky(root, "d", ROOT, 0o1755)
    entry(root, "regular", "d/x", ALICE)
    assert alice.outcome("unlink", "d/x") == "EACCES"
    assert alice.outcome("rename", "d/x", "d/y") == "EACCES"


def test_a_group_member_is_not_the_owner(root: Identity, worker: Syscalls) -> None:
    sticky(root, "d", ROOT, 0o1775)
    root.chown("d", ROOT, 1000)
    entry(root, "regular", "d/x", BOB)
    assert worker.identity(ALICE, ALICE, [1000]).outcome("unlink", "d/x") == "EPERM"
