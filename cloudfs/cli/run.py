"""``cloudfs run``"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import click

from cloudfs.cli.complete import complete_options, complete_source
from cloudfs.cli.drain import Drained, Outcome, drain, report_parked
from cloudfs.cli.duration import duration
from cloudfs.cli.mounts import Mount, all_mounts, find_mount
from cloudfs.cli.program import Command, Example, Manual, complain
from cloudfs.config import load_config, resolve_source
from cloudfs.daemon.directories import make_private, runtime_directory
from cloudfs.daemon.mountpoint import Busy, unmount
from cloudfs.daemon.process import await_exit
from cloudfs.errors import CloudfsError, UsageError

VARIABLE = "CLOUDFS"
"""What tells the command where the mount is."""

_EXIT_SECONDS = 60.0
_NOT_FOUND, _NOT_EXECUTABLE, _BY_SIGNAL = 127, 126, 128
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT)
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)

_MANUAL = Manual(
    examples=(
        Example("cloudfs run backup: -- sh -c 'tar -czf \"$CLOUDFS/home.tar.gz\" -C /home .'", "Store an archive"),
        Example(
            "17 3 * * *  cloudfs run backup:home -- sh -c 'rsync -aH --delete /home/ \"$CLOUDFS/\"'",
            "Every night, as a line of a crontab, which mails what went wrong",
        ),
    ),
    statuses=(
        ("0", "the command succeeded, and everything is stored and checked"),
        ("1", "the command succeeded, and some files are parked and need a person; or it could not be mounted"),
        ("2", "wrong usage"),
        ("3", "the command succeeded, and the time for the upload is over; the next mount goes on with it"),
        ("126, 127", "the command cannot be run, or was not found"),
        ("128 + N", "the command, or the wait, was ended by signal N"),
        ("others", "what the command itself ended with; what it wrote is stored all the same"),
    ),
)


class _Stopped(Exception):
    """A signal ends the wait for the upload."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@click.command(cls=Command, manual=_MANUAL)
@click.argument("source", shell_complete=complete_source)
@click.argument("words", metavar="-- COMMAND [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "-o",
    "--options",
    metavar="OPT[=VALUE],...",
    multiple=True,
    shell_complete=complete_options,
    help="Mount options, for a mount that is made for this; see cloudfs mount.",
)
@click.option("--timeout", callback=duration, metavar="SECONDS", help="Do not wait longer than this for the upload.")
def command(source: str, words: tuple[str, ...], options: tuple[str, ...], timeout: float | None) -> int:
    """Mount SOURCE, run COMMAND, wait for the upload, unmount.

    The command finds the mount in $CLOUDFS. A SOURCE that is mounted already is used as it is, and stays mounted.
    Signals go to the command. Success means that the command succeeded and all it wrote is stored and checked.
    """
    wanted = resolve_source(source.removeprefix("cloudfs#"), load_config(), must_exist=False).text
    with _mounted(wanted, options) as mount:
        status = _run(words, mount.mountpoint)
        try:
            stored = _store(mount, timeout)
        except _Stopped as stopped:
            complain(f"stopped by {signal.Signals(stopped.number).name}; the next mount goes on with the upload")
            stored = _BY_SIGNAL + stopped.number
    return status or stored


@contextmanager
def _mounted(source: str, options: Sequence[str]) -> Iterator[Mount]:
    """The mount of ``source``: the one there is, or one of our own for as long as the block lasts."""
    present = next((mount for mount in all_mounts() if mount.source == source and mount.record), None)
    if present is not None:
        if options:
            complain(f"{source} is mounted on {present.mountpoint} already; its own options hold")
        yield present
        return
    place = Path(tempfile.mkdtemp(prefix="run-", dir=make_private(runtime_directory())))
    try:
        _mount(source, place, options)
        mount = find_mount(place)
        try:
            yield mount
        finally:
            _unmount(mount)
    finally:
        with suppress(OSError):
            place.rmdir()


def _mount(source: str, place: Path, options: Sequence[str]) -> None:
    """In a process of its own, as a person would: what goes wrong stands on standard error already."""
    words = [word for option in options for word in ("-o", option)]
    done = subprocess.run([sys.executable, "-m", "cloudfs", "mount", source, place, *words], check=False)
    if done.returncode:
        raise UsageError(f"{source} could not be mounted, and the command was not run")


def _unmount(mount: Mount) -> None:
    """What is not stored by now is for the next mount."""
    try:
        unmount(mount.mountpoint)
    except Busy as busy:
        complain(f"{busy}; it goes when they end")
        unmount(mount.mountpoint, lazy=True)
        return
    if mount.record and not await_exit(mount.record.pid, mount.record.born, _EXIT_SECONDS):
        complain(f"the daemon of {mount.source} (process {mount.record.pid}) has not ended")


def _run(words: Sequence[str], mountpoint: Path) -> int:
    """The exit status of the command, as a shell would tell it."""
    # On a terminal, Ctrl-C reaches the command without us.
    to_forward = _FORWARDED if sys.stdin is not None and sys.stdin.isatty() else (*_FORWARDED, *_FROM_TERMINAL)
    running: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        if number not in to_forward:
            return
        early.append(number)
        for process in running:
            process.send_signal(early.pop())

    with _handling((*_FORWARDED, *_FROM_TERMINAL), forward):
        try:
            process = subprocess.Popen(words, env={**os.environ, VARIABLE: os.fspath(mountpoint)})
        except FileNotFoundError:
            complain(f"{words[0]}: command not found")
            return _NOT_FOUND
        except OSError as error:
            complain(f"{words[0]}: {error.strerror}")
            return _NOT_EXECUTABLE
        running.append(process)
        while early:
            process.send_signal(early.pop())
        status = process.wait()
    return _BY_SIGNAL - status if status < 0 else status


def _store(mount: Mount, timeout: float | None) -> int:
    """Wait for the upload; 0 if all is stored. Raises `_Stopped` when a signal comes."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped(number)

    with _handling((signal.SIGTERM, signal.SIGHUP, signal.SIGINT), stop):
        try:
            drained = drain(mount, [""], timeout)
        except CloudfsError as error:
            drained = Drained(Outcome.PARKED, str(error), ())
    report_parked(mount, drained)
    if drained.outcome is Outcome.LATE:
        complain(f"{mount.source}: {drained.left}; the next mount goes on with it")
    elif drained.left:
        complain(f"{mount.source}: {drained.left}")
    return int(drained.outcome)


@contextmanager
def _handling(numbers: Sequence[int], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Signals do that inside the block, and afterwards what they did before."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
