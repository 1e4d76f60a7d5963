"""``cloudfs pending``"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click

from cloudfs.cli.mounts import Mount, ask_at, find_holding
from cloudfs.cli.program import Command, Example, Group, Manual, complain
from cloudfs.cli.render import columns
from cloudfs.cli.text import printable, show_duration
from cloudfs.errors import UsageError
from cloudfs.quantities import show_count, show_size

_LISTED = 100_000
_WORK_SECONDS = 600.0
"""The driver looks at every pending name, and for `discard` asks the store about each."""

_MANUAL = Manual(
    examples=(
        Example("cloudfs pending", "See what is not stored yet, and why"),
        Example("cloudfs pending retry /mnt/backup/photos", "Try again now what failed there"),
        Example("cloudfs pending export /mnt/backup/a.tar ~/rescued.tar", "Copy out what cannot be stored"),
        Example("cloudfs pending discard /mnt/backup/a.tar", "Then give it up: show what the store has"),
    )
)
_PATH = click.argument("path", type=click.Path(path_type=Path))


@click.group(cls=Group, manual=_MANUAL, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> int:
    """See what is not stored yet, and deal with it.

    It can be tried again, copied out, or given up. Without a command this lists what is pending in all mounts of
    this user.
    """
    return _list([], as_json=False) if ctx.invoked_subcommand is None else 0


@command.command(
    "list",
    cls=Command,
    manual=Manual(
        examples=(
            Example("cloudfs pending list /mnt/backup", "Of one mount, or of a directory or file in it"),
            Example("cloudfs pending list --json | jq '.[] | select(.state == \"parked\")'", "What needs a person"),
        )
    ),
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of objects.")
def list_(paths: tuple[Path, ...], as_json: bool) -> int:
    """List what is not stored yet: what kind of change, bytes, since when, and why it failed."""
    return _list(list(paths), as_json=as_json)


@command.command(
    cls=Command, manual=Manual(examples=(Example("cloudfs pending retry /mnt/backup", "After making room there"),))
)
@_PATH
def retry(path: Path) -> None:
    """Try again now what failed or is parked at and below PATH."""
    mount, inside = find_holding(path)
    done = mount.client.call("retry-path", limit=_WORK_SECONDS, path=inside)
    click.echo(f"{show_count(int(done['names']), 'name')} will be tried again now")


@command.command(
    cls=Command,
    manual=Manual(
        examples=(
            Example("cloudfs pending discard /mnt/backup/a.tar", "Show the stored version, or none if there is none"),
            Example("cloudfs pending discard --yes /mnt/backup", "Give up everything that was not sent"),
        )
    ),
)
@_PATH
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(path: Path, yes: bool) -> None:
    """Give up what is not stored at and below PATH: the mount shows again what the store has.

    New files go, changed ones have their stored content, what was renamed or deleted is back. This cannot be undone;
    `cloudfs pending export` copies out first what should be kept. The store has to answer, and nothing is changed
    there.
    """
    mount, inside = find_holding(path)
    rows = _rows(mount, inside)
    if not rows:
        click.echo("nothing is pending there")
        return
    if not yes:
        _confirm(rows, path)
    done = mount.client.call("discard", limit=_WORK_SECONDS, path=inside)
    click.echo(f"{show_count(int(done['names']), 'change')} given up")


@command.command(
    cls=Command,
    manual=Manual(
        examples=(
            Example("cloudfs pending export /mnt/backup/a.tar /media/usb/", "One file, into a directory"),
            Example("cloudfs pending export /mnt/backup /media/usb/rescued", "All that is not stored, in its tree"),
        )
    ),
)
@_PATH
@click.argument("destination", type=click.Path(path_type=Path))
def export(path: Path, destination: Path) -> None:
    """Copy files whose bytes are not stored yet, at and below PATH, to DESTINATION.

    The copies are on the disk when the command returns. What is there already is not overwritten. Nothing changes in
    the mount: the files are still pending.
    """
    mount, inside = find_holding(path)
    unsent = [row for row in _rows(mount, inside) if row["type"] == "file" and row["change"] in ("new", "content")]
    if not unsent:
        raise UsageError(f"{path}: no bytes are waiting to be stored there")
    size = 0
    for row in unsent:
        size += _copy(mount.mountpoint / row["path"], _target(row["path"], inside, destination))
    click.echo(f"{show_count(len(unsent), 'file')} copied, {show_size(size)}")


def _list(paths: list[Path], *, as_json: bool) -> int:
    """The exit status: not 0 if there is a mount of which nobody knows."""
    parts, status = ask_at(paths, _rows)
    found = [row for part in parts for row in part]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif found:
        for line in columns([("STATE", "CHANGE", "SIZE", "SINCE", "TRIES", "PATH"), *map(_cells, found)]):
            click.echo(line)
    elif status == 0:
        click.echo("everything is stored")
    return status


def _rows(mount: Mount, inside: str) -> list[dict[str, Any]]:
    answer = mount.client.call("pending", limit=_WORK_SECONDS, path=inside, most=_LISTED)
    if answer["more"]:
        complain(f"{mount.mountpoint}: more than {_LISTED:,} names are pending; these are the first")
    return [{**row, "mountpoint": str(mount.mountpoint)} for row in answer["rows"]]


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    path = printable(str(Path(row["mountpoint"], row["path"]))) + ("/" if row["type"] == "directory" else "")
    origin = f" (from {printable(row['from'])})" if row["from"] else ""
    reason = f": {printable(row['reason'])}" if row["reason"] else ""
    age = show_duration(max(round(time.time() - row["since"]), 0))
    return row["state"], row["change"], show_size(row["bytes"]), age, str(row["attempts"]), f"{path}{origin}{reason}"


def _confirm(rows: list[dict[str, Any]], path: Path) -> None:
    size = sum(int(row["bytes"]) for row in rows)
    if not sys.stdin.isatty():
        raise UsageError(f"{show_count(len(rows), 'change')} would be given up; say --yes, there is no terminal to ask")
    for line in columns([_cells({**row, "mountpoint": ""}) for row in rows[:20]]):
        click.echo(f"  {line}")
    what = f"{show_count(len(rows), 'change')} at and below {printable(str(path))} ({show_size(size)})"
    click.confirm(f"Give up {what}?", abort=True, err=True)


def _target(path: str, inside: str, destination: Path) -> Path:
    """As cp does: a file into an existing directory; the files of a directory under its destination."""
    if path == inside:
        return destination / Path(path).name if destination.is_dir() else destination
    return destination / Path(path).relative_to(inside or ".")


def _copy(source: Path, target: Path) -> int:
    """Bytes copied. Raises `UsageError` if something is there already, or the file cannot be read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(source, "rb") as reading, open(target, "xb") as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            os.fsync(writing.fileno())
    except FileExistsError:
        raise UsageError(f"{target} is there already, and is not overwritten") from None
    shutil.copystat(source, target)
    return target.stat().st_size
