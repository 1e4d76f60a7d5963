"""``cloudfs login`` and ``cloudfs logout``"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cloudfs.cli.complete import complete_remote
from cloudfs.cli.mounts import all_mounts
from cloudfs.cli.program import Command, Example, Manual
from cloudfs.cli.render import columns, show_part
from cloudfs.config import load_config
from cloudfs.daemon.privacy import keep_private
from cloudfs.errors import CloudfsError, UsageError

if TYPE_CHECKING:
    from cloudfs.daemon.signing_in import DriveChoice

_LOGIN = Manual(
    examples=(
        Example("cloudfs login onedrive", "Sign in; a running mount goes on by itself"),
        Example("cloudfs login ubuntuone --token", "Take over the token of u1sync"),
        Example("cloudfs login onedrive --drives", "See which drives the account can use"),
        Example("cloudfs login onedrive --drive 'b!x1Y2'", "Use another one of them from the next mount on"),
    )
)
_LOGOUT = Manual(examples=(Example("cloudfs logout onedrive", "Forget the sign-in of the remote"),))


class _Terminal:
    """A `Person`. What is pasted is shown: it is good for one use, and only together with what we keep to ourselves."""

    def tell(self, text: str) -> None:
        click.echo(text)

    def ask(self, question: str, *, secret: bool = False) -> str:
        try:
            # Without a terminal it is a script that answers, and there is nothing to hide.
            return str(click.prompt(question, prompt_suffix=": ", hide_input=secret and sys.stdin.isatty()))
        except click.Abort:
            raise UsageError("there was no answer, so nobody is signed in") from None


@click.command(cls=Command, manual=_LOGIN)
@click.argument("name", shell_complete=complete_remote)
@click.option(
    "--device/--browser", default=None, help="Type a code into a page; or paste an address. One of them works."
)
@click.option("--token", is_flag=True, help="Ubuntu One: paste TOKEN:SECRET, as u1sync --oauth took it.")
@click.option("--drives", "list_drives", is_flag=True, help="Only list the drives of the account that is signed in.")
@click.option("--drive", metavar="ID", help="Use this drive. Signed in already, nothing else changes.")
def login(name: str, device: bool | None, token: bool, list_drives: bool, drive: str | None) -> None:
    """Sign in to the remote NAME.

    No screen is needed on this machine: the page can be opened anywhere. What comes of it is kept in a file that only
    its owner can read. A mount whose sign-in had ended goes on by itself, with everything that was written meanwhile.
    """
    from cloudfs.daemon import signing_in  # it brings the event loop and the stores

    remote = load_config().remote(name)
    if list_drives:
        _show_drives(signing_in.known_drives(remote))
        return
    if drive is None or not signing_in.is_signed_in(remote):
        keep_private()
        who = signing_in.sign_in(remote, _Terminal(), signing_in.Wish(device, token))
        click.echo(f"signed in to {name}{f' as {who}' if who else ''}")
        _tell_mounts(name)
    if drive is not None:
        chosen = signing_in.choose_drive(remote, drive)
        click.echo(f"{name} uses the drive {chosen.name or chosen.id} ({chosen.kind}) from the next mount on")


@click.command(cls=Command, manual=_LOGOUT)
@click.argument("name", shell_complete=complete_remote)
def logout(name: str) -> None:
    """Forget the sign-in of the remote NAME.

    Mounts of it go on with what they know; what is not stored yet waits for the next sign-in.
    """
    from cloudfs.daemon import signing_in

    signing_in.sign_out(load_config().remote(name))
    click.echo(f"signed out of {name}")


def _show_drives(drives: Sequence[DriveChoice]) -> None:
    rows = [(each.id, each.kind, each.name, each.place, show_part(each.used, each.total)) for each in drives]
    for line in columns([("ID", "KIND", "NAME", "WHERE", "USED"), *rows]):
        click.echo(line)


def _tell_mounts(name: str) -> None:
    """Those that wait for the sign-in need not wait any longer."""
    for mount in all_mounts():
        if mount.source.startswith(f"{name}:"):
            with contextlib.suppress(CloudfsError):
                mount.client.call("retry")
                click.echo(f"{mount.mountpoint} goes on")
