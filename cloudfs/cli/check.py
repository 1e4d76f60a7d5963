"""``cloudfs check``"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from cloudfs.cli.complete import complete_mountpoint
from cloudfs.cli.duration import duration
from cloudfs.cli.mounts import find_mount, look_at
from cloudfs.cli.program import Command, Example, Manual
from cloudfs.cli.text import printable
from cloudfs.cli.verdict import Found, Level, judge
from cloudfs.daemon.client import DaemonGone, DaemonSilent
from cloudfs.daemon.mountpoint import probe
from cloudfs.errors import CloudfsError

_AUTOMOUNT = "autofs"

_MANUAL = Manual(
    examples=(
        Example("cloudfs check --mounted /mnt/backup && rsync -aH /home /mnt/backup/", "Never fill the bare directory"),
        Example("cloudfs check --max-age 6h /mnt/backup", "Complain if something is not stored after six hours"),
        Example("check_command  cloudfs check --max-age 1d --timeout 20 /mnt/backup", "A service of Nagios or Icinga"),
    ),
    statuses=(
        ("0", "OK: mounted and answering, nothing parked, nothing older than --max-age is unsent"),
        ("1", "WARNING: the store is off line, throttled or failing, and nothing is overdue yet"),
        ("2", "CRITICAL: not mounted, dead or hung, something parked or overdue, store full, or sign-in required"),
        ("3", "UNKNOWN: wrong usage, or a mount of somebody else"),
    ),
)


class _WrongUsage(click.UsageError):
    """Is UNKNOWN to monitoring; click's own number for it would be CRITICAL."""

    exit_code = Level.UNKNOWN


class _Check(Command):
    def make_context(self, *arguments: Any, **keywords: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **keywords)
        except click.UsageError as error:
            raise _WrongUsage(error.message, error.ctx) from None


@click.command(cls=_Check, manual=_MANUAL)
@click.argument("mountpoint", type=click.Path(path_type=Path), shell_complete=complete_mountpoint)
@click.option(
    "--max-age",
    callback=duration,
    default="1d",
    show_default=True,
    metavar="TIME",
    help="What is not stored after this time is overdue.",
)
@click.option("--mounted", is_flag=True, help="Only whether one may write there: it is mounted, and it answers.")
@click.option(
    "--timeout", callback=duration, default="10s", show_default=True, metavar="TIME", help="Take no longer than this."
)
def command(mountpoint: Path, max_age: float, mounted: bool, timeout: float) -> int:
    """Say whether a mount is as it should be.

    In one line and in the exit status, for monitoring, and as a guard in scripts: when nothing is mounted, a backup
    would fill the local disk. It never hangs, also if the mount does. What systemd or autofs mounts on demand is
    mounted by this.
    """
    try:
        found = _look(mountpoint, time.monotonic() + timeout)
    except (CloudfsError, OSError) as error:
        found = Found(mounted=True, foreign=True, complaint=str(error))
    verdict = judge(found, time.time(), max_age, only_mounted=mounted)
    click.echo(printable(f"{verdict.level.name}: {mountpoint}: {verdict.text}") + verdict.figures)
    return verdict.level


def _look(mountpoint: Path, deadline: float) -> Found:
    """What there is, with a limit of its own for each thing that might hang; most of the time is for the kernel."""
    patience = max(0.1, (deadline - time.monotonic()) * 0.7)
    path, present = look_at(mountpoint)
    number = probe(path, patience) if present is not None else 0
    if present is not None and present.file_system == _AUTOMOUNT:
        # The look has made it mount: the last one mounted there counts.
        path, present = look_at(path)
    if present is None or not present.is_ours:
        return Found(mounted=False, other="" if present is None else present.file_system)
    if number:
        return Found(mounted=True, errno=number)
    try:
        mount = find_mount(path)
        if mount.record is None:
            return Found(mounted=True, foreign=True)
        return Found(mounted=True, status=mount.client.call("status", limit=max(0.1, deadline - time.monotonic())))
    except DaemonSilent as silent:
        return Found(mounted=True, complaint=str(silent))
    except DaemonGone as gone:
        return Found(mounted=True, foreign=True, complaint=str(gone))
