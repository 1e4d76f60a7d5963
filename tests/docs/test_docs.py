"""The documentation speaks of what exists: commands, options, configuration, and the tests that hold a promise."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from cloudfs.cli.invocation import rewrite
from cloudfs.cli.main import cli
from cloudfs.cli.program import Group, every_command
from cloudfs.config import load_config
from cloudfs.options import WORDS, parse_options
from cloudfs.settings.kinds import StoreType
from cloudfs.settings.reference import table
from cloudfs.settings.types import STORE_TYPES
from tests.docs.test_links import ROOT, pages

DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)+)`")
CALL = re.compile(r"(?:^|\$ |[&|;] |[`=] ?)(?:sudo )?(?:/\S*/)?(cloudfs (?:[^`|&;)#\n]|\\\n)+)", re.MULTILINE)
OPTION = re.compile(r"`(-[\w-]+)`")
ROOT_COMMAND = click.Context(cli, info_name="cloudfs")
COMMANDS = {" ".join(words): command for words, command in every_command(cli)}


def read(name: str) -> str:
    return (DOCS / name).read_text()


def blocks(page: Path, *languages: str) -> Iterator[str]:
    yield from (text for language, text in BLOCK.findall(page.read_text()) if language in languages)


def section(text: str, heading: str) -> str:
    """What stands below a heading, down to the next of its level or above."""
    level = heading.split(" ")[0]
    match = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"no {heading}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """The cells of every row of every table, without heads."""
    tables = re.findall(r"^\|[^\n]*\|\n\|[-:| ]+\|\n((?:\|.*\|\n?)+)", text, re.MULTILINE)
    lines = (line for table in tables for line in table.strip().split("\n"))
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def first_words(text: str) -> set[str]:
    """The names in the first columns of tables, without their values."""
    return {re.split(r"[=` ]", row[0].strip("`"))[0] for row in rows(text)}


def options_of(command: click.Command) -> set[str]:
    """Of a group: those of all its commands."""
    options = (each for each in command.params if isinstance(each, click.Option) and not each.hidden)
    inner = command.commands.values() if isinstance(command, Group) else ()
    return {word for option in options for word in (*option.opts, *option.secondary_opts)}.union(
        *map(options_of, inner)
    )


# --- commands ----------------------------------------------------------------------------------------------------


def calls(page: Path) -> list[str]:
    """Every command line of ours in a page: in blocks, and in code between the words."""
    text = page.read_text()
    prose = BLOCK.sub("", text)
    code = [*blocks(page, "sh", "console", "ini"), *(f"`{inline}`" for inline in re.findall(r"`([^`\n]+)`", prose))]
    return [" ".join(call.split()) for part in code for call in CALL.findall(part)]


def complaint(call: str) -> str:
    """What is wrong with a command line, '' if nothing is."""
    words = shlex.split(re.sub(r"\[|\]|…|\.\.\.", "", re.sub(r"\s[>$\\].*", "", call)))
    words = rewrite(words, cli.places)
    name = words[0] if words else "--help"
    if name.startswith("-"):
        return "" if {name} <= options_of(cli) | {"--help", "-h"} else f"no option {name}"
    command = cli.get_command(ROOT_COMMAND, name) if name.islower() else None
    if command is None:
        return "" if name.isupper() else f"no command {name}"
    if isinstance(command, Group) and len(words) > 1 and not words[1].startswith("-"):
        name = " ".join(words[:2])
        if words[1] not in command.commands:
            return f"no command {name}"
        command = command.commands[words[1]]
    wrong = {word.partition("=")[0] for word in words[1:] if word.startswith("-")} - options_of(command)
    return f"{name} has no option {wrong}" if wrong - {"--help", "-h"} else ""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_their_options_exist(page: Path) -> None:
    assert {call: wrong for call in calls(page) if (wrong := complaint(call))} == {}


def test_wrong_commands_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`cloudfs wait --forever x`\n```sh\nsudo cloudfs mout x && cloudfs local:/a /b --lazy\ncloudfs -V\n```\n"
    )
    assert [complaint(call) for call in calls(page)] == [
        "no command mout",
        "mount has no option {'--lazy'}",
        "",
        "wait has no option {'--forever'}",
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_has_every_option_of_a_command(name: str) -> None:
    command = COMMANDS[name]
    described = section(read("reference/commands.md"), f"##{'#' * name.count(' ')} cloudfs {name}")
    documented = {option for row in rows(described) for option in OPTION.findall(row[0])}
    assert documented == options_of(command)


def test_the_reference_has_every_command() -> None:
    headings = re.findall(r"^## cloudfs (\w+)$", read("reference/commands.md"), re.MULTILINE)
    assert headings == list(cli.places)


# --- options and configuration -----------------------------------------------------------------------------------


def test_the_reference_has_every_mount_option() -> None:
    page = read("reference/options.md")
    documented = first_words(section(page, "## Its own")) | first_words(section(page, "## Known from mount(8)"))
    assert documented == {word.name for word in WORDS}


def test_what_the_reference_calls_accepted_is_accepted() -> None:
    text = section(read("reference/options.md"), "## Accepted, without a meaning here")
    words = re.findall(r"`([a-z_]+=?)`", text.partition("Bare")[0])
    assert len(words) > 10
    for word in words:
        parse_options(f"{word}value" if word.endswith("=") else word)


def mount_options(page: Path) -> Iterator[str]:
    """What stands after ``-o``, and in the fourth field of lines of fstab."""
    yield from (word for call in calls(page) for word in re.findall(r" -o ([a-z_]\S*)", call))
    lines = [line.split() for block in blocks(page, "fstab") for line in block.splitlines()]
    yield from (fields[3] for fields in lines if len(fields) == 6 and not fields[0].startswith("#"))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_mount_options_are_known(page: Path) -> None:
    for options in mount_options(page):
        parse_options(options)


def test_lines_of_fstab_are_found() -> None:
    assert len(list(mount_options(DOCS / "how-to/fstab.md"))) == 4


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_configurations_are_valid(page: Path, tmp_path: Path) -> None:
    for text in blocks(page, "toml"):
        (tmp_path / "config.toml").write_text(text)
        assert load_config(tmp_path / "config.toml").remotes


@pytest.mark.parametrize("kind", STORE_TYPES.values(), ids=STORE_TYPES)
def test_the_reference_has_every_setting(kind: StoreType) -> None:
    """`python -m cloudfs.settings.reference` prints what belongs there."""
    described = section(read("reference/configuration.md"), f'### type = "{kind.name}"')
    assert "\n".join(table(kind)) in described


def test_environment_variables_are_read_somewhere() -> None:
    source = "".join(file.read_text() for file in (ROOT / "cloudfs").rglob("*.py"))
    for name in re.findall(r"`(CLOUDFS_\w+)`", read("reference/configuration.md")):
        assert f'"{name}"' in source


def test_the_reference_has_every_field_of_the_status() -> None:
    source = ast.parse((ROOT / "cloudfs/daemon/status.py").read_text())
    functions = (each for each in ast.walk(source) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    snapshot = next(each for each in functions if each.name == "snapshot")
    answer = next(each.value for each in ast.walk(snapshot) if isinstance(each, ast.Return))
    assert isinstance(answer, ast.Dict)
    fields = {key.value for key in answer.keys if isinstance(key, ast.Constant)}
    table = rows(section(read("reference/commands.md"), "### status as JSON"))
    assert {name for row in table for name in re.findall(r"`(\w+)`", row[0])} == fields


# --- promises ----------------------------------------------------------------------------------------------------


@cache
def names_in(file: str) -> set[str]:
    """``::test_name`` and ``::TestClass::test_name`` of a file of tests."""
    path = ROOT / file
    return set(_names(ast.parse(path.read_text()).body, "")) if path.exists() else set()


def _names(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for each in body:
        if isinstance(each, ast.ClassDef):
            yield from _names(each.body, f"{prefix}::{each.name}")
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}::{each.name}"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_hold_a_statement_exist(page: Path) -> None:
    assert [f"{file}{name}" for file, name in TEST.findall(page.read_text()) if name not in names_in(file)] == []


def test_every_promise_names_its_test() -> None:
    promised = [row for row in rows(read("reference/semantics.md")) if len(row) >= 3]
    assert len(promised) > 40
    assert [row[0] for row in promised if not TEST.search(row[-1]) and not row[-1].startswith("no test yet")] == []


# --- pages -------------------------------------------------------------------------------------------------------


def test_every_page_can_be_found_from_the_first_one() -> None:
    contents = read("README.md")
    missing = [page for page in DOCS.glob("*/*.md") if str(page.relative_to(DOCS)) not in contents]
    assert missing == []


def test_decisions_are_numbered_and_listed() -> None:
    listed = re.findall(
        r"^\| \[(\d{4})\]\((\d{4}-[\w-]+\.md)\) \| (.+) \|$", read("explanation/decisions/README.md"), re.M
    )
    files = sorted((DOCS / "explanation/decisions").glob("[0-9]*.md"))
    assert [name for _, name, _ in listed] == [file.name for file in files]
    assert [int(number) for number, _, _ in listed] == list(range(1, len(files) + 1))
    titles = [file.read_text().partition("\n")[0] for file in files]
    assert titles == [f"# {number}: {title}" for number, _, title in listed]
