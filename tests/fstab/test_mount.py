"""mount(8) and umount(8) as they are, with the helpers of contrib/fstab."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fstab.machine import LIMIT, SPELLINGS, Machine
from tests.mount.driver import eventually


def line(machine: Machine, spelling: str, *options: str, name: str = "") -> str:
    """A line of fstab."""
    source, kind = SPELLINGS[spelling](machine)
    return f"{source}{name} {machine.mnt}{name} {kind} {machine.options('_netdev', *options, name=name)} 0 0\n"


def fstab(machine: Machine, *lines: str) -> Sequence[str]:
    machine.fstab.write_text("".join(lines))
    return "-T", str(machine.fstab)


def stays(process: subprocess.Popen[str], seconds: float = 1.5) -> bool:
    """Whether it takes longer than that."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def mount(machine: Machine, *options: str) -> None:
    source, kind = SPELLINGS["fuse.cloudfs"](machine)
    machine.succeed("mount", "-t", kind, source, machine.mnt, "-o", machine.options(*options))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_mount_and_umount_by_hand(here: Machine, spelling: str) -> None:
    source, kind = SPELLINGS[spelling](here)
    here.succeed("mount", "-t", kind, source, here.mnt, "-o", here.options("_netdev,noatime"))
    assert here.mounted()
    here.path("f").write_bytes(b"content")
    here.succeed("umount", here.mnt)
    assert not here.mounted()
    assert here.drivers() == []
    assert (here.store / "f").read_bytes() == b"content"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_line_of_fstab(here: Machine, spelling: str) -> None:
    table = fstab(here, line(here, spelling, "noauto", "nofail", "x-systemd.automount"))
    here.succeed("mount", *table, here.mnt)
    here.path("f").write_bytes(b"content")
    here.succeed("umount", here.mnt)
    assert (here.store / "f").read_bytes() == b"content"
    assert here.drivers() == []


def test_mount_all(here: Machine) -> None:
    lines = []
    for number, spelling in enumerate(SPELLINGS):
        for place in (here.store, here.mnt):
            Path(f"{place}{number}").mkdir()
        lines.append(line(here, spelling, "nofail", name=str(number)))
    table = fstab(here, *lines)
    mountpoints = [Path(f"{here.mnt}{number}") for number in range(len(lines))]
    here.succeed("mount", *table, "-a")
    assert all(here.mounted(path) for path in mountpoints)
    # What is mounted already is left alone; only with the old spelling mount(8) does not see that, and asks us.
    assert here.succeed("mount", *fstab(here, *lines[:2]), "-a") == ""
    assert "mounted already" in here.run("mount", *fstab(here, *lines), "-a").stderr
    for path in mountpoints:
        here.succeed("touch", path / "f")
    here.succeed("umount", *mountpoints)
    assert [path.name for path in here.home.glob("store?/f")] == ["f"] * len(lines)


def test_a_source_that_is_wrong_is_an_error_of_mount(here: Machine) -> None:
    done = here.run("mount", "-t", "cloudfs", f"local:{here.home}/none", here.mnt, "-o", here.options())
    assert done.returncode != 0
    assert "there is no directory" in done.stderr
    assert not here.mounted()


# --- umount waits ------------------------------------------------------------------------------------------------


def test_umount_returns_when_all_is_stored(here: Machine) -> None:
    mount(here)
    here.path("before").write_bytes(b"1")
    here.succeed(here.program, "wait", here.mnt)
    with here.away():
        for number in range(20):
            here.path(f"f{number}").write_bytes(b"x" * 100_000)
        umount = here.start("umount", here.mnt)
        assert stays(umount)
        assert here.mounted()
    here.run(here.program, "retry", here.mnt)  # it may have noticed, and ended, by itself
    out, error = umount.communicate(timeout=LIMIT)
    assert (umount.returncode, out, error) == (0, "", "")
    assert len(os.listdir(here.store)) == 21
    assert here.drivers() == []


def test_umount_that_looks_into_the_table_of_the_kernel_needs_no_entry_in_its_own(here: Machine) -> None:
    """An ordinary user's mount, for example, has none. umount(8) saves itself the look if the path is absolute."""
    mount(here)
    here.path("f").write_bytes(b"content")
    here.succeed("rm", "/run/mount/utab")
    here.succeed("sh", "-c", f"cd {here.home} && umount mnt")
    assert here.drivers() == []
    assert (here.store / "f").read_bytes() == b"content"


