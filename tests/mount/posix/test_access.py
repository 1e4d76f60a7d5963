"""access(2): the real user's view, without opening."""

from __future__ import annotations

import os

import pytest

from tests.mount.posix.syscalls import Identity, Syscalls


@pytest.mark.parametrize("mode", [0, 0o100, 0o200, 0o400, 0o700, 0o070, 0o007, 0o050, 0o604, 0o755, 0o640])
def test_each_class(root: Identity, worker: Syscalls, mode: int) -> None:
    root.create("f")
    root.chown("f", 65534, 1000)
    root.chmod("f", mode)
    people = (
        (worker.identity(65534, 1000), 6),
        (worker.identity(65533, 65533, [1000]), 3),
        (worker.identity(65533, 65533), 0),
    )
    for who, shift in people:
        granted = mode >> shift & 7
        for wanted in range(1, 8):
            assert who.access("f", wanted) == (granted & wanted == wanted), (who, wanted)
        assert who.access("f", os.F_OK)


def test_root_runs_only_what_somebody_may(root: Identity) -> None:
    root.create("f", 0)
    assert root.access("f", os.R_OK | os.W_OK)
    assert not root.access("f", os.X_OK)
    root.chmod("f", 0o001)
    assert root.access("f", os.X_OK)


def test_a_program_runs_with_permission_only(root: Identity, alice: Identity) -> None:
    with open("/bin/true", "rb") as program:
        root.create("true", 0o744, program.read())
    assert alice.outcome("execve", "true", ["true"], {}) == "EACCES"
    pid = root.spawn("./true")
    assert root.waitpid(pid, 0) == (pid, 0)


def test_listing_and_searching_differ(root: Identity, alice: Identity) -> None:
    root.mkdir("d", 0o711)
    root.create("d/f", 0o644, b"known")
    assert alice.outcome("listdir", "d") == "EACCES"
    assert alice.content("d/f") == b"known"
    root.chmod("d", 0o744)
    assert alice.listdir("d") == ["f"]
    assert alice.outcome("stat", "d/f") == "EACCES"
