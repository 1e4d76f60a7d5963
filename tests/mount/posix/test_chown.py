"""chown and lchown: whose, what is cleared, what moves."""

from __future__ import annotations

import stat

import pytest

from tests.mount.posix.syscalls import KINDS, Identity, Syscalls

A, B, C = 65534, 65533, 65532


def owner(root: Identity, path: str) -> tuple[int, int]:
    found = root.lstat(path)
    return found.st_uid, found.st_gid


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(root: Identity, kind: str) -> None:
    root.make(kind, "f")
    assert root.effect("lchown", "f", 123, 456, on=["f", "."]) == ("OK", "c", "")
    assert owner(root, "f") == (123, 456)
    root.lchown("f", -1, 7)
    assert owner(root, "f") == (123, 7)
    root.lchown("f", 8, -1)
    assert owner(root, "f") == (8, 7)
    root.lchown("f", -1, -1)
    assert owner(root, "f") == (8, 7)


def test_a_link_is_followed_or_not(root: Identity) -> None:
    root.create("f")
    root.symlink("f", "s")
    assert root.effect("chown", "s", 1, 2, on=["f", "s"]) == ("OK", "c", "")
    assert root.effect("lchown", "s", 3, 4, on=["f", "s"]) == ("OK", "", "c")
    assert (owner(root, "f"), owner(root, "s")) == ((1, 2), (3, 4))


def test_large_ids(root: Identity) -> None:
    root.create("f")
    root.chown("f", 2**32 - 2, 2**31 + 5)
    assert owner(root, "f") == (2**32 - 2, 2**31 + 5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("uid", "gid", "wanted"),
    [
        (A, C, "OK"),
        (-1, C, "OK"),
        (-1, A, "OK"),
        (A, -1, "OK"),
        (B, -1, "EPERM"),
        (B, C, "EPERM"),
        (-1, B, "EPERM"),
        (A, B, "EPERM"),
        (0, -1, "EPERM"),
        (-1, 0, "EPERM"),
    ],
)
def test_an_owner_may_choose_among_own_groups(
    root: Identity, worker: Syscalls, kind: str, uid: int, gid: int, wanted: str
) -> None:
    root.make(kind, "f")
    root.lchown("f", A, A)
    member = worker.identity(A, A, [C])
    outcome, moved = member.effect("lchown", "f", uid, gid, on=["f"])
    assert outcome == wanted
    assert moved == ("c" if wanted == "OK" else "")
    assert owner(root, "f") == (A, gid if wanted == "OK" and gid != -1 else A)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_else_may(root: Identity, worker: Syscalls, kind: str) -> None:
    root.make(kind, "f")
    root.lchown("f", A, A)
    stranger = worker.identity(B, A, [C])
    for uid, gid in ((B, -1), (-1, C), (A, A), (B, A)):
        assert stranger.effect("lchown", "f", uid, gid, on=["f"]) == ("EPERM", "")


@pytest.mark.parametrize(
    ("before", "after"),
    [(0o4755, 0o755), (0o2755, 0o755), (0o6755, 0o755), (0o1755, 0o1755), (0o2745, 0o2745), (0o644, 0o644)],
)
@pytest.mark.parametrize("by_root", [True, False])
def test_set_id_bits_of_a_file_are_cleared(
    root: Identity, worker: Syscalls, before: int, after: int, by_root: bool
) -> None:
    """``0o2745``: set-group-ID without group execution is no set-group-ID, and stays if the owner is privileged
    over the group."""
    root.create("f", 0o600)
    root.chown("f", A, A)
    root.chmod("f", before)
    who = root if by_root else worker.identity(A, A, [C])
    assert who.effect("chown", "f", -1, C, on=["f"]) == ("OK", "c")
    assert stat.S_IMODE(root.stat("f").st_mode) == after


def test_set_id_bits_of_a_directory_stay(root: Identity, worker: Syscalls) -> None:
    root.mkdir("d")
    root.chown("d", A, A)
    root.chmod("d", 0o6755)
    assert worker.identity(A, A, [C]).outcome("chown", "d", -1, C) == "OK"
    assert stat.S_IMODE(root.stat("d").st_mode) == 0o6755


def test_an_open_and_unlinked_file(root: Identity) -> None:
    root.create("f")
    fd = root.open("f", 0)
    root.unlink("f")
    assert root.effect("fchown", fd, A, B, on=[fd]) == ("OK", "c")
    assert (root.fstat(fd).st_uid, root.fstat(fd).st_gid) == (A, B)


def test_permissions_follow_the_owner(root: Identity, alice: Identity, bob: Identity) -> None:
    root.create("f", 0o600)
    root.chown("f", A, A)
    assert (alice.outcome("content", "f"), bob.outcome("content", "f")) == ("OK", "EACCES")
    root.chown("f", B, B)
    assert (alice.outcome("content", "f"), bob.outcome("content", "f")) == ("EACCES", "OK")
