"""``cloudfs umount``"""

from __future__ import annotations

import time
from pathlib import Path

import click

from cloudfs.cli.complete import complete_mountpoint
from cloudfs.cli.drain import Outcome, drain, drain_unmounting, report_parked
from cloudfs.cli.duration import duration
from cloudfs.cli.mounts import Mount, find_mount
from cloudfs.cli.program import Command, Example, Manual, complain
from cloudfs.daemon.client import DaemonGone, DaemonRefused, DaemonSilent
from cloudfs.daemon.mountpoint import is_dead, unmount
from cloudfs.daemon.process import await_exit
from cloudfs.errors import UsageError

_EXIT_SECONDS = 60.0

_MANUAL = Manual(
    examples=(
        Example("cloudfs umount /mnt/backup", "Unmount when everything is stored"),
        Example("cloudfs umount --timeout 10m /mnt/backup", "Do not wait longer than ten minutes for that"),
        Example("cloudfs umount --no-wait /mnt/backup", "Unmount now; the next mount goes on with the uploads"),
    ),
    statuses=(
        ("0", "unmounted, and with --no-wait not given: everything is stored"),
        ("1", "still mounted, or not all is stored; the message says which"),
        ("2", "wrong usage"),
        ("130", "interrupted; what is not stored stays queued"),
    ),
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("mountpoint", type=click.Path(path_type=Path), shell_complete=complete_mountpoint)
@click.option("--timeout", callback=duration, metavar="SECONDS", help="Stay mounted if not all is stored in this time.")
@click.option("--no-wait", is_flag=True, help="Do not wait: the next mount goes on with what is not stored yet.")
@click.option("-l", "-f", "--lazy", is_flag=True, help="Detach at once, even if in use; implies --no-wait.")
# What umount(8) hands to its helpers, and means nothing here.
@click.option("-n", "-v", "-r", "ignored_flag", is_flag=True, hidden=True, expose_value=False)
@click.option("-t", "-N", "ignored_value", hidden=True, expose_value=False)
def command(mountpoint: Path, timeout: float | None, no_wait: bool, lazy: bool) -> None:
    """Wait until everything is stored, then unmount.

    Nothing is ever lost by unmounting earlier: what is not stored yet stays on this machine, and the next mount of
    the same source goes on with it.
    """
    mount = find_mount(mountpoint)
    if mount.record is None and is_dead(mount.mountpoint):
        _clear_away(mount, no_wait or lazy)
        return
    left = ""
    if no_wait or lazy:
        unmount(mount.mountpoint, lazy=lazy)
    else:
        left = _store_and_unmount(mount, timeout)
    if mount.record and not lazy and not await_exit(mount.record.pid, mount.record.born, _EXIT_SECONDS):
        raise UsageError(
            f"{mount.mountpoint} is unmounted, but its daemon (process {mount.record.pid}) has not ended; "
            "programs in another mount namespace (a container, a service with private mounts) may still use it"
        )
    if left:
        raise UsageError(
            f"{mount.mountpoint} is unmounted, and not all is stored: {left}; it is kept on this machine, and the next "
            f"mount goes on with it: cloudfs mount {mount.source} {mount.mountpoint}"
        )


def _clear_away(mount: Mount, unconcerned: bool) -> None:
    unmount(mount.mountpoint, lazy=True)
    message = (
        f"the daemon of {mount.mountpoint} was dead; what it had not stored is kept, and the next mount stores it: "
        f"cloudfs mount {mount.source} {mount.mountpoint}"
    )
    if not unconcerned:
        raise UsageError(message)
    complain(message)


def _store_and_unmount(mount: Mount, timeout: float | None) -> str:
    """Store, then unmount: '' if all is stored, else what is left. Raises `UsageError` if it is still mounted.

    ``timeout`` is what a person says now, who can decide anew when it is over. The mount option is the word of
    somebody who is not here: the machine may be going down, so then the mount goes with what it has.
    """
    began = time.monotonic()
    try:
        limit = _configured_timeout(mount) if timeout is None else timeout
        drained = drain(mount, [""], limit)
    except (DaemonGone, DaemonRefused, DaemonSilent) as error:
        raise UsageError(f"{mount.mountpoint} is still mounted: {error}; {_way_on(mount)}") from None
    report_parked(mount, drained)
    if drained.outcome is Outcome.LATE and timeout is not None:
        raise UsageError(f"{mount.mountpoint} is still mounted: {drained.left}; {_way_on(mount)}")
    if drained.outcome is Outcome.PARKED:
        raise UsageError(f"{mount.mountpoint} is still mounted, because not all is stored; {_way_on(mount)}")
    rest = None if limit is None else max(0.0, limit - (time.monotonic() - began))
    late = drain_unmounting(mount, lambda: unmount(mount.mountpoint), rest)
    if late.outcome is Outcome.PARKED:
        report_parked(mount, late)
    return "" if late.outcome is Outcome.STORED else late.left or "some files are parked"


def _configured_timeout(mount: Mount) -> float | None:
    """The mount option ``umount_timeout``: umount(8) has no way to tell us one."""
    options = mount.client.call("status").get("options")
    seconds = options.get("umount_timeout") if isinstance(options, dict) else None
    return float(seconds) if isinstance(seconds, int | float) else None


def _way_on(mount: Mount) -> str:
    return f"to unmount all the same: cloudfs umount --no-wait {mount.mountpoint}"
