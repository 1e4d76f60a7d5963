"""``cloudfs check`` of real mounts, also of those that do not answer: it never hangs, nor says OK to a dead one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.mount.driver import Mount, eventually

LIMIT = 20.0
"""Seconds: twice what the command allows itself, on a machine that is busy."""


@pytest.fixture
def stopped(mount: Mount) -> Iterator[Mount]:
    """A mount whose driver is there, and does nothing."""
    pid = int(mount.status()["pid"])
    os.kill(pid, signal.SIGSTOP)
    yield mount
    os.kill(pid, signal.SIGCONT)


def told(mount: Mount, *options: str) -> tuple[int, str]:
    began = time.monotonic()
    done = mount.command("check", *options, str(mount.path))
    assert time.monotonic() - began < LIMIT
    assert done.stdout.count("\n") == 1
    return done.returncode, done.stdout.removesuffix("\n")


def test_all_is_well(mount: Mount) -> None:
    (mount.path / "f").write_bytes(b"content")
    assert told(mount, "--mounted") == (0, f"OK: {mount.path}: mounted, online")
    mount.wait()
    status, text = told(mount)
    assert status == 0
    assert text.startswith(f"OK: {mount.path}: everything is stored | pending=0 bytes=0B age=0s parked=0 ")


@pytest.mark.parametrize("options", [(), ("--mounted",), ("--timeout", "1")])
def test_a_driver_that_is_stopped(stopped: Mount, options: tuple[str, ...]) -> None:
    status, text = told(stopped, *options)
    assert status == 2
    assert text == f"CRITICAL: {stopped.path}: mounted, and not usable: it does not answer"


def test_status_of_a_driver_that_is_stopped(stopped: Mount) -> None:
    assert stopped.status()["state"] == "silent"
    assert "silent" in stopped.succeed("status")


@pytest.mark.parametrize("options", [(), ("--mounted",)])
def test_a_driver_that_was_killed(mount: Mount, options: tuple[str, ...]) -> None:
    mount.kill()
    status, text = told(mount, *options)
    assert status == 2
    assert text == f"CRITICAL: {mount.path}: mounted, and its driver is dead; mount it again"
    assert mount.status()["state"] == "dead"
    mount.start()
    assert told(mount, "--mounted")[0] == 0


def test_the_bare_directory(mount: Mount) -> None:
    mount.umount()
    assert told(mount, "--mounted") == (2, f"CRITICAL: {mount.path}: not mounted")
    assert told(mount) == (2, f"CRITICAL: {mount.path}: not mounted")


def test_a_store_that_is_away_is_a_warning_until_something_is_overdue(mount: Mount) -> None:
    (mount.path / "before").touch()
    mount.wait()
    away = mount.store.rename(mount.home / "away")
    (mount.path / "f").write_bytes(b"content")
    mount.succeed("flush", str(mount.path))
    eventually(lambda: mount.status()["state"] == "offline")
    status, text = told(mount)
    assert (status, text.split(" for ")[0]) == (1, f"WARNING: {mount.path}: offline")
    status, text = told(mount, "--max-age", "0")
    assert status == 2 and "something is not stored for " in text
    assert told(mount, "--mounted")[0] == 0, "what is written is kept"
    away.rename(mount.store)
    mount.succeed("retry", str(mount.path))
    mount.wait()


def test_the_log_has_a_line_for_each_thing_that_happened(mount_with: Callable[..., Mount]) -> None:
    mount = mount_with()
    (mount.path / "f").write_bytes(b"content")
    mount.wait()
    away = mount.store.rename(mount.home / "away")
    (mount.path / "g").write_bytes(b"content")
    mount.succeed("flush", str(mount.path))
    eventually(lambda: mount.status()["state"] == "offline")
    away.rename(mount.store)
    mount.succeed("retry", str(mount.path))
    mount.umount()
    lines = (mount.state / "cloudfs.log").read_text().splitlines()
    words = [line.split(maxsplit=4)[2:] for line in lines]
    assert [(level, text.partition(": ")[0]) for level, _, text in words] == [
        ("INFO", f"local:{mount.store} is mounted on {mount.path}; 0 names are not stored yet"),
        ("WARNING", "the store is offline"),
        ("WARNING", "the store is online"),
        ("INFO", "unmounted; 0 names are not stored yet"),
    ]
