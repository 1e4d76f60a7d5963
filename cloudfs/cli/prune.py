"""``cloudfs prune``"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cloudfs.cli.complete import complete_mountpoint
from cloudfs.cli.mounts import Mount, all_mounts, ask_each, find_holding
from cloudfs.cli.program import Command, Example, Manual
from cloudfs.cli.render import columns
from cloudfs.cli.text import printable
from cloudfs.config import Config, load_config, resolve_source, retention_of
from cloudfs.errors import UsageError
from cloudfs.quantities import show_count, show_size
from cloudfs.retention import Rules

_WORK_SECONDS = 3600.0

_MANUAL = Manual(
    examples=(
        Example("cloudfs prune --dry-run", "See what would be deleted, and why"),
        Example("cloudfs prune /mnt/backup", "Delete in one mount what its rules do not keep"),
    ),
    statuses=(
        ("0", "done, or nothing to do"),
        ("1", "something could not be done; or there are no rules for what is mounted"),
        ("2", "wrong usage"),
    ),
)


@click.command(cls=Command, manual=_MANUAL)
@click.argument("mountpoint", type=click.Path(path_type=Path), required=False, shell_complete=complete_mountpoint)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be deleted, and what would stay, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list, with an object for each directory.")
def command(mountpoint: Path | None, dry_run: bool, as_json: bool) -> int:
    """Delete snapshots that the retention rules do not keep.

    The rules are the [[retention]] tables for what is mounted at MOUNTPOINT, or at all mounts of this user, as they
    are now. The newest snapshot is never deleted, and nothing is while one of them is not stored and checked.
    """
    config = load_config()
    mounts = [find_holding(mountpoint)[0]] if mountpoint else [each for each in all_mounts() if _is_of(config, each)]
    work = {mount: rules for mount in mounts if (rules := _rules(config, mount))}
    if not work:
        raise UsageError(f"there is no [[retention]] for what is mounted in {config.file or 'any configuration'}")
    parts, status = ask_each(list(work), lambda mount: _prune(mount, work[mount], dry_run))
    found = [outcome for part in parts for outcome in part]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for each in found:
            for line in _render(each, dry_run):
                click.echo(line)
    return status


def _is_of(config: Config, mount: Mount) -> bool:
    """Whether a mount's remote is in this configuration: others may have been mounted with one of their own."""
    try:
        resolve_source(mount.source, config, must_exist=False)
    except UsageError:
        return False
    return True


def _rules(config: Config, mount: Mount) -> list[Rules]:
    return retention_of(resolve_source(mount.source, config, must_exist=False), config)


def _prune(mount: Mount, all_rules: Iterable[Rules], dry_run: bool) -> list[dict[str, Any]]:
    found = []
    for rules in all_rules:
        table = {key: value for key, value in dataclasses.asdict(rules).items() if value is not None}
        outcomes = mount.client.call("prune", limit=_WORK_SECONDS, rules=table, dry_run=dry_run)
        found += [{"mountpoint": str(mount.mountpoint), **outcome} for outcome in outcomes]
    return found


def _render(found: dict[str, Any], dry_run: bool) -> Iterable[str]:
    yield printable(str(Path(found["mountpoint"], found["path"])))
    rows = [_cells(row) for row in found["snapshots"]]
    yield from (f"  {line}" for line in columns(rows)) if rows else ()
    gone = [row for row in found["snapshots"] if (not row["keep"] if dry_run else row["deleted"])]
    size = show_size(sum(row["bytes"] for row in gone))
    yield f"  {show_count(len(gone), 'snapshot')} {'to be deleted' if dry_run else 'deleted'}, {size}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    time = datetime.fromtimestamp(row["time"]).strftime("%Y-%m-%d %H:%M")
    return "keep" if row["keep"] else "delete", time, show_size(row["bytes"]), printable(row["name"]), row["verdict"]
