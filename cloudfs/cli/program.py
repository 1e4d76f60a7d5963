"""The command tree's own kinds of click objects: examples in every help, one-line errors, commands loaded when used."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from cloudfs.cli.text import printable
from cloudfs.errors import CloudfsError

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Example:
    """A command line somebody can type, and what it is for."""

    command: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Manual:
    """What help and man page tell of a command besides its options.

    ``statuses`` explains exit statuses, for commands that have more than the usual ones; ``words`` documents what can
    be given to an option, as (word, meaning).
    """

    examples: Sequence[Example]
    statuses: Sequence[tuple[str, str]] = (("0", "success"), ("1", "failure"), ("2", "wrong usage"))
    words_title: str = ""
    words: Sequence[tuple[str, str]] = ()


class Command(click.Command):
    """A command with a `Manual`."""

    def __init__(self, *arguments: Any, manual: Manual, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.manual = manual

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_manual(self.manual, formatter)


class Group(click.Group):
    """Commands that belong together, called as ``cloudfs GROUP COMMAND``."""

    def __init__(self, *arguments: Any, manual: Manual, **keywords: Any) -> None:
        super().__init__(*arguments, **{"no_args_is_help": False, **keywords})
        self.manual = manual

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _help_alone(self, ctx, args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        _refuse_unknown(ctx, args[0], self.commands)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_manual(self.manual, formatter)


class Program(click.Group):
    """The group of all commands, each in a module of its own that is imported when it is needed.

    ``places`` says where each command is, as ``module:attribute``.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, str], manual: Manual, **keywords: Any) -> None:
        super().__init__(*arguments, **{"no_args_is_help": False, **keywords})
        self.places = places
        self.manual = manual

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _help_alone(self, ctx, args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            return None
        module, _, attribute = self.places[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        _refuse_unknown(ctx, args[0], self.places)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_manual(self.manual, formatter)

    def main(self, *arguments: Any, **keywords: Any) -> Any:
        """Run a command line. What goes wrong becomes one line on standard error and an exit status."""
        if keywords.get("standalone_mode", True):
            sys.exit(self._guarded(*arguments, **keywords))
        return super().main(*arguments, **keywords)

    def _guarded(self, *arguments: Any, **keywords: Any) -> int:
        try:
            # A reader that has gone ends this with exit status 1 and no word: click sees to that.
            status = super().main(*arguments, **{**keywords, "standalone_mode": False})
            return status if isinstance(status, int) else 0
        except click.Abort:
            return INTERRUPTED
        except click.UsageError as error:
            more = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
            complain(f"{error.format_message().rstrip('.')}{more}")
            return error.exit_code
        except click.ClickException as error:
            complain(error.format_message())
            return error.exit_code
        except CloudfsError as error:
            complain(str(error))
        except OSError as error:
            complain(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
        return 1


def complain(message: str) -> None:
    """One line on standard error."""
    click.echo(f"cloudfs: {printable(' '.join(message.split()))}", err=True)


def every_command(program: Program) -> Iterator[tuple[tuple[str, ...], Command | Group]]:
    """All commands as the words that call them, a group before its commands."""
    root = click.Context(program)
    for name in program.list_commands(root):
        command = program.get_command(root, name)
        assert isinstance(command, Command | Group), "every command has a manual"
        yield (name,), command
        inner = command.commands.items() if isinstance(command, Group) else ()
        for last, each in inner:
            assert isinstance(each, Command), "groups hold commands that have a manual"
            yield (name, last), each


def _help_alone(group: click.Group, ctx: click.Context, args: list[str]) -> None:
    """Who calls nothing but a group gets its help as it is, and not as a complaint in one line."""
    if not args and not group.invoke_without_command and not ctx.resilient_parsing:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)


def _refuse_unknown(ctx: click.Context, name: str, known: Collection[str]) -> None:
    if name in known or name.startswith("-"):
        return
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    hint = f"a source is NAME:PATH, such as local:{name}" if "/" in name else f"did you mean {near}?"
    ctx.fail(f"there is no command {name}; {hint}")


def _write_manual(manual: Manual, formatter: click.HelpFormatter) -> None:
    if manual.words:
        with formatter.section(manual.words_title):
            formatter.write_dl(manual.words)
    with formatter.section("Examples"):
        for example in manual.examples:
            formatter.write_text(f"{example.purpose}:")
            formatter.write(f"{'':{formatter.current_indent + 2}}{example.command}\n")
    if len(manual.statuses) > 3:
        with formatter.section("Exit status"):
            formatter.write_dl(manual.statuses)
