"""``cloudfs verify``"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from cloudfs.cli.complete import complete_mountpoint
from cloudfs.cli.mounts import Mount, ask_at
from cloudfs.cli.program import Command, Example, Manual
from cloudfs.cli.progress import counter
from cloudfs.cli.text import printable
from cloudfs.quantities import show_count, show_size

_MANUAL = Manual(
    examples=(
        Example("cloudfs verify /mnt/backup", "Compare what the mount shows with what the store lists"),
        Example("cloudfs verify --deep 5 /mnt/backup", "And read five percent of the bytes, others each time"),
        Example("cloudfs wait /mnt/backup && cloudfs verify --deep 100 /mnt/backup/2024", "Be sure of a directory"),
    ),
    statuses=(
        ("0", "no difference"),
        ("1", "there are differences, or the store does not answer"),
        ("2", "wrong usage"),
        ("130", "interrupted"),
    ),
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("path", type=click.Path(path_type=Path), required=False, shell_complete=complete_mountpoint)
@click.option(
    "--deep",
    type=click.FloatRange(0, 100),
    default=0.0,
    metavar="PERCENT",
    help="Read so much of the stored bytes, in whole files chosen by chance, and compare checksums and cache.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(path: Path | None, deep: float, as_json: bool) -> int:
    """Compare what the mount shows with what the store has.

    At and below PATH, every name is compared with the store's listings: whether it is there, its version, size and
    attributes, and whether something is there that nobody here knows of. What is not stored yet is a difference.
    Without PATH, all mounts of this user. Nothing is changed.
    """
    results, status = ask_at([path] if path else [], lambda mount, inside: _verify(mount, inside, deep))
    if as_json:
        click.echo(json.dumps(results[0] if path else results, indent=2))
    else:
        for result in results:
            _print(result)
    return 1 if any(result["count"] for result in results) else status


def _verify(mount: Mount, inside: str, deep: float) -> dict[str, Any]:
    with counter(f"verifying {mount.mountpoint}") as show:
        result = mount.client.follow("verify", show, limit=None, path=inside, deep=deep)
    return {"mountpoint": os.fspath(mount.mountpoint), "path": inside, **result}


def _print(result: dict[str, Any]) -> None:
    for each in result["differences"]:
        where = Path(result["mountpoint"], each["path"])
        click.echo(printable(f"{where}: {each['difference']}: {each['detail']}"))
    if len(result["differences"]) < result["count"]:
        click.echo(f"and {result['count'] - len(result['differences']):,} more")
    checked, read = result["checked"], result["read"]
    told = f"{show_count(checked['names'], 'name')} compared, {show_size(checked['bytes'])}"
    if read["files"]:
        told += f"; {show_count(read['files'], 'file')} read, {show_size(read['bytes'])}"
    click.echo(f"{printable(result['mountpoint'])}: {told}; {show_count(result['count'], 'difference')}")
