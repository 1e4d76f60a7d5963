"""Whether a program that waits is told to end, and what becomes of its wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
import trio.testing

from cloudfs.fuse.callers import Callers, is_ending

Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program that says ``ready`` and then sleeps, after some preparation of its own; stopped."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(preparation: str) -> subprocess.Popen[bytes]:
        program = f"import signal, sys, time\n{preparation}\nprint('ready', flush=True)\ntime.sleep(600)"
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        # A stopped program takes no signal, as one that waits for us takes none.
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate(timeout=30)


HANDLED = "signal.signal(signal.SIGINT, lambda *_: None); signal.signal(signal.SIGALRM, lambda *_: None)"


@pytest.mark.parametrize(
    ("preparation", "number", "ends"),
    [
        (HANDLED, signal.SIGINT, True),
        ("", signal.SIGTERM, True),
        ("", signal.SIGHUP, True),
        ("signal.signal(signal.SIGINT, signal.SIG_IGN)", signal.SIGINT, False),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])", signal.SIGTERM, False),
        (HANDLED, signal.SIGALRM, False),
        ("", signal.SIGCHLD, False),
    ],
)
def test_which_signals_end_a_wait(start: Start, preparation: str, number: signal.Signals, ends: bool) -> None:
    process = start(preparation)
    assert not is_ending(process.pid)
    process.send_signal(number)
    assert is_ending(process.pid) is ends


def test_a_program_that_is_gone_is_not_told_anything(start: Start) -> None:
    process = start("")
    process.kill()
    process.wait(30)
    assert not is_ending(process.pid)


async def test_only_the_wait_of_the_one_who_is_told_ends(start: Start, nursery: trio.Nursery) -> None:
    told, other = start(HANDLED), start(HANDLED)
    callers = Callers()
    nursery.start_soon(callers.look_forever)
    ended: list[str] = []

    async def work() -> None:
        await trio.sleep_forever()

    async def wait(name: str, pid: int) -> None:
        try:
            await callers.wait_for(pid, work())
        except InterruptedError:
            ended.append(name)

    async with trio.open_nursery() as waits:
        waits.start_soon(wait, "other", other.pid)
        waits.start_soon(wait, "unknown", 0)
        async with trio.open_nursery() as first:
            first.start_soon(wait, "told", told.pid)
            await trio.testing.wait_all_tasks_blocked()
            told.send_signal(signal.SIGINT)
        assert ended == ["told"]
        waits.cancel_scope.cancel()


async def test_what_is_waited_for_comes_back() -> None:
    async def work() -> Any:
        await trio.lowlevel.checkpoint()
        return 7

    callers = Callers()
    assert await callers.wait_for(os.getpid(), work()) == 7

    async def fail() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await callers.wait_for(os.getpid(), fail())
