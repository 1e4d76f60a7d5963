"""``cloudfs status``"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cloudfs.cli.complete import complete_mountpoint
from cloudfs.cli.mounts import Mount, all_mounts, find_holding
from cloudfs.cli.program import Command, Example, Manual
from cloudfs.cli.render import render_list, render_one
from cloudfs.daemon.client import DaemonGone, DaemonRefused, DaemonSilent

_ANSWER_SECONDS = 5.0

_MANUAL = Manual(
    examples=(
        Example("cloudfs status", "All mounts"),
        Example("cloudfs status --watch /mnt/backup", "Look at one while it works"),
        Example("cloudfs status --json /mnt/backup | jq .pending.files", "How many files are not stored yet"),
    ),
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False, shell_complete=complete_mountpoint)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object, or without MOUNTPOINT a list of them.")
@click.option("--watch", is_flag=True, help="Go on until interrupted; with --json a line for each look.")
@click.option("--interval", type=click.FloatRange(min=0.01), default=1.0, hidden=True)
def command(mountpoint: Path | None, as_json: bool, watch: bool, interval: float) -> None:
    """Show what is not stored yet, and why.

    That is what is pending, uploading and parked, beside the use of cache and store: of the mount that MOUNTPOINT is
    in, or of all mounts of this user.
    """
    looks = _looks(mountpoint, interval) if watch else iter([_look(mountpoint)])
    if as_json:
        for found in looks:
            click.echo(json.dumps(found, indent=None if watch else 2))
    elif watch and sys.stdout.isatty():
        _show_live(looks)
    else:
        for found in looks:
            _print(found)


Look = dict[str, Any] | list[dict[str, Any]]


def _looks(mountpoint: Path | None, interval: float) -> Iterator[Look]:
    for number in itertools.count():
        if number:
            time.sleep(interval)
        yield _look(mountpoint)


def _look(mountpoint: Path | None) -> Look:
    """One status, or a list of all."""
    if mountpoint is None:
        return [_status(mount, "") for mount in all_mounts()]
    mount, inside = find_holding(mountpoint)
    return _status(mount, inside)


def _status(mount: Mount, inside: str) -> dict[str, Any]:
    """What the daemon says; without an answer the same shape, in which None is what nobody knows."""
    if mount.record is None:
        return _unknown(mount, "dead", "its daemon has ended; mount it again")
    try:
        status: dict[str, Any] = mount.client.call("status", limit=_ANSWER_SECONDS, path=inside)
        return status
    except DaemonSilent as silent:
        return _unknown(mount, "silent", str(silent))
    except (DaemonGone, DaemonRefused) as error:
        return _unknown(mount, "dead", str(error))


def _unknown(mount: Mount, state: str, reason: str) -> dict[str, Any]:
    return {
        "mountpoint": str(mount.mountpoint),
        "source": mount.source,
        "state": state,
        "reason": reason,
        "pending": {"files": None, "bytes": None},
        "uploading": [],
        "parked": [],
        "cache": {"used": None, "limit": None},
        "store": {"used": None, "total": None},
        "pid": mount.record.pid if mount.record else None,
        "options": {},
    }


def _print(found: Look) -> None:
    for line in render(found):
        click.echo(line)


def render(found: Look) -> list[str]:
    """A look as lines of text."""
    return render_list(found) if isinstance(found, list) else render_one(found)


def _show_live(looks: Iterator[Look]) -> None:
    """Each look in place of the one before."""
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        for found in looks:
            live.update(Text("\n".join(render(found))), refresh=True)
