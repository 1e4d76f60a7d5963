"""chmod: whose, what is cleared, what moves."""

from __future__ import annotations

import os
import stat

import pytest

from tests.mount.posix.syscalls import KINDS, Identity, Syscalls

NOT_LINKS = [kind for kind in KINDS if kind != "symlink"]


def mode(root: Identity, path: str) -> int:
    return stat.S_IMODE(root.lstat(path).st_mode)


@pytest.mark.parametrize("kind", NOT_LINKS)
@pytest.mark.parametrize("wanted", [0, 0o111, 0o444, 0o640, 0o777, 0o1755, 0o2755, 0o4755, 0o7777])
def test_every_mode_of_every_kind(root: Identity, kind: str, wanted: int) -> None:
    root.make(kind, "f", 0o600)
    kept = stat.S_IFMT(root.lstat("f").st_mode)
    assert root.effect("chmod", "f", wanted, on=["f", "."]) == ("OK", "c", "")
    assert root.lstat("f").st_mode == kept | wanted


@pytest.mark.parametrize("kind", NOT_LINKS)
def test_a_symbolic_link_is_followed(root: Identity, kind: str) -> None:
    root.make(kind, "f", 0o600)
    root.symlink("f", "s")
    before = root.lstat("s").st_mode
    assert root.effect("chmod", "s", 0o751, on=["f", "s"]) == ("OK", "c", "")
    assert (mode(root, "f"), root.lstat("s").st_mode) == (0o751, before)


@pytest.mark.parametrize("kind", NOT_LINKS)
def test_only_the_owner_and_root(root: Identity, alice: Identity, bob: Identity, kind: str) -> None:
    root.make(kind, "f", 0o644)
    root.chown("f", alice.uid, alice.gid)
    assert alice.effect("chmod", "f", 0o755, on=["f"]) == ("OK", "c")
    assert bob.effect("chmod", "f", 0o777, on=["f"]) == ("EPERM", "")
    root.chown("f", bob.uid, alice.gid)
    assert alice.effect("chmod", "f", 0o777, on=["f"]) == ("EPERM", "")
    assert mode(root, "f") == 0o755


@pytest.mark.parametrize("kind", NOT_LINKS)
def test_set_group_id_needs_the_group(root: Identity, worker: Syscalls, kind: str) -> None:
    """A file's set-group-ID bit is dropped without an error if its owner is not in its group."""
    owner, member = worker.identity(65534, 65533), worker.identity(65534, 65533, [65532])
    root.make(kind, "f", 0o755)
    root.chown("f", 65534, 65532)
    assert owner.outcome("chmod", "f", 0o2755) == "OK"
    assert mode(root, "f") == 0o755
    assert member.outcome("chmod", "f", 0o2755) == "OK"
    assert mode(root, "f") == 0o2755
    root.chown("f", 65534, 65533)
    root.chmod("f", 0o755)
    assert owner.outcome("chmod", "f", 0o6755) == "OK"
    assert mode(root, "f") == 0o6755


@pytest.mark.parametrize("kind", ["regular", "directory"])
def test_sticky_is_for_anyone(root: Identity, alice: Identity, kind: str) -> None:
    root.make(kind, "f", 0o755)
    root.chown("f", alice.uid, alice.gid)
    assert alice.outcome("chmod", "f", 0o1755) == "OK"
    assert mode(root, "f") == 0o1755


def test_an_open_file(root: Identity, alice: Identity) -> None:
    root.create("f", 0o644)
    root.chown("f", alice.uid, alice.gid)
    fd = root.open("f", 0)
    assert root.effect("fchmod", fd, 0o4711, on=["f"]) == ("OK", "c")
    assert mode(root, "f") == 0o4711
    root.unlink("f")
    assert root.effect("fchmod", fd, 0o600, on=[fd]) == ("OK", "c")
    assert stat.S_IMODE(root.fstat(fd).st_mode) == 0o600


@pytest.mark.parametrize(
    ("before", "after"), [(0o777, 0o777), (0o4777, 0o777), (0o2777, 0o777), (0o6777, 0o777), (0o2767, 0o2767)]
)
def test_a_write_by_somebody_else_clears_set_id_bits(root: Identity, alice: Identity, before: int, after: int) -> None:
    root.create("f", 0o777, b"content")
    root.chmod("f", before)
    assert alice.outcome("overwrite", "f", b"x") == "OK"
    if before & 0o010:
        assert mode(root, "f") == after
    else:
        assert mode(root, "f") in (after, after & ~stat.S_ISGID)


def test_a_write_by_root_clears_nothing(root: Identity) -> None:
    root.create("f", 0o777, b"content")
    root.chmod("f", 0o6777)
    root.overwrite("f", b"x")
    assert mode(root, "f") == 0o6777


def test_a_truncation_by_somebody_else_clears_set_id_bits(root: Identity, alice: Identity) -> None:
    root.create("f", 0o777, b"content")
    root.chmod("f", 0o6777)
    assert alice.outcome("truncate", "f", 3) == "OK"
    assert mode(root, "f") == 0o777


@pytest.mark.parametrize("content", [b"", b"content"])
def test_opening_with_truncation_by_somebody_else_clears_set_id_bits(
    root: Identity, alice: Identity, content: bytes
) -> None:
    root.create("f", 0o777, content)
    root.chmod("f", 0o6777)
    alice.open("f", os.O_WRONLY | os.O_TRUNC)
    assert mode(root, "f") == 0o777


def test_permissions_apply_at_once(root: Identity, alice: Identity) -> None:
    root.create("f", 0o600)
    assert alice.outcome("content", "f") == "EACCES"
    root.chmod("f", 0o604)
    assert alice.outcome("content", "f") == "OK"
    root.chmod("f", 0o600)
    assert alice.outcome("content", "f") == "EACCES"
