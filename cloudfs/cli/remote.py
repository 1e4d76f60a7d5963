"""``cloudfs remote``: the remotes of the configuration."""

from __future__ import annotations

from collections.abc import Iterator

import click

from cloudfs.cli.complete import complete_remote
from cloudfs.cli.config_file import ConfigFile
from cloudfs.cli.mounts import all_mounts
from cloudfs.cli.program import Command, Example, Group, Manual
from cloudfs.cli.questions import Given, ask, ask_type, can_ask, parse_assignments, still_needed
from cloudfs.cli.render import columns, show_part
from cloudfs.cli.text import printable, show_duration
from cloudfs.config import Remote, load_config, remote_name
from cloudfs.daemon.privacy import keep_private
from cloudfs.errors import SignInRequired, UsageError
from cloudfs.quantities import show_size
from cloudfs.settings.kinds import Kind, StoreType, Value
from cloudfs.settings.secret import HIDDEN, Secret
from cloudfs.settings.types import STORE_TYPES

_MANUAL = Manual(
    examples=(
        Example("cloudfs remote add backup --type local --set directory=/srv/backup", "Add one"),
        Example("cloudfs remote list", "See which there are"),
        Example("cloudfs remote test backup", "See whether it works"),
    )
)


@click.group(cls=Group, manual=_MANUAL)
def command() -> None:
    """Add, show, test and remove remotes.

    Those are the accounts and places that can be mounted. They are in the configuration, a TOML file that can be
    edited as well.
    """


@command.command(
    cls=Command,
    manual=Manual(
        examples=(
            Example("cloudfs remote add backup", "Be asked for everything"),
            Example("cloudfs remote add disk --type local --set directory=/media/disk", "Say everything"),
        ),
        words_title="Types",
        words=[(kind.name, kind.summary) for kind in STORE_TYPES.values()],
    ),
)
@click.argument("name")
@click.option("--type", "type_", type=click.Choice([*STORE_TYPES]), metavar="TYPE", help="What kind of store it is.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting. May be given several times.")
@click.option("--no-test", is_flag=True, help="Save it without trying it.")
def add(name: str, type_: str | None, assignments: tuple[str, ...], no_test: bool) -> None:
    """Add the remote NAME to the configuration, if it works.

    On a terminal, what is missing is asked for. A secret on a command line can be seen by others: give `..._file=` or
    `..._command=` instead, or be asked for it.
    """
    remote_name(name)
    file = ConfigFile.read()
    if name in file.config().remotes:
        raise UsageError(f"there is a remote {name} in {file.path} already; cloudfs remote remove {name}")
    kind = STORE_TYPES[type_ or _asked_type()]
    changed, remote = file.with_remote(name, kind.name, _settings(name, kind, assignments))
    signed_in = no_test or _try_unless_new(remote)
    changed.write()
    click.echo(f"{name} is saved in {changed.path}")
    if not signed_in:
        click.echo(f"sign in with: cloudfs login {name}")
    click.echo(f"mount it with: cloudfs mount {name}: DIRECTORY")


@command.command(
    "list", cls=Command, manual=Manual(examples=(Example("cloudfs remote list", "See which remotes there are"),))
)
def list_() -> None:
    """List the remotes of the configuration."""
    config = load_config()
    if not config.remotes:
        click.echo("there are no remotes; add one with: cloudfs remote add NAME")
        return
    rows = [(name, remote.type, _where(remote)) for name, remote in config.remotes.items()]
    for line in columns([("NAME", "TYPE", "WHERE"), *rows]):
        click.echo(line)


@command.command(cls=Command, manual=Manual(examples=(Example("cloudfs remote show backup", "See its settings"),)))
@click.argument("name", shell_complete=complete_remote)
def show(name: str) -> None:
    """Show the settings of the remote NAME, but no secrets."""
    config = load_config()
    remote = config.remote(name)
    click.echo(f"[remote.{name}]  in {config.file}")
    for line in columns([("type", remote.type), *_shown(remote)]):
        click.echo(f"  {line}")


@command.command(cls=Command, manual=Manual(examples=(Example("cloudfs remote test backup", "See whether it works"),)))
@click.argument("name", shell_complete=complete_remote)
def test(name: str) -> None:
    """See whether the remote NAME works: sign in, and ask for the space that is used.

    Nothing is changed there.
    """
    click.echo(_try(load_config().remote(name)))


@command.command(
    cls=Command, manual=Manual(examples=(Example("cloudfs remote remove backup", "Forget how to get there"),))
)
@click.argument("name", shell_complete=complete_remote)
def remove(name: str) -> None:
    """Remove the remote NAME from the configuration.

    What is stored there stays there, and what is not stored yet stays on this machine. It must not be mounted.
    """
    mounted = [mount.mountpoint for mount in all_mounts() if mount.source.startswith(f"{name}:")]
    if mounted:
        raise UsageError(f"{name} is mounted on {mounted[0]}; cloudfs umount {mounted[0]}")
    changed = ConfigFile.read().without_remote(name)
    changed.write()
    click.echo(f"{name} is removed from {changed.path}")


def _asked_type() -> str:
    if not can_ask():
        raise UsageError(f"--type is missing; one of {', '.join(STORE_TYPES)}")
    return ask_type()


def _settings(name: str, kind: StoreType, assignments: tuple[str, ...]) -> Given:
    given = parse_assignments(kind, assignments)
    needed = still_needed(name, kind, given)
    if not can_ask():
        missing = " ".join(f"--set {setting.name}=..." for setting in needed if setting.required)
        if missing:
            raise UsageError(f"{name}: there is no terminal to ask for what is missing: {missing}")
        return given
    for setting in needed:
        given |= ask(setting)
    return given


def _try_unless_new(remote: Remote) -> bool:
    """Whether there is a sign-in, in which case it works too."""
    try:
        click.echo(_try(remote))
    except SignInRequired:
        if not remote.kind.needs_sign_in(remote.settings):
            raise
        return False
    return True


def _try(remote: Remote) -> str:
    from cloudfs.daemon.trial import try_remote  # it brings the event loop and the stores

    keep_private()
    usage = try_remote(remote)
    return f"{remote.name} works: {show_part(usage.used, usage.total)} used"


def _shown(remote: Remote) -> Iterator[tuple[str, str]]:
    """A command may have a secret in it, too."""
    for key, value in remote.settings.items():
        hidden = isinstance(value, Secret) or key.endswith("_command")
        yield key, HIDDEN if hidden else _readable(remote.kind.keys[key].kind, value)


def _readable(kind: Kind, value: Value) -> str:
    if kind is Kind.SIZE and isinstance(value, int):
        return show_size(value)
    return show_duration(value) if kind is Kind.DURATION and isinstance(value, float) else printable(str(value))


def _where(remote: Remote) -> str:
    """The first setting says it best."""
    return next((text for _, text in _shown(remote) if text != HIDDEN), "")
