"""The ``cloudfs`` command."""

from __future__ import annotations

import sys

import click

from cloudfs import __version__
from cloudfs.cli.invocation import rewrite
from cloudfs.cli.program import Example, Manual, Program

_COMMANDS = {
    "mount": "cloudfs.cli.mount:command",
    "umount": "cloudfs.cli.umount:command",
    "status": "cloudfs.cli.status:command",
    "pending": "cloudfs.cli.pending:command",
    "wait": "cloudfs.cli.wait:command",
    "check": "cloudfs.cli.check:command",
    "flush": "cloudfs.cli.uploads:flush",
    "retry": "cloudfs.cli.uploads:retry",
    "run": "cloudfs.cli.run:command",
    "verify": "cloudfs.cli.verify:command",
    "usage": "cloudfs.cli.usage:command",
    "prune": "cloudfs.cli.prune:command",
    "remote": "cloudfs.cli.remote:command",
    "login": "cloudfs.cli.login:login",
    "logout": "cloudfs.cli.login:logout",
    "serve": "cloudfs.cli.serve:command",
    "completion": "cloudfs.cli.completion:command",
}

_MANUAL = Manual(
    examples=(
        Example("cloudfs mount local:/srv/backup /mnt/backup", "Mount a directory of this machine"),
        Example("tar -xpf photos.tar -C /mnt/backup && cloudfs wait /mnt/backup", "Restore into it, and wait"),
        Example("cloudfs umount /mnt/backup", "Unmount it"),
        Example(
            "backup:photos  /mnt/photos  fuse.cloudfs  noauto,user,_netdev  0  0",
            "Let mount(8) do it, with a line of /etc/fstab",
        ),
    ),
)


@click.group(
    cls=Program,
    places=_COMMANDS,
    manual=_MANUAL,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="cloudfs %(version)s")
def cli() -> None:
    """Mount cloud storage as a real file system, whose files are plain files in your cloud.

    `cloudfs SOURCE MOUNTPOINT -o OPTIONS` is short for `cloudfs mount`.
    """


def main() -> None:
    """What the operating system runs, under any of the names in `cloudfs.cli.invocation`."""
    cli.main(args=rewrite(sys.argv, _COMMANDS), prog_name="cloudfs")
