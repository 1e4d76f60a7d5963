from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

from tests.cli.conftest import STORED, World

EVENT = {"files": 2, "bytes": 1 << 20, "uploading": [{"path": "x", "done": 10, "size": 20}]}


def left(files: int, parked: bool = False) -> list[Any]:
    entries = [{"path": "a\x1b", "reason": "the store is full"}] if parked else []
    return [{"event": EVENT}, {"result": {"parked": entries, "pending": {"files": files, "bytes": files << 20}}}]


@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        ([{"event": EVENT}, {"result": STORED}], 0, ""),
        (left(0, parked=True), 1, "cloudfs: /mnt/backup/a\\x1b is parked: the store is full\n"),
        (left(2), 3, "cloudfs: /mnt/backup: 2 files (2 MiB) still to be stored after 60 s\n"),
        ([{"error": "no network"}], 1, "cloudfs: no network\n"),
        (["crash"], 1, "cloudfs: the daemon ended before it answered\n"),
    ],
)
def test_how_a_wait_ends(world: World, answer: list[Any], status: int, message: str) -> None:
    world.daemon("/mnt/backup", wait=answer)
    done = world.run("wait", "--timeout", "1m", "/mnt/backup")
    assert (done.returncode, done.stdout, done.stderr) == (status, "", message)


def test_paths_are_relative_to_their_mount(world: World) -> None:
    for mountpoint in ("/mnt/a", "/mnt/b"):
        world.daemon(mountpoint, wait=[{"result": STORED}])
    odd = os.fsdecode(b"/mnt/b/\xff")
    assert world.run("wait", "/mnt/a/x", "/mnt/b", odd, "/mnt/a/y/../z").returncode == 0
    assert world.requests("/mnt/a") == [["wait", {"paths": ["x", "z"], "timeout": None}]]
    assert world.requests("/mnt/b") == [["wait", {"paths": ["", os.fsdecode(b"\xff")], "timeout": None}]]


def test_without_a_path_all_mounts_and_the_worst_counts(world: World) -> None:
    world.daemon("/mnt/a", wait=left(0, parked=True))
    world.daemon("/mnt/b", wait=[{"result": STORED}])
    assert world.run("wait").returncode == 1
    assert world.requests("/mnt/b") == [["wait", {"paths": [""], "timeout": None}]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wait"], "nothing is mounted"),
        (["wait", "/etc"], "/etc is not in a cloudfs mount"),
    ],
)
def test_nothing_to_wait_for_is_no_success(world: World, arguments: list[str], message: str) -> None:
    done = world.run(*arguments)
    assert (done.returncode, done.stderr) == (1, f"cloudfs: {message}\n")


def test_a_dead_mount_is_no_success(world: World) -> None:
    world.mount("/mnt/dead", "x:y")
    done = world.run("wait")
    assert done.returncode == 1
    assert "mount it again: cloudfs mount x:y /mnt/dead" in done.stderr


def test_interrupting(world: World) -> None:
    world.daemon("/mnt/backup", wait=["silence"])
    with subprocess.Popen(world.command("wait"), stderr=subprocess.PIPE, env=world.environment) as wait:
        while not world.requests("/mnt/backup"):
            assert wait.poll() is None
        wait.send_signal(signal.SIGINT)
        assert wait.wait(30) == 130
        assert wait.stderr is not None and wait.stderr.read().strip() == b""


def test_a_terminal_gets_a_progress_bar(world: World) -> None:
    world.daemon("/mnt/backup", wait=[{"event": EVENT}, {"result": STORED}])
    with world.terminal("wait") as (wait, read):
        shown = ""
        while part := read():
            shown += part
        assert wait.wait(30) == 0
    assert "2 files left" in shown
