"""``cloudfs serve``: what other programs may ask of us."""

from __future__ import annotations

import ipaddress

import click

from cloudfs.cli.complete import complete_remote
from cloudfs.cli.program import Command, Example, Group, Manual, complain
from cloudfs.config import load_config
from cloudfs.errors import UsageError
from cloudfs.logs import log_to_terminal

_LOOPBACK = "127.0.0.1"
_PORT = 8095
_TYPE = "hubic"


@click.group(
    cls=Group,
    manual=Manual(
        examples=(Example("cloudfs serve swift-auth hubic", "Let any Swift client of this machine into the account"),)
    ),
)
def command() -> None:
    """Let other programs use what a remote is signed in to."""


@command.command(
    "swift-auth",
    cls=Command,
    manual=Manual(
        examples=(
            Example("cloudfs serve swift-auth hubic", f"Answer on http://{_LOOPBACK}:{_PORT}/auth/v1.0"),
            Example(
                f"swift -A http://{_LOOPBACK}:{_PORT}/auth/v1.0 -U hubic -K PASSWORD list default",
                "Use it with python-swiftclient",
            ),
        )
    ),
)
@click.argument("name", shell_complete=complete_remote)
@click.option("--listen", "host", metavar="ADDRESS", default=_LOOPBACK, help=f"Where to listen (default: {_LOOPBACK}).")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, help=f"Which port (default: {_PORT}); 0: any.")
@click.option("--user", help="The user name to expect (default: NAME).")
@click.option("--debug", is_flag=True, help="Tell more on standard error.")
def swift_auth(name: str, host: str, port: int, user: str | None, debug: bool) -> None:
    """Answer Swift v1 sign-ins, for other programs.

    It does so with the stored sign-in of the remote NAME, which is of type hubic. Duplicity,
    python-swiftclient, rclone and any other Swift client then use the same account. They need the password that
    `serve_password` of the remote says, as a setting or wherever secrets may be. Only the sign-in passes through here;
    it stops at SIGTERM or SIGINT.
    """
    remote = load_config().remote(name)
    if remote.type != _TYPE:
        raise UsageError(f"{name} is of type {remote.type}; this is for type {_TYPE}, whose sign-in others do not know")
    from cloudfs.auth.secrets import require_secret  # they bring the event loop and the stores
    from cloudfs.daemon.swift_auth import Gate, serve_swift_auth

    gate = Gate(host, port, user or name, require_secret(remote, "serve_password"))
    if not _is_loopback(host):
        complain(f"passwords and tokens will pass {host} in clear, for everybody on the way to read")
    log_to_terminal(debug)
    serve_swift_auth(remote, gate, lambda address: click.echo(f"{gate.user} signs in at {address}"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
