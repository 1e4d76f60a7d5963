"""Each test starts a real daemon from a process of its own: the one that runs the tests has threads, and must not
become a daemon itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudfs.daemon.process import await_exit, birth

PROGRAM = """
import os, signal, sys, time, warnings
from pathlib import Path
from cloudfs.daemon.background import StartFailed, run_in_background
from cloudfs.errors import StateInUse

log, go = Path(sys.argv[1]), Path(sys.argv[2])

def work(ready):
    {work}

try:
    print("daemon", run_in_background(work, log, debug=False), flush=True)
except StartFailed as error:
    print("failed", error, flush=True)
"""


@dataclass(frozen=True)
class Starter:
    """Runs the program above; ``log`` and ``go`` (a FIFO, for a daemon that waits) are its files."""

    log: Path
    go: Path

    def command(self, work: str) -> list[str]:
        program = PROGRAM.format(work=work.replace("\n", "\n    "))
        return [sys.executable, "-c", program, str(self.log), str(self.go)]

    def run(self, work: str) -> str:
        """What the starting process printed, which it did because it ended: pipes a daemon keeps open would hang it."""
        done = subprocess.run(self.command(work), capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == ""
        return done.stdout.strip()

    def run_daemon(self, work: str) -> int:
        """The same for a daemon that gets ready; its process number."""
        word, _, number = self.run(work).partition(" ")
        assert word == "daemon"
        return int(number)

    def end(self, pid: int) -> None:
        """Let a daemon that reads from ``go`` go on, and wait for its end."""
        born = birth(pid)
        assert born is not None
        with open(self.go, "w"):
            pass
        assert await_exit(pid, born, 60)


@pytest.fixture
def starter(tmp_path: Path) -> Starter:
    os.mkfifo(tmp_path / "go")
    return Starter(tmp_path / "log", tmp_path / "go")


def test_the_command_returns_when_the_daemon_is_ready(starter: Starter) -> None:
    pid = starter.run_daemon("ready()\nopen(go).read()\nlog.write_text('done')")
    assert birth(pid) is not None
    starter.end(pid)
    assert starter.log.read_text() == "done"


def test_a_daemon_has_left_everything_behind(starter: Starter) -> None:
    work = (
        "ready()\nopen(go).read()\nprint(os.getcwd(), os.getsid(0) == os.getpid(), repr(sys.stdin.read()), flush=True)"
    )
    starter.end(starter.run_daemon(work))
    assert starter.log.read_text() == "/ True ''\n"


def test_what_it_says_later_goes_to_its_log(starter: Starter) -> None:
    work = "ready()\nopen(go).read()\nwarnings.warn('careful')\nos.write(2, b'crash')\nraise StateInUse('taken')"
    starter.end(starter.run_daemon(work))
    log = starter.log.read_text()
    assert "careful" in log and "crash" in log
    assert "ERROR" in log and "taken" in log
    assert starter.log.stat().st_mode & 0o777 == 0o600


def test_an_error_of_ours_is_told_as_it_is(starter: Starter) -> None:
    assert starter.run("raise StateInUse('somebody has it')") == "failed somebody has it"


def test_any_other_error_leaves_its_traceback_in_the_log(starter: Starter) -> None:
    assert starter.run("1 / 0") == "failed internal error, the log has more: ZeroDivisionError: division by zero"
    assert "Traceback" in starter.log.read_text()


def test_a_daemon_that_is_killed_says_nothing_but_its_starter_does(starter: Starter) -> None:
    expected = f"failed the daemon was killed by SIGKILL before the mount was usable; its log is {starter.log}"
    assert starter.run("os.kill(os.getpid(), signal.SIGKILL)") == expected


def test_a_daemon_that_exits_without_a_word(starter: Starter) -> None:
    assert "ended with status 7 before the mount was usable" in starter.run("os._exit(7)")


def test_a_daemon_that_returns_before_it_is_ready(starter: Starter) -> None:
    assert starter.run("pass") == "failed the daemon ended before the mount was usable"


def test_a_log_that_cannot_be_written(starter: Starter) -> None:
    starter.log.mkdir()
    assert starter.run("ready()") == f"failed cannot write the log {starter.log}: Is a directory"


def test_being_ready_twice_is_being_ready(starter: Starter) -> None:
    starter.end(starter.run_daemon("ready()\nready()\nopen(go).read()"))


def test_interrupting_the_start_ends_the_daemon(starter: Starter) -> None:
    work = "print(os.getpid(), flush=True)\nopen(go).read()\nopen(go).read()"
    with subprocess.Popen(starter.command(work), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        # Whoever opens the other end of the FIFO is the daemon, waiting.
        with open(starter.go, "w"):
            daemon = int(starter.log.read_text())
            born = birth(daemon)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
    assert born is None or await_exit(daemon, born, 30)
