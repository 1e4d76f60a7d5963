"""``cloudfs usage``"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cloudfs.cli.complete import complete_mountpoint
from cloudfs.cli.mounts import Mount, ask_at
from cloudfs.cli.program import Command, Example, Manual
from cloudfs.cli.render import columns, show_part
from cloudfs.cli.text import printable
from cloudfs.quantities import show_size

_WORK_SECONDS = 3600.0
"""Directories that were never looked into are listed first."""

_MANUAL = Manual(
    examples=(
        Example("cloudfs usage /mnt/backup", "How large each directory is, and how full the account"),
        Example("cloudfs usage --json /mnt/backup/snapshots | jq .bytes", "For scripts"),
    ),
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("path", type=click.Path(path_type=Path), required=False, shell_complete=complete_mountpoint)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object, or without PATH a list of them.")
def command(path: Path | None, as_json: bool) -> int:
    """Show how much is at and below PATH, and in the account.

    Entry by entry. The time is that of a snapshot: what its name says, or else when it was changed. Sizes are what
    the mount shows; a provider may count deleted files, too, until its trash is emptied. Without PATH, all mounts of
    this user.
    """
    found, status = ask_at([path] if path else [], _ask)
    if as_json:
        click.echo(json.dumps(found[0] if path else found, indent=2))
    else:
        for each in found:
            _print(each)
    return status


def _ask(mount: Mount, inside: str) -> dict[str, Any]:
    usage = mount.client.call("usage", limit=_WORK_SECONDS, path=inside)
    return {"mountpoint": os.fspath(mount.mountpoint), **usage}


def _print(found: dict[str, Any]) -> None:
    entries = sorted(found["entries"], key=lambda entry: -entry["bytes"])
    rows = [("SIZE", "FILES", "TIME", "NAME"), *map(_cells, entries)]
    total = (
        show_size(found["bytes"]),
        f"{found['files']:,}",
        "",
        printable(str(Path(found["mountpoint"], found["path"]))),
    )
    for line in columns([*(rows if entries else []), total]):
        click.echo(line)
    store = found["store"]
    free = f", {show_size(store['free'])} free" if store["free"] is not None else ""
    trash = f", {show_size(store['trash'])} in the trash" if store.get("trash") else ""
    click.echo(f"account: {show_part(store['used'], store['total'])} used{free}{trash}")


def _cells(entry: dict[str, Any]) -> tuple[str, ...]:
    name = printable(entry["name"]) + ("/" if entry["directory"] else "")
    time = datetime.fromtimestamp(entry["time"]).strftime("%Y-%m-%d %H:%M")
    return show_size(entry["bytes"]), f"{entry['files']:,}", time, name
