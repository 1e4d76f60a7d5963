"""``cloudfs flush`` and ``cloudfs retry``"""

from __future__ import annotations

from pathlib import Path

import click

from cloudfs.cli.complete import complete_mountpoint
from cloudfs.cli.mounts import Mount, all_mounts, ask_each, find_mount
from cloudfs.cli.program import Command, Example, Manual

_MOUNTPOINT = click.argument(
    "mountpoint", type=click.Path(path_type=Path), required=False, shell_complete=complete_mountpoint
)
_FLUSH = Manual(examples=(Example("cloudfs flush /mnt/backup && cloudfs wait /mnt/backup", "Upload now, and wait"),))
_RETRY = Manual(examples=(Example("cloudfs retry /mnt/backup", "Try again after making room at the provider"),))


@click.command("flush", cls=Command, manual=_FLUSH)
@_MOUNTPOINT
def flush(mountpoint: Path | None) -> int:
    """Start uploads that wait for their time.

    Of one mount, or of all mounts of this user.
    """
    return _tell("flush", mountpoint)


@click.command("retry", cls=Command, manual=_RETRY)
@_MOUNTPOINT
def retry(mountpoint: Path | None) -> int:
    """Take up again what is parked.

    Of one mount, or of all mounts of this user.
    """
    return _tell("retry", mountpoint)


def _tell(order: str, mountpoint: Path | None) -> int:
    def tell(mount: Mount) -> None:
        mount.client.call(order)

    if mountpoint:
        tell(find_mount(mountpoint))
        return 0
    _, status = ask_each(all_mounts(), tell)
    return status
