"""``cloudfs status``"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cloudfs.cli.complete import complete_mountpoint
from cloudfs.cli.duration import duration
from cloudfs.cli.mounts import Mount, all_mounts, find_holding
from cloudfs.cli.program import Command, Example, Manual
from cloudfs.cli.prometheus import exposition
from cloudfs.cli.render import render_list, render_one
from cloudfs.daemon.client import DaemonGone, DaemonRefused, DaemonSilent

_ANSWER_SECONDS = 5.0

_MANUAL = Manual(
    examples=(
        Example("cloudfs status", "All mounts"),
        Example("cloudfs status --watch /mnt/backup", "Look at one while it works"),
        Example("cloudfs status /mnt/backup/home.tar.gz", "How one file stands"),
        Example("cloudfs status --json /mnt/backup | jq .pending.files", "How many files are not stored yet"),
        Example(
            "*/5 * * * *  cloudfs status --prometheus --output /var/lib/node_exporter/cloudfs.prom",
            "For the textfile collector of the node exporter, as a line of a crontab",
        ),
    ),
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False, shell_complete=complete_mountpoint)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object, or without MOUNTPOINT a list of them.")
@click.option("--prometheus", is_flag=True, help="Print metrics in the text format of Prometheus.")
@click.option("--watch", is_flag=True, help="Go on until interrupted; with --json a line for each look.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it there instead, whole or not at all; with --watch again and again.",
)
@click.option("--interval", callback=duration, default="1s", hidden=True)
def command(
    mountpoint: Path | None, as_json: bool, prometheus: bool, watch: bool, output: Path | None, interval: float
) -> None:
    """Show what is not stored yet, and why.

    That is what is pending, uploading and parked, beside the use of cache and store: of the mount that MOUNTPOINT is
    in, or of all mounts of this user. MOUNTPOINT may be a file inside: then also how that one stands.
    """
    if as_json and prometheus:
        raise click.UsageError("either --json or --prometheus")
    looks = _looks(mountpoint, interval) if watch else iter([_look(mountpoint)])
    if watch and output is None and not as_json and not prometheus and sys.stdout.isatty():
        _show_live(looks)
        return
    for found in looks:
        text = _as_metrics(found) if prometheus else _as_json(found, watch) if as_json else _as_lines(found)
        if output is None:
            click.echo(text, nl=False)
        else:
            _replace(output, text)


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


def _as_json(found: Look, watch: bool) -> str:
    return json.dumps(found, indent=None if watch else 2) + "\n"


def _as_metrics(found: Look) -> str:
    return exposition(found if isinstance(found, list) else [found])


def _as_lines(found: Look) -> str:
    lines = render_list(found) if isinstance(found, list) else render_one(found, time.time())
    return "".join(f"{line}\n" for line in lines)


def _replace(file: Path, text: str) -> None:
    """Whoever reads ``file`` meanwhile sees the old text or the new one. Others may read it, as monitoring does."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as opened:
            os.fchmod(descriptor, 0o644)
            opened.write(text)
        os.replace(draft, file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _show_live(looks: Iterator[Look]) -> None:
    """Each look in place of the one before."""
    from rich.live import Live

    from cloudfs.cli.live import live_view

    with Live(auto_refresh=False) as live:
        for found in looks:
            live.update(live_view(found, time.time()), refresh=True)
