"""Man pages from the command tree: ``python -m cloudfs.cli.man DIRECTORY`` writes one for each command."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from cloudfs import __version__
from cloudfs.cli.main import cli
from cloudfs.cli.program import Command, Group, Manual, Program, every_command
from cloudfs.config import SITE_FILE

_FILES = (
    ("$CLOUDFS_CONFIG, ~/.config/cloudfs/config.toml, " + str(SITE_FILE), "The configuration: the first that exists."),
    ("~/.local/state/cloudfs, or /var/lib/cloudfs for root", "What is not stored yet, and the log. Never delete it."),
    ("~/.cache/cloudfs, or /var/cache/cloudfs for root", "Cached contents. May be deleted at any time."),
)
_ESCAPES = str.maketrans({"\\": "\\e", "-": "\\-", "~": "\\(ti", "^": "\\(ha", '"': "\\(dq"})


def pages() -> Iterator[tuple[str, str]]:
    """File name and content of every page, in the language of man(7)."""
    root = click.Context(cli, info_name="cloudfs", **cli.context_settings)
    yield "cloudfs.1", _page(cli, cli.manual, root, _commands((), _first(root)))
    for words, command in every_command(cli):
        context = root
        for word in words:
            context = click.Context(command, info_name=word, parent=context)
        inner = command.commands if isinstance(command, Group) else {}
        yield f"{'-'.join(('cloudfs', *words))}.1", _page(command, command.manual, context, _commands(words, inner))


def _page(command: Command | Group | Program, manual: Manual, context: click.Context, commands: Iterable[str]) -> str:
    title = context.command_path.replace(" ", "-")
    summary, _, description = (command.help or "").partition("\n")
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{title.upper()}" "1" "" "cloudfs {__version__}" "User Commands"',
        *_section("NAME", [f"{_text(title)} \\- {_text(summary.rstrip('.'))}"]),
        *_section("SYNOPSIS", [f".B {_text(context.command_path)}", _text(usage)]),
        *_section("DESCRIPTION", [_text(summary), ".PP", *_paragraphs(description)]),
        *_section("COMMANDS", commands),
        *_section("OPTIONS", _definitions(_options(command, context))),
        *_section(manual.words_title.upper(), _definitions(manual.words)),
        *_section("EXIT STATUS", _definitions(manual.statuses)),
        *_section("FILES", _definitions(_FILES)),
        *_section("EXAMPLES", _examples(manual)),
        *_section("SEE ALSO", [_see_also(title)]),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    content = list(lines)
    return [f'.SH "{_text(title)}"', *content] if content else []


def _first(root: click.Context) -> dict[str, click.Command]:
    found = ((name, cli.get_command(root, name)) for name in cli.list_commands(root))
    return {name: command for name, command in found if command}


def _commands(words: Sequence[str], commands: Mapping[str, click.Command]) -> list[str]:
    names = {"-".join(("cloudfs", *words, name)): command for name, command in commands.items()}
    return _definitions((f"{name}(1)", _summary(command)) for name, command in names.items())


def _summary(command: click.Command) -> str:
    return (command.help or "").partition("\n")[0]


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    options = (parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option))
    yield from (record for record in (option.get_help_record(context) for option in options) if record)


def _definitions(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [line for term, meaning in pairs for line in (".TP", f".B {_text(term)}", _text(meaning))]


def _paragraphs(text: str) -> list[str]:
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    return [line for paragraph in paragraphs if paragraph for line in (_text(paragraph), ".PP")][:-1]


def _examples(manual: Manual) -> list[str]:
    return [
        line
        for example in manual.examples
        for line in (".PP", f"{_text(example.purpose)}:", ".PP", ".RS", ".nf", _text(example.command), ".fi", ".RE")
    ]


def _see_also(title: str) -> str:
    names = ["cloudfs", *(f"cloudfs-{name}" for name in cli.places)]
    return ", ".join([*(f"{_text(name)}(1)" for name in names if name != title), "mount(8)", "fstab(5)"])


def _text(text: str) -> str:
    """``text`` as it is: no character of it means anything to roff."""
    escaped = text.translate(_ESCAPES)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main() -> None:
    """Write all pages into the directory named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m cloudfs.cli.man DIRECTORY")
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in pages():
        (directory / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
