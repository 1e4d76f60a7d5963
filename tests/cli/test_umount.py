from __future__ import annotations

import os
from typing import Any

import pytest

from cloudfs.daemon.process import birth
from tests.cli.conftest import STATUS, STORED, World

PARKED = {"parked": [{"path": "a b", "reason": "the store is full"}], "pending": {"files": 0, "bytes": 0}}
LATE = {"parked": [], "pending": {"files": 3, "bytes": 5 << 20}}

UMOUNT = "umount -i -c -- /mnt/backup" if os.geteuid() == 0 else "fusermount3 -u -- /mnt/backup"
UMOUNT_LAZY = UMOUNT.replace(" --", " -l --" if os.geteuid() == 0 else " -z --")


def test_it_waits_and_returns_when_the_daemon_has_ended(world: World) -> None:
    pid = world.daemon("/mnt/backup", wait=[{"result": STORED}])
    done = world.run("umount", "/mnt/backup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert world.unmounted == [UMOUNT]
    assert birth(pid) is None
    assert world.requests("/mnt/backup")[-2:] == [
        ["wait", {"paths": [""], "timeout": None}],
        ["unmounting", {"timeout": None}],
    ]


def test_what_was_written_at_the_last_moment_is_stored_too(world: World) -> None:
    events = [{"unmount": True}, {"files": 1, "bytes": 5, "uploading": []}]
    world.daemon(
        "/mnt/backup", wait=[{"result": STORED}], unmounting=[*({"event": e} for e in events), {"result": STORED}]
    )
    done = world.run("umount", "/mnt/backup")
    assert (done.returncode, done.stderr, world.unmounted) == (0, "", [UMOUNT])


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ({"result": LATE}, "3 files (5 MiB) still to be stored"),
        ({"result": PARKED}, "some files are parked"),
        ("crash", "the daemon ended before it answered"),
    ],
)
def test_what_could_not_be_stored_in_the_end_is_said(world: World, answer: Any, left: str) -> None:
    world.daemon("/mnt/backup", wait=[{"result": STORED}], unmounting=[{"event": {"unmount": True}}, answer])
    done = world.run("umount", "/mnt/backup")
    assert done.returncode == 1
    assert f"cloudfs: /mnt/backup is unmounted, and not all is stored: {left}; it is kept" in done.stderr
    assert done.stderr.endswith("the next mount goes on with it: cloudfs mount backup:photos /mnt/backup\n")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"result": PARKED}, "/mnt/backup/a b is parked: the store is full\ncloudfs: /mnt/backup is still mounted"),
        ({"result": LATE}, "/mnt/backup is still mounted: 3 files (5 MiB) still to be stored"),
        ({"error": "an odd thing"}, "/mnt/backup is still mounted: an odd thing"),
    ],
)
def test_it_stays_mounted_unless_all_is_stored(world: World, answer: dict[str, Any], message: str) -> None:
    pid = world.daemon("/mnt/backup", wait=[answer])
    done = world.run("umount", "--timeout", "5m", "/mnt/backup")
    assert done.returncode == 1
    assert done.stderr.startswith(f"cloudfs: {message}")
    assert done.stderr.endswith("to unmount all the same: cloudfs umount --no-wait /mnt/backup\n")
    assert world.unmounted == []
    assert birth(pid) is not None
    assert world.requests("/mnt/backup")[-1] == ["wait", {"paths": [""], "timeout": 300.0}]


def test_the_mount_option_says_how_long_to_wait(world: World) -> None:
    status = {**STATUS, "options": {"umount_timeout": 2.5}}
    world.daemon("/mnt/backup", status=[{"result": status}], wait=[{"result": STORED}])
    assert world.run("umount", "/mnt/backup").returncode == 0
    (wait, within), (unmounting, rest) = world.requests("/mnt/backup")[-2:]
    assert (wait, within) == ("wait", {"paths": [""], "timeout": 2.5})
    assert unmounting == "unmounting" and 0 <= rest["timeout"] <= 2.5


def test_after_the_time_of_the_mount_option_it_goes_all_the_same(world: World) -> None:
    """Nobody is there who could decide: the machine may be going down."""
    status = {**STATUS, "options": {"umount_timeout": 0.5}}
    late = [{"event": {"unmount": True}}, {"result": LATE}]
    world.daemon("/mnt/backup", status=[{"result": status}], wait=[{"result": LATE}], unmounting=late)
    done = world.run("umount", "/mnt/backup")
    assert done.returncode == 1
    assert "is unmounted, and not all is stored: 3 files (5 MiB) still to be stored" in done.stderr
    assert world.unmounted == [UMOUNT]


def test_no_wait_asks_nothing(world: World) -> None:
    pid = world.daemon("/mnt/backup")
    assert world.run("umount", "--no-wait", "/mnt/backup").returncode == 0
    assert world.requests("/mnt/backup") == []
    assert world.unmounted == [UMOUNT]
    assert birth(pid) is None


def test_lazily_asks_nothing(world: World) -> None:
    world.daemon("/mnt/backup")
    assert world.run("umount", "-l", "/mnt/backup").returncode == 0
    assert world.unmounted == [UMOUNT_LAZY]


def test_the_flags_of_umount_helpers(world: World) -> None:
    world.daemon("/mnt/backup", wait=[{"result": STORED}])
    assert world.run("umount", "/mnt/backup", "-n", "-v", "-r", "-t", "fuse.cloudfs").returncode == 0


def test_a_busy_mount(world: World) -> None:
    world.daemon("/mnt/backup", wait=[{"result": STORED}])
    done = world.run("umount", "/mnt/backup", FAKE_BUSY="yes")
    assert (done.returncode, done.stderr) == (1, "cloudfs: /mnt/backup is in use\n")


@pytest.mark.parametrize(
    ("kind", "message"),
    [("", "/mnt/backup is not mounted"), ("fuse.sshfs", "/mnt/backup is not a cloudfs mount but fuse.sshfs")],
)
def test_what_is_not_ours_to_unmount(world: World, kind: str, message: str) -> None:
    if kind:
        world.mount("/mnt/backup", kind=kind)
    done = world.run("umount", "/mnt/backup")
    assert (done.returncode, done.stderr) == (1, f"cloudfs: {message}\n")
    assert world.unmounted == []


@pytest.mark.parametrize(("flags", "status"), [([], 1), (["--no-wait"], 0)])
def test_a_dead_mount_is_cleared_away_and_the_way_on_is_said(world: World, flags: list[str], status: int) -> None:
    world.mount("/mnt/dead", "x:y")
    done = world.run("umount", *flags, "/mnt/dead")
    assert done.returncode == status
    assert done.stderr.endswith("the next mount stores it: cloudfs mount x:y /mnt/dead\n")
    assert world.unmounted == [UMOUNT_LAZY.replace("backup", "dead")]


def test_a_mount_of_somebody_else_is_not_waited_for(world: World) -> None:
    world.mount("/mnt/elsewhere", "x:y")
    done = world.run("umount", "/mnt/elsewhere")
    assert done.returncode == 1
    assert "no daemon of yours answers for /mnt/elsewhere" in done.stderr
    assert world.unmounted == []
