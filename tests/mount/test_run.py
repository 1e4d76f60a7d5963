"""``cloudfs run``: one line of a crontab, whose exit status covers the upload."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mount.driver import Mount, eventually


@pytest.fixture
def cron(mount_with: Callable[..., Mount]) -> Iterator[Mount]:
    """A machine where nothing is mounted; its runs share the state of ``cron``, and have a runtime directory."""
    mount = mount_with(started=False)
    mount.environment["CLOUDFS_RUNTIME_DIR"] = str(mount.home / "runtime")
    yield mount
    leftover = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in leftover:
        if place.startswith(str(mount.home)):
            subprocess.run(["umount", "-i", "-l", place], check=False, timeout=10)


def arguments(mount: Mount, *words: str, options: tuple[str, ...] = ()) -> list[str]:
    places = f"state_dir={mount.state},cache_dir={mount.cache}"
    return ["run", f"local:{mount.store}", "-o", places, *options, "--", *words]


def run(mount: Mount, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return mount.command(*arguments(mount, "sh", "-c", script, options=options))


def is_clean(mount: Mount) -> bool:
    """No mount, and no directory to mount on."""
    mounted = str(mount.home) in Path("/proc/self/mountinfo").read_text()
    return not mounted and not list((mount.home / "runtime").glob("run-*"))


def test_it_mounts_runs_stores_and_unmounts(cron: Mount) -> None:
    done = run(cron, 'echo content >"$CLOUDFS/f"; pwd; ls "$CLOUDFS"')
    assert (done.returncode, done.stdout, done.stderr) == (0, "/\nf\n", "")
    assert (cron.store / "f").read_text() == "content\n"
    assert is_clean(cron)


def test_the_status_of_the_command_comes_first_and_its_files_are_stored(cron: Mount) -> None:
    assert run(cron, 'echo half >"$CLOUDFS/f"; exit 7').returncode == 7
    assert (cron.store / "f").read_text() == "half\n"
    assert run(cron, "kill -9 $$").returncode == 128 + 9
    assert cron.command(*arguments(cron, "no-such-program")).returncode == 127
    assert cron.command(*arguments(cron, "/etc/passwd")).returncode == 126
    assert is_clean(cron)


def test_what_cannot_be_stored_is_no_success(cron: Mount) -> None:
    assert run(cron, "true").returncode == 0
    late = run(cron, f'echo content >"$CLOUDFS/f"; mv {cron.store} {cron.home}/away', "--timeout", "1")
    assert late.returncode == 3 and "the next mount goes on with it" in late.stderr
    assert is_clean(cron)
    (cron.home / "away").rename(cron.store)
    assert run(cron, "true").returncode == 0, "the next run goes on with it"
    assert (cron.store / "f").read_text() == "content\n"


def test_what_cannot_be_mounted_is_not_run(cron: Mount) -> None:
    done = cron.command("run", f"local:{cron.home}/none", "--", "touch", str(cron.home / "was run"))
    assert done.returncode == 1 and "there is no directory" in done.stderr
    assert not (cron.home / "was run").exists()
    assert is_clean(cron)


def test_the_mount_there_is_is_used_and_stays(cron: Mount) -> None:
    cron.start()
    done = cron.command("run", f"local:{cron.store}", "--", "sh", "-c", 'echo content >"$CLOUDFS/f"; echo "$CLOUDFS"')
    assert (done.returncode, done.stdout) == (0, f"{cron.path}\n")
    assert (cron.store / "f").read_text() == "content\n"
    assert cron.mounted
    cron.umount()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_go_to_the_command(cron: Mount, number: signal.Signals) -> None:
    script = "trap 'echo told >\"$CLOUDFS/f\"; exit 5' TERM INT HUP; echo ready; while :; do sleep 0.05; done"
    command = [sys.executable, "-m", "cloudfs", *arguments(cron, "sh", "-c", script)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=cron.environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(60) == 5
    assert (cron.store / "f").read_text() == "told\n"
    assert is_clean(cron)


def test_a_signal_ends_the_wait_for_the_upload(cron: Mount) -> None:
    assert run(cron, 'ls "$CLOUDFS"').returncode == 0
    script = f'mv {cron.store} {cron.home}/away; echo content >"$CLOUDFS/f"; echo "$CLOUDFS"'
    command = [sys.executable, "-m", "cloudfs", *arguments(cron, "sh", "-c", script)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=cron.environment) as process:
        assert process.stdout is not None
        place = process.stdout.readline().decode().strip()
        eventually(lambda: _pending(cron, place) and process.poll() is None and not _children(process.pid))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert is_clean(cron)
    (cron.home / "away").rename(cron.store)
    cron.start()
    cron.wait()
    assert (cron.store / "f").read_text() == "content\n"


def _pending(mount: Mount, place: str) -> bool:
    return bool(json.loads(mount.succeed("status", "--json", place))["pending"]["files"])


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if os.path.exists(f"/proc/{child}")]
