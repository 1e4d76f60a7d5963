"""A world for commands: a runtime directory, a table of mounts, daemons with a script, an ``umount`` that obeys."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

STORED: dict[str, Any] = {"parked": [], "pending": {"files": 0, "bytes": 0}}
STATUS: dict[str, Any] = {
    "mountpoint": "/mnt/backup",
    "source": "backup:photos",
    "state": "uploading",
    "pending": {"files": 2, "bytes": 3 << 20},
    "uploading": [{"path": "a/b.jpg", "done": 1 << 20, "size": 2 << 20}],
    "parked": [{"path": "c", "reason": "the store is full"}],
    "cache": {"used": 1 << 30, "limit": 10 << 30},
    "store": {"used": 5 << 30, "total": None},
    "pid": 17,
    "options": {"umount_timeout": None},
}

UNMOUNTED: list[dict[str, Any]] = [{"event": {"unmount": True}}, {"result": STORED}]
"""How ``unmounting`` goes when nothing was written at the last moment."""

# Takes the mount out of the table, and ends its daemon, as the kernel would by ending the connection.
UMOUNT = """#!/bin/sh
echo "$(basename "$0") $*" >> "$FAKE_MOUNTINFO.unmounted"
if test -n "$FAKE_BUSY"; then echo "umount: target is busy." >&2; exit 32; fi
: > "$FAKE_MOUNTINFO"
test -z "$FAKE_DAEMON" || kill -TERM "$FAKE_DAEMON"
"""


@dataclass
class World:
    """``run`` is the command line; ``mount`` makes it see a mount, with a daemon or without."""

    home: Path
    environment: dict[str, str]
    daemons: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def table(self) -> Path:
        return self.home / "mountinfo"

    def mount(self, mountpoint: str, source: str = "backup:photos", *, kind: str = "fuse.cloudfs") -> None:
        with open(self.table, "a") as table:
            table.write(f"40 27 0:40 / {mountpoint} rw - {kind} {source} rw,user_id={os.geteuid()},group_id=0\n")

    def daemon(self, mountpoint: str, source: str = "backup:photos", **script: Any) -> int:
        """Start a daemon that answers each command as ``script`` says; its process number."""
        self.mount(mountpoint, source)
        file = self.script(mountpoint)
        answers = {"status": [{"result": {**STATUS, "mountpoint": mountpoint}}], "unmounting": UNMOUNTED, **script}
        file.write_text(json.dumps(answers))
        command = [sys.executable, "-m", "tests.cli.fake_daemon", mountpoint, source, str(file)]
        daemon = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self.environment)
        self.daemons.append(daemon)
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "ready\n"
        self.environment["FAKE_DAEMON"] = str(daemon.pid)
        return daemon.pid

    def script(self, mountpoint: str) -> Path:
        return self.home / f"script{mountpoint.replace('/', '-')}"

    def requests(self, mountpoint: str) -> list[list[Any]]:
        """What the daemon was asked, as (command, arguments)."""
        file = Path(f"{self.script(mountpoint)}.requests")
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def unmounted(self) -> list[str]:
        """The command lines of ``umount`` so far."""
        file = Path(f"{self.table}.unmounted")
        return file.read_text().splitlines() if file.exists() else []

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.cli.program", *arguments]

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
            env={**self.environment, **environment},
        )

    @contextmanager
    def terminal(self, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
        """The command on a terminal, and what reads from there: empty at the end."""
        leader, follower = pty.openpty()

        def read() -> str:
            try:
                return os.read(leader, 4096).decode()
            except OSError:  # nobody has the other end open any more
                return ""

        environment = {**self.environment, "TERM": "xterm", "COLUMNS": "120"}
        command = self.command(*arguments)
        with subprocess.Popen(command, stdout=follower, stderr=follower, env=environment) as process:
            os.close(follower)
            try:
                yield process, read
            finally:
                process.kill()
                os.close(leader)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("umount", "fusermount3"):
        (programs / name).write_text(UMOUNT)
        (programs / name).chmod(0o755)
    (tmp_path / "mountinfo").touch()
    (tmp_path / "config.toml").touch()
    made = World(
        tmp_path,
        {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": os.getcwd(),
            "CLOUDFS_RUNTIME_DIR": str(tmp_path / "run"),
            "CLOUDFS_CONFIG": str(tmp_path / "config.toml"),
            "FAKE_MOUNTINFO": str(tmp_path / "mountinfo"),
        },
    )
    yield made
    for daemon in made.daemons:
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate(timeout=30)
