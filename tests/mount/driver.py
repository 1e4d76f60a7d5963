"""A driver under test: started as a user starts it, asked through its own commands, killed if it has to be."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

MNT_FORCE, MNT_DETACH, UMOUNT_NOFOLLOW = 1, 2, 8

COMMAND_LIMIT = 60.0
"""Seconds any command of ours may take in a test."""


class Mount:
    """``store/``, ``state/``, ``cache/`` and ``mnt/`` in one directory, and the driver between them.

    ``options`` are added to the ``-o`` of every start. ``environment`` is that of the driver as well as of the
    commands. ``source`` is what to mount if it is not ``store/``. Nothing is mounted before `start`.
    """

    def __init__(
        self,
        home: Path,
        options: Sequence[str] = (),
        *,
        environment: dict[str, str] | None = None,
        state: Path | None = None,
        cache: Path | None = None,
        prefix: Sequence[str] = (),
        source: str = "",
    ) -> None:
        self.home = home
        self.path = home / "mnt"
        self.store = home / "store"
        self.source = source or f"local:{self.store}"
        self.state = state or home / "state"
        self.cache = cache or home / "cache"
        self.options = tuple(options)
        self.prefix = tuple(prefix)
        self.environment = {**os.environ, "CLOUDFS_CONFIG": str(home / "config.toml"), **(environment or {})}
        for directory in (self.path, self.store, self.state, self.cache):
            directory.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").touch()

    def command(self, *arguments: str, limit: float = COMMAND_LIMIT) -> subprocess.CompletedProcess[str]:
        """One ``cloudfs`` command to its end, whatever its exit status. Output goes through files, because a
        daemon that forgot to close its standard streams would keep a pipe open for ever."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [*self.prefix, sys.executable, "-m", "cloudfs", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self.environment,
                cwd="/",
                timeout=limit,
                check=False,
            )
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())

    def succeed(self, *arguments: str, limit: float = COMMAND_LIMIT) -> str:
        """The output of a command that has to work."""
        done = self.command(*arguments, limit=limit)
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def try_start(self, *options: str) -> subprocess.CompletedProcess[str]:
        own = (f"state_dir={self.state}", f"cache_dir={self.cache}")
        return self.command("mount", self.source, str(self.path), "-o", ",".join((*own, *self.options, *options)))

    def start(self, *options: str) -> None:
        done = self.try_start(*options)
        assert done.returncode == 0, f"mount: exit {done.returncode}\n{done.stdout}{done.stderr}"
        assert self.mounted, "mount returned, and nothing is mounted"

    @property
    def mounted(self) -> bool:
        """Without touching the mountpoint, which may hang."""
        mountpoints = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
        return str(self.path) in mountpoints

    def status(self) -> dict[str, Any]:
        found = json.loads(self.succeed("status", str(self.path), "--json"))
        assert isinstance(found, dict)
        return found

    def last_words(self, lines: int = 60) -> str:
        """The end of the driver's log; nothing if there is none."""
        try:
            text = (self.state / "cloudfs.log").read_text(errors="backslashreplace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    @property
    def has_failed(self) -> bool:
        """Whether something happened in the driver that nobody had thought of; its log says what."""
        return "Traceback (most recent call last)" in self.last_words(100_000)

    def wait(self, limit: float = COMMAND_LIMIT) -> None:
        """Until everything is stored."""
        self.succeed("wait", str(self.path), "--timeout", str(limit), limit=limit + 10)

    def umount(self, limit: float = COMMAND_LIMIT) -> None:
        self.succeed("umount", str(self.path), "--timeout", str(limit), limit=limit + 10)
        assert not self.mounted

    def remount(self, *options: str) -> None:
        self.umount()
        self.start(*options)

    def forget_everything(self) -> None:
        """Lose the catalogue, the staging directory and the cache; nothing is mounted."""
        assert not self.mounted
        for directory in (self.state, self.cache):
            shutil.rmtree(directory)
            directory.mkdir()

    def empty_cache(self) -> None:
        """Lose the cached bytes under a running driver."""
        for found in self.cache.rglob("*"):
            if not found.is_dir():
                with contextlib.suppress(FileNotFoundError):
                    found.unlink()

    def kill(self) -> None:
        """``kill -9``; returns when the driver is gone and the mountpoint dead."""
        kill_and_wait(int(self.status()["pid"]))

    def pids(self) -> list[int]:
        """Processes that were started with this mountpoint on their command line, by us as nobody else has it."""
        mine = os.fsencode(self.path)
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mine in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def abort(self) -> None:
        """Make every call that hangs in this mount return, and detach it. Works on a dead or hung driver."""
        umount2 = ctypes.CDLL(None, use_errno=True).umount2
        while self.mounted and umount2(os.fsencode(self.path), MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW) == 0:
            pass

    def dispose(self) -> None:
        """Leave nothing: no mount, no process, no entry in utab."""
        with contextlib.suppress(subprocess.SubprocessError):
            subprocess.run(["umount", "-i", "-l", str(self.path)], timeout=10, capture_output=True, check=False)
        self.abort()
        for pid in self.pids():
            kill_and_wait(pid)


def eventually(holds: Callable[[], object], within: float = 15.0) -> None:
    """Ask until it holds; for what a driver notices by itself, and no command waits for."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within:.0f} s"
        time.sleep(0.05)


def kill_and_wait(pid: int) -> None:
    """SIGKILL, and return when the process is no more (it need not be our child)."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGKILL)
        assert select.select([process], [], [], 30)[0], f"process {pid} survives SIGKILL"
    finally:
        os.close(process)


@contextlib.contextmanager
def workspace(parent: Path | None = None) -> Iterator[Path]:
    """A scratch directory that other users may search, unlike pytest's own."""
    home = Path(tempfile.mkdtemp(prefix="cloudfs-test-", dir=parent))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)
