"""``cloudfs wait``"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from cloudfs.cli.drain import Outcome, drain, report_parked
from cloudfs.cli.duration import duration
from cloudfs.cli.mounts import Mount, all_mounts, ask_each, find_holding
from cloudfs.cli.program import Command, Example, Manual, complain
from cloudfs.cli.text import show_duration

_MANUAL = Manual(
    examples=(
        Example("cloudfs wait", "Wait for everything in all mounts"),
        Example("cloudfs wait /mnt/backup/2024 && rm -r ~/2024", "Delete the original only when the copy is stored"),
        Example("cloudfs wait --timeout 10m /mnt/backup || cloudfs status /mnt/backup", "Have a look if it takes long"),
    ),
    statuses=(
        ("0", "everything is stored, and the store's own checksum agreed"),
        ("1", "some files are parked and need a person, or there is nothing to ask"),
        ("2", "wrong usage"),
        ("3", "the time is over and not everything is stored yet"),
    ),
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--timeout", callback=duration, metavar="SECONDS", help="Give up after this time; also 30s, 5m, 1h30m.")
def command(paths: tuple[Path, ...], timeout: float | None) -> int:
    """Wait until everything under each PATH is stored and checked.

    Without PATH, wait for all mounts of this user. What is written meanwhile under PATH is waited for as well.
    """
    deadline = None if timeout is None else time.monotonic() + timeout

    def wait(mount: Mount, inside: Sequence[str]) -> Outcome:
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        drained = drain(mount, inside, remaining)
        report_parked(mount, drained)
        if drained.outcome is Outcome.LATE:
            after = f" after {show_duration(timeout)}" if timeout is not None else ""
            complain(f"{mount.mountpoint}: {drained.left}{after}")
        return drained.outcome

    if paths:
        return max(wait(mount, inside) for mount, inside in _by_mount(paths).items())
    outcomes, status = ask_each(all_mounts(), lambda mount: wait(mount, [""]))
    return max([*outcomes, status])


def _by_mount(paths: Iterable[Path]) -> dict[Mount, list[str]]:
    """Each mount to ask, with the paths inside it to ask for."""
    inside: dict[Mount, list[str]] = defaultdict(list)
    for path in paths:
        mount, relative = find_holding(path)
        inside[mount].append(relative)
    return inside
