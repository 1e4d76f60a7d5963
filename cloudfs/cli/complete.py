"""What the shell may complete for arguments. A problem completes nothing, and never speaks."""

from __future__ import annotations

import click

from cloudfs.cli.mounts import all_mountpoints
from cloudfs.config import load_config
from cloudfs.errors import CloudfsError
from cloudfs.options import WORDS


def complete_mountpoint(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Our mountpoints."""
    return [path for path in map(str, all_mountpoints()) if path.startswith(incomplete)]


def complete_source(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The remotes of the configuration, and the built-in one."""
    try:
        names = [*load_config().remotes, "local"]
    except CloudfsError:
        return []
    return [f"{name}:" for name in names if name.startswith(incomplete)]


def complete_remote(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the remotes of the configuration."""
    try:
        return [name for name in load_config().remotes if name.startswith(incomplete)]
    except CloudfsError:
        return []


def complete_options(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The mount option after the last comma."""
    before, comma, last = incomplete.rpartition(",")
    words = (f"{word.name}=" if word.value else word.name for word in WORDS)
    return [f"{before}{comma}{word}" for word in words if word.startswith(last)]
