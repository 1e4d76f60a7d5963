"""Off line: what is known goes on, what is not fails after a bounded time, and nobody who waits is stuck."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mount.driver import Mount, eventually
from tests.mount.test_limits import error_of, write_random
from tests.network.conftest import Far

BOUND = 75.0
"""Seconds; docs/reference/semantics.md says a minute."""


@pytest.fixture
def cold(far: Far) -> Mount:
    """A mount that knows the names in its root, and nothing that is in ``directory`` or in the files."""
    mount = far.mount()
    write_random(mount.path / "large", 3)
    (mount.path / "small").write_bytes(b"small")
    (mount.path / "directory").mkdir()
    (mount.path / "directory/inside").write_bytes(b"inside")
    mount.umount()
    mount.forget_everything()
    mount.start()
    return mount


@pytest.mark.timeout(300)
def test_what_is_known_goes_on_and_the_rest_fails_in_time(far: Far, cold: Mount) -> None:
    assert sorted(os.listdir(cold.path)) == ["directory", "large", "small"]
    assert (cold.path / "small").read_bytes() == b"small"
    far.proxy.offline()
    (cold.path / "new").write_bytes(b"written off line")
    began = time.monotonic()
    assert error_of((cold.path / "large").read_bytes) == "EIO"
    assert time.monotonic() - began < BOUND
    assert (cold.path / "small").read_bytes() == b"small"
    (cold.path / "small").rename(cold.path / "renamed")
    eventually(lambda: cold.status()["state"] == "offline", within=60)
    status = cold.status()
    assert status["reason"] and status["since"] <= time.time()
    assert "offline since " in cold.succeed("status", str(cold.path))
    assert cold.command("check", str(cold.path)).returncode == 1
    cold.succeed("check", "--mounted", str(cold.path))

    far.proxy.online()
    cold.wait(120)
    assert cold.status()["state"] == "online"
    assert len((cold.path / "large").read_bytes()) == 3 << 20
    assert (far.stored("new"), far.stored("renamed")) == (b"written off line", b"small")


@pytest.mark.timeout(300)
def test_a_mount_that_begins_off_line_comes_by_itself(far: Far, cold: Mount) -> None:
    assert sorted(os.listdir(cold.path)) == ["directory", "large", "small"]
    cold.umount()
    far.proxy.offline()
    cold.start()
    assert sorted(os.listdir(cold.path)) == ["directory", "large", "small"]
    (cold.path / "new").write_bytes(b"new")
    far.proxy.online()
    eventually(lambda: "new" in far.names(), within=90)  # nobody tells it
    cold.wait(60)


LIST = "import os, sys; os.listdir(sys.argv[1] + '/directory')"
STAT = "import os, sys; os.stat(sys.argv[1] + '/directory/inside')"
READ = "import sys; open(sys.argv[1] + '/large', 'rb').read()"
PREPARED = "import signal; signal.signal(signal.SIGINT, lambda *_: sys.exit(7))\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_who_waits_for_the_store_is_interrupted_at_once(far: Far, cold: Mount, number: signal.Signals) -> None:
    """Also if the program has a handler for the signal, and whatever it waits for."""
    far.proxy.stall()
    try:
        programs = [started(cold.path, program) for program in (READ, PREPARED + READ, PREPARED + LIST, STAT)]
        eventually(lambda: all(waits(program.pid) for program in programs))
        for program in programs:
            program.send_signal(number)
        began = time.monotonic()
        assert all(program.wait(30) != 0 for program in programs)
        assert time.monotonic() - began < 10
    finally:
        far.proxy.online()


def started(path: Path, program: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-S", "-c", "import sys; sys.stdout.write('.')\n" + program, str(path)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def waits(pid: int) -> bool:
    """Whether a process is within a request to the mount, or behind another's for the same directory.

    By the name of the kernel's function it sleeps in.
    """
    where = Path(f"/proc/{pid}/wchan").read_text()
    return where.startswith(("request_wait_answer", "folio_wait", "fuse_", "__fuse", "d_alloc_parallel"))


def test_what_is_stored_at_once_can_be_given_up(far: Far) -> None:
    """With ``sync=remote`` close() waits for the store: for ever, or until somebody has enough of it."""
    mount = far.mount("sync=remote")
    (mount.path / "before").write_bytes(b"1")
    far.proxy.offline()
    program = f"{PREPARED}import sys\nfile = open(sys.argv[1] + '/f', 'wb')\nfile.write(b'x')\nfile.close()"
    with subprocess.Popen([sys.executable, "-S", "-c", program, str(mount.path)]) as process:
        eventually(lambda: waits(process.pid))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 7
    assert error_of(lambda: os.close(-1)) == errno.errorcode[errno.EBADF]
    far.proxy.online()
    mount.wait(60)
    assert far.stored("f") == b"x"


def test_status_and_check_answer_while_others_wait(far: Far, cold: Mount) -> None:
    far.proxy.stall()
    program = started(cold.path, LIST)
    try:
        eventually(lambda: waits(program.pid))
        began = time.monotonic()
        assert json.loads(cold.succeed("status", "--json", str(cold.path)))["pid"]
        assert cold.command("check", "--timeout", "5", str(cold.path)).returncode in (0, 1, 2)
        assert time.monotonic() - began < 20
    finally:
        program.kill()
        program.wait(30)
        far.proxy.online()
