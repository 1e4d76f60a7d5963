from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import World


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "srv").mkdir()
    return tmp_path / "srv"


def add(world: World, name: str, *arguments: str) -> tuple[int, str, str]:
    done = world.run("remote", "add", name, *arguments)
    return done.returncode, done.stdout, done.stderr


def test_a_life(world: World, directory: Path) -> None:
    status, printed, _ = add(world, "backup", "--type", "local", "--set", f"directory={directory}")
    assert status == 0
    assert "backup works: " in printed
    assert f"saved in {world.home}/config.toml" in printed
    assert "cloudfs mount backup: DIRECTORY" in printed

    lines = world.run("remote", "list").stdout.splitlines()
    assert [line.split() for line in lines] == [["NAME", "TYPE", "WHERE"], ["backup", "local", str(directory)]]
    shown = world.run("remote", "show", "backup").stdout
    assert "type       local\n" in shown
    assert f"directory  {directory}\n" in shown
    assert world.run("remote", "test", "backup").stdout.startswith("backup works: ")

    assert world.run("remote", "remove", "backup").returncode == 0
    assert world.run("remote", "list").stdout == "there are no remotes; add one with: cloudfs remote add NAME\n"


def test_what_does_not_work_is_not_saved(world: World, directory: Path) -> None:
    settings = ("--type", "local", "--set", f"directory={directory}/none")
    status, _, complaint = add(world, "backup", *settings)
    assert (status, f"there is no directory {directory}/none" in complaint) == (1, True)
    assert (world.home / "config.toml").read_text() == ""
    assert add(world, "backup", *settings, "--no-test")[0] == 0
    failed = world.run("remote", "test", "backup")
    assert (failed.returncode, "there is no directory" in failed.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a:b", "--type", "local"], "a:b: a name has letters"),
        (["local", "--type", "local"], "local: this name is built in"),
        (["a"], "--type is missing; one of local"),
        (["a", "--type", "local", "--set", "directory"], "--set directory: a value is missing"),
        (["a", "--type", "local", "--set", "directory=srv"], "--set directory: the directory must be absolute"),
        (["a", "--type", "local", "--set", "dir=/"], "type local has no such setting; it has directory"),
    ],
)
def test_mistakes(world: World, arguments: list[str], complaint: str) -> None:
    name, *others = arguments
    status, printed, said = add(world, name, *others)
    assert (status, printed, complaint in said) == (1, "", True)
    assert (world.home / "config.toml").read_text() == ""


def test_a_second_one_of_that_name(world: World, directory: Path) -> None:
    settings = ("--type", "local", "--set", f"directory={directory}")
    assert add(world, "backup", *settings)[0] == 0
    assert "there is a remote backup in" in add(world, "backup", *settings)[2]


@pytest.mark.parametrize("command", ["show", "test"])
def test_one_that_there_is_not(world: World, command: str) -> None:
    done = world.run("remote", command, "backup")
    assert (done.returncode, "there is no remote backup" in done.stderr) == (1, True)


def test_one_that_is_mounted_is_not_removed(world: World, directory: Path) -> None:
    add(world, "backup", "--type", "local", "--set", f"directory={directory}")
    world.daemon("/mnt/backup", "backup:photos")
    done = world.run("remote", "remove", "backup")
    assert (done.returncode, "backup is mounted on /mnt/backup; cloudfs umount /mnt/backup" in done.stderr) == (1, True)
    assert "backup" in world.run("remote", "list").stdout


def test_names_are_completed(world: World, directory: Path) -> None:
    add(world, "backup", "--type", "local", "--set", f"directory={directory}")
    words = {"_CLOUDFS_COMPLETE": "bash_complete", "COMP_WORDS": "cloudfs remote show b", "COMP_CWORD": "3"}
    assert world.run(**words).stdout == "plain,backup\n"


def test_an_unknown_command_of_the_group(world: World) -> None:
    done = world.run("remote", "lst")
    assert (done.returncode, "there is no command lst; did you mean list?" in done.stderr) == (2, True)
