from __future__ import annotations

import json
import os
import signal
import subprocess

from cloudfs.daemon.registry import Registry
from tests.cli.conftest import STATUS, World

SHAPE = {"mountpoint", "source", "state", "pending", "uploading", "parked", "cache", "store", "pid", "options"}


def test_one_mount_as_json(world: World) -> None:
    world.daemon("/mnt/backup")
    done = world.run("status", "--json", "/mnt/backup")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == STATUS
    assert set(STATUS) >= SHAPE


def test_one_mount_for_a_reader(world: World) -> None:
    world.daemon("/mnt/backup")
    assert "pending  2 files, 3 MiB" in world.run("status", "/mnt/backup").stdout


def test_a_path_inside_is_passed_on(world: World) -> None:
    world.daemon("/mnt/backup")
    assert world.run("status", "/mnt/backup/a/../b c").returncode == 0
    assert world.requests("/mnt/backup") == [["status", {"path": "b c"}]]


def test_all_mounts_also_dead_ones_but_not_those_of_others(world: World) -> None:
    world.daemon("/mnt/a")
    world.daemon("/mnt/c", status=["crash"])
    world.mount("/mnt/dead", "x:y")
    world.mount("/mnt/elsewhere")
    world.mount("/mnt/other", kind="fuse.sshfs")
    found = json.loads(world.run("status", "--json").stdout)
    assert [(status["mountpoint"], status["state"]) for status in found] == [
        ("/mnt/a", "uploading"),
        ("/mnt/c", "dead"),
        ("/mnt/dead", "dead"),
    ]
    for status in found:
        assert set(status) >= SHAPE
    assert "/mnt/dead" in world.run("status").stdout


def test_a_daemon_with_an_error(world: World) -> None:
    world.daemon("/mnt/a", status=[{"error": "the disk is broken"}])
    status = json.loads(world.run("status", "--json", "/mnt/a").stdout)
    assert status["reason"] == "the disk is broken"


def test_nothing_is_mounted(world: World) -> None:
    assert world.run("status").stdout == "nothing is mounted\n"
    assert json.loads(world.run("status", "--json").stdout) == []


def test_a_path_in_no_mount(world: World) -> None:
    done = world.run("status", "/mnt/backup")
    assert (done.returncode, done.stderr) == (1, "cloudfs: /mnt/backup is not in a cloudfs mount\n")


def test_watching_goes_on_until_it_is_interrupted(world: World) -> None:
    world.daemon("/mnt/backup")
    command = world.command("status", "--watch", "--json", "--interval", "0.01", "/mnt/backup")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.environment) as watch:
        assert watch.stdout is not None and watch.stderr is not None
        assert [json.loads(watch.stdout.readline()) for _ in range(3)] == [STATUS] * 3
        watch.send_signal(signal.SIGINT)
        watch.stdout.read()
        assert watch.wait(30) == 130
        assert watch.stderr.read().strip() == b""


def test_a_terminal_shows_each_look_in_place_of_the_last(world: World) -> None:
    world.daemon("/mnt/backup", status=[{"event": {}}, {"result": STATUS}])
    with world.terminal("status", "--watch", "--interval", "0.01", "/mnt/backup") as (watch, read):
        shown = ""
        while shown.count("uploading") < 6:
            shown += read()
        watch.send_signal(signal.SIGINT)
        while read():
            pass
        assert watch.wait(30) == 130
    assert "\x1b[1A" in shown, "the cursor goes up"


def test_a_reader_that_has_seen_enough(world: World) -> None:
    world.daemon("/mnt/backup")
    command = world.command("status", "--watch", "--interval", "0.01", "/mnt/backup")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.environment) as watch:
        assert watch.stdout is not None and watch.stderr is not None
        watch.stdout.readline()
        watch.stdout.close()
        assert watch.stderr.read() == b""
        assert watch.wait(30) == 1


def test_a_name_of_any_bytes(world: World) -> None:
    name = os.fsdecode(b"\xff\n")
    world.daemon("/mnt/backup", status=[{"result": {**STATUS, "parked": [{"path": name, "reason": "odd"}]}}])
    assert "\\xff\\n: odd" in world.run("status", "/mnt/backup").stdout
    assert json.loads(world.run("status", "--json", "/mnt/backup").stdout)["parked"][0]["path"] == name


def test_a_killed_daemon_leaves_no_record(world: World) -> None:
    world.daemon("/mnt/dead")
    world.daemons[0].kill()
    world.daemons[0].wait(30)
    assert json.loads(world.run("status", "--json").stdout)[0]["state"] == "dead"
    assert Registry(world.home / "run").all() == []
