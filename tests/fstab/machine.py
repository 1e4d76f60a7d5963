"""A machine of the test's own: the mount namespace of one process, in which cloudfs is installed as on a real one.

``/sbin`` and ``/usr/local`` are overlays there, ``/run`` is empty, and ``/etc/fstab`` is the test's. When the last
process in the namespace ends, everything that was mounted or installed in it is gone, so tests run beside each other
and leave nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.mount.driver import eventually, kill_and_wait, workspace

ROOT = Path(__file__).parents[2]
INSTALLER = ROOT / "contrib/fstab/install.sh"
LIMIT = 60.0

_PREPARE = """
set -e
mount -t tmpfs -o mode=0755 own {home}/overlay
for place in usr/sbin usr/local; do
    own={home}/overlay/$place
    mkdir -p $own/up $own/work
    mount -t overlay -o lowerdir=/$place,upperdir=$own/up,workdir=$own/work own /$place
done
mount -t tmpfs -o mode=0755 own /run
! test -e /etc/fstab || mount --bind {home}/fstab /etc/fstab
echo ready
exec sleep infinity
"""


class Machine:
    """``run`` runs a command there. What a mount needs is in ``home``, ``store`` and ``mnt`` among it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store, self.mnt, self.fstab = home / "store", home / "mnt", home / "fstab"
        for name in ("store", "mnt", "state", "cache", "overlay"):
            (home / name).mkdir()
        self.fstab.touch()
        (home / "config.toml").touch()
        self.program = self._program()
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _PREPARE.format(home=home)]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"

    def _program(self) -> Path:
        """``cloudfs`` as pip would install it, but from this tree, and whatever the environment says."""
        program = self.home / "bin" / "cloudfs"
        program.parent.mkdir()
        lines = [
            "#!/bin/sh",
            f"export PYTHONPATH={ROOT} CLOUDFS_CONFIG={self.home}/config.toml",
            f'exec {sys.executable} -m cloudfs "$@"',
        ]
        program.write_text("\n".join(lines) + "\n")
        program.chmod(0o755)
        return program

    # --- commands ----------------------------------------------------------------------------------------------------

    def inside(self, *command: str | Path) -> list[str]:
        """The command line that runs ``command`` in the namespace."""
        return ["nsenter", f"--target={self._holder.pid}", "--mount", "--", *map(str, command)]

    def run(self, *command: str | Path, limit: float = LIMIT) -> subprocess.CompletedProcess[str]:
        """A command to its end, whatever its exit status. A daemon it leaves behind keeps none of its files open."""
        return subprocess.run(
            self.inside(*command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            cwd="/",
        )

    def succeed(self, *command: str | Path, limit: float = LIMIT) -> str:
        """The output of a command that has to work."""
        done = self.run(*command, limit=limit)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """A command that takes its time."""
        return subprocess.Popen(
            self.inside(*command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/"
        )

    def install(self, *arguments: str) -> str:
        return self.succeed(INSTALLER, "--program", self.program, *arguments)

    # --- mounts ------------------------------------------------------------------------------------------------------

    def options(self, *more: str, name: str = "") -> str:
        """Mount options that keep everything in ``home``; ``name`` tells several mounts apart."""
        return ",".join((f"state_dir={self.home}/state{name}", f"cache_dir={self.home}/cache{name}", *more))

    def path(self, inside: str) -> Path:
        """A path of the namespace as this process sees it."""
        return Path(f"/proc/{self._holder.pid}/root{self.mnt}", inside)

    def mounted(self, mountpoint: Path | None = None) -> bool:
        """Whether cloudfs is mounted there, by the kernel's table: that never hangs."""
        table = Path(f"/proc/{self._holder.pid}/mountinfo").read_text().splitlines()
        return any(line.split()[4] == str(mountpoint or self.mnt) and " fuse.cloudfs " in line for line in table)

    def drivers(self) -> list[int]:
        """Every process of cloudfs in the namespace."""
        return [pid for pid in self._processes() if b"cloudfs" in _command_line(pid)]

    def when_ended(self) -> None:
        """Return when no driver is left."""
        eventually(lambda: not self.drivers())

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """The store does not answer meanwhile."""
        aside = self.store.rename(self.home / "aside")
        try:
            yield
        finally:
            aside.rename(self.store)

    def dispose(self) -> None:
        """End whatever lives in the namespace, which ends it."""
        for pid in self._processes():
            if pid != self._holder.pid:
                with contextlib.suppress(AssertionError):
                    kill_and_wait(pid)
        self._holder.send_signal(signal.SIGKILL)
        self._holder.communicate(timeout=30)

    def _processes(self) -> list[int]:
        namespace = _namespace(self._holder.pid)
        everybody = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
        return [pid for pid in everybody if namespace and _namespace(pid) == namespace]


def _namespace(pid: int) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/ns/mnt")
    return ""


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    with workspace() as home:
        made = Machine(home)
        try:
            yield made
        finally:
            made.dispose()


Spelling = Callable[[Machine], Sequence[str]]
"""How a source and its type are written: (source, type)."""

SPELLINGS: dict[str, Spelling] = {
    "fuse.cloudfs": lambda machine: (f"local:{machine.store}", "fuse.cloudfs"),
    "cloudfs": lambda machine: (f"local:{machine.store}", "cloudfs"),
    "fuse": lambda machine: (f"cloudfs#local:{machine.store}", "fuse"),
}
