from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cloudfs import __version__
from cloudfs.cli.complete import complete_mountpoint, complete_options, complete_source
from cloudfs.cli.main import cli
from cloudfs.cli.man import pages
from cloudfs.cli.program import Command, Group, every_command
from cloudfs.options import WORDS
from tests.cli.conftest import World

CONTEXT = click.Context(cli, info_name="cloudfs", **cli.context_settings)
NAMES = cli.list_commands(CONTEXT)
COMMANDS = {" ".join(words): command for words, command in every_command(cli)}


def called(line: list[str]) -> Command | Group:
    """The command of a command line."""
    return COMMANDS.get(" ".join(line[1:3])) or COMMANDS[line[1]]


def test_the_version() -> None:
    result = CliRunner().invoke(cli, ["--version"])
    assert (result.exit_code, result.output) == (0, f"cloudfs {__version__}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples(name: str) -> None:
    result = CliRunner().invoke(cli, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert "\nExamples:\n" in result.output
    for example in COMMANDS[name].manual.examples:
        assert example.command in result.output


def test_the_help_lists_every_command_in_whole_sentences() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    for name in NAMES:
        assert f"\n  {name} " in output
    assert "..." not in output.partition("Commands:")[2].partition("Examples:")[0]


@pytest.mark.parametrize("words", [(), ("remote",), ("serve",)])
def test_groups_alone_show_their_help(world: World, words: tuple[str, ...]) -> None:
    done = world.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "\nCommands:\n" in done.stderr
    assert not done.stderr.startswith("cloudfs:")


def test_the_help_of_mount_documents_every_option() -> None:
    output = CliRunner().invoke(cli, ["mount", "--help"]).output
    for word in WORDS:
        assert f"\n  {word.name}" in output


@pytest.mark.parametrize(
    "examples",
    [cli.manual.examples, *(command.manual.examples for command in COMMANDS.values())],
    ids=["cloudfs", *COMMANDS],
)
def test_the_options_in_examples_exist(examples: list[object]) -> None:
    for example in examples:
        line = str(example.command).split()  # type: ignore[attr-defined]
        if line[0] != "cloudfs":
            continue
        known = {option for parameter in called(line).params for option in parameter.opts}
        end = next((place for place, part in enumerate(line) if part in ("&&", "||", "|", ">", "--")), len(line))
        assert {part for part in line[:end] if part.startswith("-")} <= known


def test_what_starting_must_not_import() -> None:
    program = "import sys, cloudfs.cli.main; print({'trio', 'rich', 'pyfuse3', 'platformdirs'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "completion"])
def test_commands_need_no_event_loop(name: str) -> None:
    program = (
        "import sys, click; from cloudfs.cli.main import cli; "
        f"cli.get_command(click.Context(cli), {name!r}); print('trio' in sys.modules, 'rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.parametrize("order", ["flush", "retry"])
def test_orders_reach_every_daemon(world: World, order: str) -> None:
    for mountpoint in ("/mnt/a", "/mnt/b"):
        world.daemon(mountpoint, flush=[{"result": None}], retry=[{"result": None}])
    assert world.run(order).returncode == 0
    assert world.run(order, "/mnt/b").returncode == 0
    assert world.requests("/mnt/a") == [[order, {}]]
    assert world.requests("/mnt/b") == [[order, {}]] * 2


class TestCompletion:
    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_the_scripts_ask_this_program(self, shell: str) -> None:
        result = CliRunner().invoke(cli, ["completion", shell])
        assert result.exit_code == 0
        assert f"_CLOUDFS_COMPLETE={shell}_complete" in result.output

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_the_scripts_are_valid(self, shell: str) -> None:
        if shutil.which(shell) is None:
            pytest.skip(f"no {shell} here")
        script = CliRunner().invoke(cli, ["completion", shell]).output
        subprocess.run([shell, "-n"], input=script, text=True, timeout=60, check=True)

    def test_another_shell(self) -> None:
        result = CliRunner().invoke(cli, ["completion", "tcsh"])
        assert result.exit_code == 2

    def test_commands_are_completed(self, world: World) -> None:
        done = world.run(_CLOUDFS_COMPLETE="bash_complete", COMP_WORDS="cloudfs um", COMP_CWORD="1")
        assert done.stdout == "plain,umount\n"

    def test_mountpoints_are_completed(self, world: World) -> None:
        world.mount("/mnt/a")
        world.mount("/srv/b")
        environment = {"_CLOUDFS_COMPLETE": "bash_complete", "COMP_WORDS": "cloudfs umount /m", "COMP_CWORD": "2"}
        assert world.run(**environment).stdout == "plain,/mnt/a\n"

    def test_mount_options_are_completed_after_the_last_comma(self) -> None:
        assert complete_options(CONTEXT, CONTEXT.command.params[0], "ro,cache_s") == ["ro,cache_size="]
        assert complete_options(CONTEXT, CONTEXT.command.params[0], "allow") == ["allow_other"]

    def test_sources_are_completed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "config.toml").write_text('[remote.backup]\ntype = "local"\n')
        monkeypatch.setenv("CLOUDFS_CONFIG", str(tmp_path / "config.toml"))
        assert complete_source(CONTEXT, CONTEXT.command.params[0], "") == ["backup:", "local:"]
        (tmp_path / "config.toml").write_text("broken")
        assert complete_source(CONTEXT, CONTEXT.command.params[0], "") == []

    def test_no_mounts_no_completion(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLOUDFS_RUNTIME_DIR", str(tmp_path))
        assert complete_mountpoint(CONTEXT, CONTEXT.command.params[0], "/no/such") == []


class TestManPages:
    def test_there_is_one_for_every_command(self, tmp_path: Path) -> None:
        subprocess.run([sys.executable, "-m", "cloudfs.cli.man", tmp_path], timeout=60, check=True)
        expected = ["cloudfs.1", *(f"cloudfs-{name.replace(' ', '-')}.1" for name in COMMANDS)]
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted(expected)

    def test_they_document_every_option(self) -> None:
        contents = dict(pages())
        for name, command in COMMANDS.items():
            for parameter in command.params:
                if isinstance(parameter, click.Option) and not parameter.hidden:
                    page = contents[f"cloudfs-{name.replace(' ', '-')}.1"]
                    assert parameter.opts[-1].replace("-", "\\-") in page
        for word in WORDS:
            assert f".B {word.name}" in contents["cloudfs-mount.1"]

    @pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
    def test_groff_has_no_complaint(self) -> None:
        for name, content in pages():
            done = subprocess.run(
                ["groff", "-man", "-ww", "-z"], input=content, capture_output=True, text=True, timeout=60, check=True
            )
            assert done.stderr == "", name