def test_after_its_time_limit_umount_says_what_is_left_and_the_next_mount_stores_it(here: Machine) -> None:
    mount(here, "umount_timeout=1s")
    here.path("before").write_bytes(b"1")
    here.succeed(here.program, "wait", here.mnt)
    with here.away():
        for number in range(3):
            here.path(f"f{number}").write_bytes(b"x" * (1 << 20))
        done = here.run("umount", here.mnt)
        assert done.returncode != 0
        assert re.search(r"not all is stored: \d files \(3 MiB\) still to be stored; it is kept", done.stderr)
        assert not here.mounted()
        assert here.drivers() == []
        assert list((here.home / "state/staging").iterdir())
    mount(here)
    here.succeed("umount", here.mnt)
    assert sorted(os.listdir(here.store)) == ["before", "f0", "f1", "f2"]
    assert {(here.store / f"f{number}").stat().st_size for number in range(3)} == {1 << 20}


def test_umount_shows_its_progress_on_a_terminal(here: Machine) -> None:
    mount(here)
    here.path("before").write_bytes(b"1")
    here.succeed(here.program, "wait", here.mnt)
    leader, follower = pty.openpty()
    with here.away():
        here.path("big").write_bytes(b"x" * (1 << 20))
        umount = subprocess.Popen(here.inside("umount", here.mnt), stdout=follower, stderr=follower)
        os.close(follower)
        seen = b""
        while not re.search(rb"storing local:.*\d files? left", seen):
            seen += os.read(leader, 4096)
    here.run(here.program, "retry", here.mnt)  # it may have noticed, and ended, by itself
    # A terminal that nobody reads from would hold up who writes to it.
    os.set_blocking(leader, False)
    assert umount.wait(LIMIT) == 0
    os.close(leader)


def test_a_busy_mount_stays(here: Machine) -> None:
    mount(here)
    with open(here.path("f"), "wb") as file:
        done = here.run("umount", here.mnt)
        assert done.returncode != 0
        assert f"{here.mnt} is in use" in done.stderr
        file.write(b"content")
    assert here.path("f").read_bytes() == b"content"
    here.succeed("umount", here.mnt)


@pytest.mark.parametrize("command", [("umount", "-l"), ("umount", "-f"), ("umount", "-i"), ("fusermount3", "-u")])
def test_who_does_not_wait_loses_nothing(here: Machine, command: Sequence[str]) -> None:
    mount(here)
    here.path("before").write_bytes(b"1")
    here.succeed(here.program, "wait", here.mnt)
    with here.away():
        here.path("f").write_bytes(b"content")
        here.succeed(*command, here.mnt)
        assert not here.mounted()
        mount(here)  # at once, whether or not the first driver has ended
        assert here.path("f").read_bytes() == b"content"
    here.succeed(here.program, "retry", here.mnt)
    here.succeed("umount", here.mnt)
    assert (here.store / "f").read_bytes() == b"content"


def test_umount_lazily_of_a_mount_in_use(here: Machine) -> None:
    """Open files go on working, and what is written to them goes with them."""
    mount(here)
    with open(here.path("f"), "wb") as file:
        here.succeed("umount", "-l", here.mnt)
        assert not here.mounted()
        file.write(b"late")
    here.when_ended()
    mount(here)
    assert here.path("f").read_bytes() == b"late"
    here.succeed("umount", here.mnt)
    assert (here.store / "f").read_bytes() == b"late"


def test_what_is_written_while_umount_waits_is_stored_too(here: Machine) -> None:
    mount(here)
    here.path("before").write_bytes(b"1")
    here.succeed(here.program, "wait", here.mnt)
    with here.away():
        here.path("f").write_bytes(b"early")
        umount = here.start("umount", here.mnt)
        assert stays(umount, 0.5)
        here.path("late").write_bytes(b"late")
    here.run(here.program, "retry", here.mnt)  # it may have noticed, and ended, by itself
    umount.communicate(timeout=LIMIT)
    assert umount.returncode == 0
    assert (here.store / "late").read_bytes() == b"late"


def test_the_driver_dies_while_umount_waits(here: Machine) -> None:
    mount(here)
    here.path("before").write_bytes(b"1")
    here.succeed(here.program, "wait", here.mnt)
    with here.away():
        here.path("f").write_bytes(b"content")
        umount = here.start("umount", here.mnt)
        assert stays(umount, 0.5)
        (daemon,) = [pid for pid in here.drivers() if pid != umount.pid and b"umount" not in _cmdline(pid)]
        os.kill(daemon, 9)
        _, error = umount.communicate(timeout=LIMIT)
        assert umount.returncode != 0
        # Which of the two depends on how far umount was: on a busy machine it may not have asked yet.
        assert "the daemon ended before it answered" in error or "was dead; what it had not stored is kept" in error
    eventually(lambda: not here.drivers())
    mount(here)  # over the dead mount
    here.succeed("umount", here.mnt)
    assert (here.store / "f").read_bytes() == b"content"


def _cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
