"""unlink: kinds, permissions, what moves."""

from __future__ import annotations

import os

import pytest

from tests.mount.posix.syscalls import KINDS, Identity


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "directory"])
def test_every_kind(root: Identity, kind: str) -> None:
    root.make(kind, "x")
    assert root.effect("unlink", "x", on=["."]) == ("OK", "mc")
    assert root.outcome("lstat", "x") == "ENOENT"
    assert root.outcome("unlink", "x") == "ENOENT"


def test_directories_are_not_unlinked(root: Identity, alice: Identity) -> None:
    root.mkdir("d")
    assert root.effect("unlink", "d", on=["d", "."]) == ("EISDIR", "", "")
    root.chmod(".", 0o777)
    assert alice.outcome("unlink", "d") == "EISDIR"


def test_a_link_goes_and_its_target_stays(root: Identity) -> None:
    root.create("f", 0o644, b"kept")
    root.symlink("f", "s")
    assert root.effect("unlink", "s", on=["f"]) == ("OK", "")
    assert root.content("f") == b"kept"


def test_the_directory_decides_and_not_the_file(root: Identity, alice: Identity) -> None:
    root.mkdir("open", 0o777)
    root.mkdir("closed", 0o755)
    root.create("open/f", 0)
    root.create("closed/f", 0o777)
    root.chown("closed/f", alice.uid, alice.gid)
    assert alice.outcome("unlink", "open/f") == "OK"
    assert alice.effect("unlink", "closed/f", on=["closed/f", "closed"]) == ("EACCES", "", "")
    root.chmod("closed", 0o666)
    assert alice.outcome("unlink", "closed/f") == "EACCES"


def test_other_names_get_their_ctime_moved(root: Identity) -> None:
    root.create("a")
    root.link("a", "b")
    assert root.effect("unlink", "a", on=["b"]) == ("OK", "c")


def test_an_open_file_gets_its_ctime_moved(root: Identity) -> None:
    root.create("f")
    fd = root.open("f", os.O_RDWR)
    outcome, times = root.effect("unlink", "f", on=[fd])
    assert (outcome, times, root.fstat(fd).st_nlink) == ("OK", "c", 0)
