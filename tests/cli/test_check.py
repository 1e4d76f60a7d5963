from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import STATUS, World

FINE: dict[str, Any] = {
    **STATUS,
    "state": "online",
    "since": 0,
    "oldest": None,
    "parked": [],
    "failing": "",
    "staged": {"used": 0},
    "pending": {"files": 0, "bytes": 0},
}


def test_a_mount_as_it_should_be(world: World, tmp_path: Path) -> None:
    world.daemon(str(tmp_path), status=[{"result": FINE}])
    done = world.run("check", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"OK: {tmp_path}: everything is stored | pending=0 bytes=0B age=0s parked=0 staged=0B\n"


def test_something_overdue(world: World, tmp_path: Path) -> None:
    old = {**FINE, "pending": {"files": 1, "bytes": 5}, "oldest": time.time() - 7200}
    world.daemon(str(tmp_path), status=[{"result": old}])
    assert world.run("check", str(tmp_path)).returncode == 0
    done = world.run("check", "--max-age", "1h", str(tmp_path))
    assert done.returncode == 2
    assert done.stdout.startswith(f"CRITICAL: {tmp_path}: something is not stored for 2 h; 1 file (5 B) to be stored")


@pytest.mark.parametrize("options", [[], ["--mounted"]])
def test_a_bare_mountpoint(world: World, tmp_path: Path, options: list[str]) -> None:
    done = world.run("check", *options, str(tmp_path))
    assert (done.returncode, done.stdout) == (2, f"CRITICAL: {tmp_path}: not mounted\n")


def test_something_else_is_mounted(world: World, tmp_path: Path) -> None:
    world.mount(str(tmp_path), kind="ext4")
    done = world.run("check", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, f"CRITICAL: {tmp_path}: not mounted by cloudfs, but by ext4\n")


def test_a_dead_mount(world: World, tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir()
    world.mount(f"{tmp_path}/dead")
    done = world.run("check", f"{tmp_path}/dead")
    assert done.returncode == 2
    assert "its driver is dead; mount it again" in done.stdout


def test_a_driver_that_does_not_answer(world: World, tmp_path: Path) -> None:
    world.daemon(str(tmp_path), status=["silence"])
    done = world.run("check", "--timeout", "1", str(tmp_path))
    assert done.returncode == 2
    assert "the daemon does not answer" in done.stdout


def test_a_mount_of_somebody_else(world: World, tmp_path: Path) -> None:
    world.mount(str(tmp_path))
    assert world.run("check", str(tmp_path)).returncode == 3
    assert world.run("check", "--mounted", str(tmp_path)).returncode == 0


@pytest.mark.parametrize("arguments", [["--max-age", "soon", "/x"], [], ["--nonsense", "/x"]])
def test_wrong_usage_is_unknown(world: World, arguments: list[str]) -> None:
    done = world.run("check", *arguments)
    assert done.returncode == 3
    assert done.stderr.startswith("cloudfs: ")
