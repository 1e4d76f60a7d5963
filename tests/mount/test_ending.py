"""The end of a mount by signals, and what systemd is told on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mount.driver import Mount, eventually

MIB = 1 << 20


@contextlib.contextmanager
def away(mount: Mount) -> Iterator[None]:
    """The store does not answer meanwhile."""
    aside = mount.store.rename(mount.home / "aside")
    try:
        yield
    finally:
        aside.rename(mount.store)


def known(mount: Mount) -> None:
    """What the mount shows is known, so that nothing needs the store any more."""
    (mount.path / "before").write_bytes(b"before")
    mount.wait()


def signal_driver(mount: Mount, number: int) -> None:
    os.kill(int(mount.status()["pid"]), number)


def logged(mount: Mount) -> str:
    return (mount.state / "cloudfs.log").read_text()


def ended(mount: Mount) -> None:
    eventually(lambda: not mount.pids(), within=30)
    assert not mount.mounted


def test_sigterm_stores_everything_and_unmounts(mount: Mount) -> None:
    for number in range(20):
        (mount.path / f"f{number}").write_bytes(b"x" * 100_000)
    signal_driver(mount, signal.SIGTERM)
    ended(mount)
    assert {path.stat().st_size for path in mount.store.iterdir()} == {100_000}
    assert len(list(mount.store.iterdir())) == 20
    assert "unmounted; 0 names are not stored yet" in logged(mount)


def test_sigterm_waits_for_a_store_that_is_away(mount: Mount) -> None:
    known(mount)
    with away(mount):
        (mount.path / "f").write_bytes(b"content")
        signal_driver(mount, signal.SIGTERM)
        eventually(lambda: "SIGTERM" in logged(mount))
        (mount.path / "g").write_bytes(b"written meanwhile")
        assert mount.mounted
    mount.command("retry", str(mount.path))  # it may have noticed, and ended, by itself
    ended(mount)
    assert (mount.store / "f").read_bytes() == b"content"
    assert (mount.store / "g").read_bytes() == b"written meanwhile"


def test_sigterm_has_a_limit_and_the_next_mount_goes_on(mount_with: Callable[..., Mount]) -> None:
    mount = mount_with("umount_timeout=1s")
    known(mount)
    with away(mount):
        (mount.path / "f").write_bytes(b"content")
        signal_driver(mount, signal.SIGTERM)
        ended(mount)
        assert "the time is over: " in logged(mount)
    mount.start()
    mount.wait()
    assert (mount.store / "f").read_bytes() == b"content"


def test_a_second_sigterm_ends_at_once_and_loses_nothing(mount: Mount) -> None:
    """Not even what is in a file that is still open, and in the kernel only."""
    known(mount)
    written = os.urandom(MIB) * 64
    with away(mount):
        with contextlib.suppress(OSError), open(mount.path / "open", "wb") as file:
            file.write(written)
            file.flush()
            signal_driver(mount, signal.SIGTERM)
            eventually(lambda: "SIGTERM" in logged(mount))
            signal_driver(mount, signal.SIGTERM)
            ended(mount)
        mount.start()
        assert (mount.path / "open").read_bytes() == written
    mount.succeed("retry", str(mount.path))
    mount.wait()
    assert (mount.store / "open").read_bytes() == written


def test_sigterm_takes_the_mount_away_from_who_uses_it(mount: Mount) -> None:
    """What they have written is kept."""
    with contextlib.suppress(OSError), open(mount.path / "open", "wb") as file:
        file.write(b"written")
        file.flush()
        signal_driver(mount, signal.SIGTERM)
        ended(mount)
        assert "is in use by" in logged(mount)
    assert (mount.store / "open").read_bytes() == b"written"
    mount.start()
    assert (mount.path / "open").read_bytes() == b"written"


def test_sighup_looks_for_the_store_again(mount: Mount) -> None:
    known(mount)
    with away(mount):
        (mount.path / "f").write_bytes(b"content")
        mount.command("wait", str(mount.path), "--timeout", "1")
        eventually(lambda: mount.status()["state"] == "offline")
    signal_driver(mount, signal.SIGHUP)
    mount.wait()
    assert mount.mounted
    assert mount.status()["state"] == "online"


# --- off line ----------------------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_mounted_and_comes_by_itself(mount: Mount) -> None:
    (mount.path / "d").mkdir()
    (mount.path / "d/f").write_bytes(b"content")
    mount.umount()
    with away(mount):
        mount.start()
        assert (mount.path / "d/f").read_bytes() == b"content"
        (mount.path / "d/g").write_bytes(b"new")
        (mount.path / "d/f").rename(mount.path / "f")
        eventually(lambda: mount.status()["state"] == "offline")
        assert mount.status()["since"] > 0
    eventually(lambda: (mount.store / "d/g").exists(), within=60)  # nobody tells it
    mount.wait()
    assert (mount.store / "f").read_bytes() == b"content"
    assert mount.status()["state"] == "online"


def test_a_source_that_was_never_there_is_a_typing_error(mount_with: Callable[..., Mount]) -> None:
    mount = mount_with(started=False)
    mount.store.rmdir()
    done = mount.try_start()
    assert done.returncode == 1
    assert "there is no directory" in done.stderr


# --- systemd -----------------------------------------------------------------------------------------------------


class Manager:
    """The socket of a service manager, and the mount it has started."""

    def __init__(self, mount: Mount, *options: str, **environment: str) -> None:
        self._mount = mount
        self.seen: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(mount.home / "notify"))
        self._socket.settimeout(30)
        own = (f"state_dir={mount.state}", f"cache_dir={mount.cache}", *mount.options, *options)
        command = [sys.executable, "-m", "cloudfs", "mount", "--foreground", f"local:{mount.store}", str(mount.path)]
        self.process = subprocess.Popen(
            [*command, "-o", ",".join(own)],
            env={**mount.environment, "NOTIFY_SOCKET": str(mount.home / "notify"), **environment},
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )

    def until(self, start: str) -> str:
        """The next message that starts so; those before are kept in ``seen``."""
        while True:
            message = self._socket.recv(4096).decode()
            self.seen.append(message)
            if message.startswith(start):
                return message

    def end(self) -> str:
        """What it said on standard error until its end."""
        _, error = self.process.communicate(timeout=30)
        return error

    def dispose(self) -> None:
        self.process.wait(30)
        if self.process.stderr is not None:
            self.process.stderr.close()
        self._socket.close()

    def is_silent(self, command: str, seconds: float) -> bool:
        """Whether no message that starts so comes in that time."""
        self._socket.settimeout(seconds)
        try:
            while True:
                self.until(command)
        except TimeoutError:
            return True


@pytest.fixture
def manage(mount_with: Callable[..., Mount]) -> Iterator[Callable[..., tuple[Mount, Manager]]]:
    managers: list[Manager] = []

    def start(*options: str, **environment: str) -> tuple[Mount, Manager]:
        mount = mount_with(started=False)
        managers.append(Manager(mount, *options, **environment))
        return mount, managers[-1]

    yield start
    for manager in managers:
        manager.process.kill()
        manager.dispose()


def test_systemd_is_told_when_the_mount_is_usable_and_how_it_stands(
    manage: Callable[..., tuple[Mount, Manager]],
) -> None:
    mount, manager = manage()
    manager.until("READY=1")
    assert mount.mounted
    assert manager.seen == ["READY=1"]
    (mount.path / "f").write_bytes(b"content")
    assert "online" in manager.until("STATUS=")
    manager.process.send_signal(signal.SIGTERM)
    manager.until("STOPPING=1")
    assert (mount.store / "f").exists() or manager.until("EXTEND_TIMEOUT_USEC=")
    manager.end()
    assert manager.process.returncode == 0
    assert not mount.mounted
    assert (mount.store / "f").read_bytes() == b"content"


def test_a_store_that_does_not_answer_gets_no_more_time_than_systemd_gives(
    manage: Callable[..., tuple[Mount, Manager]],
) -> None:
    mount, manager = manage("umount_timeout=2s")
    manager.until("READY=1")
    known(mount)
    with away(mount):
        (mount.path / "f").write_bytes(b"content")
        manager.process.send_signal(signal.SIGTERM)
        manager.until("STOPPING=1")
        manager.until("EXTEND_TIMEOUT_USEC=")
        before = len(manager.seen)
        assert "the time is over" in manager.end()
    assert len(manager.seen) == before


def test_the_watchdog_is_kept_quiet(manage: Callable[..., tuple[Mount, Manager]]) -> None:
    mount, manager = manage(WATCHDOG_USEC="300000")
    for _ in range(3):
        manager.until("WATCHDOG=1")
    assert mount.mounted
    manager.process.send_signal(signal.SIGSTOP)
    assert manager.is_silent("WATCHDOG=1", 1)
    manager.process.send_signal(signal.SIGCONT)
    manager.process.send_signal(signal.SIGTERM)
    manager.end()


def test_a_mount_in_the_background_tells_nothing(mount_with: Callable[..., Mount], tmp_path: Path) -> None:
    """The command has returned: what it was started by is not the driver's business."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        mount = mount_with(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        mount.umount()
        with pytest.raises(BlockingIOError):
            manager.recv(100)
