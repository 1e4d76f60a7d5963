from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import World

SHOW = (
    "print(request.source.text, request.mountpoint, request.options.uploads, request.options.read_only, flush=True)\n"
    "ready()"
)


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "store").mkdir()
    return f"local:{tmp_path}/store"


@pytest.fixture
def mountpoint(tmp_path: Path) -> str:
    (tmp_path / "mnt").mkdir()
    return f"{tmp_path}/mnt"


@pytest.fixture
def directories(tmp_path: Path) -> str:
    return f"state_dir={tmp_path}/state,cache_dir={tmp_path}/cache"


@pytest.mark.parametrize(
    "line",
    [
        "mount {0} {1} -o {2},uploads=3,ro",
        "mount -o {2} -o uploads=3,ro {0} {1}",
        "mount -r {0} {1} -o {2},uploads=3",
        "{0} {1} -o {2},uploads=3,ro",
        "-o ro,uploads=3,{2} {0} {1}",
        "cloudfs#{0} {1} -n -v -o {2},uploads=3,ro,_netdev,x-systemd.automount,user,noexec,nosuid,nodev",
        "-s {0} {1} -o {2},uploads=3,ro,nobody_knows_this",
    ],
)
def test_every_way_to_mount(world: World, source: str, mountpoint: str, directories: str, line: str) -> None:
    arguments = line.format(source, mountpoint, directories).split()
    done = world.run(*arguments, "--foreground", FAKE_SERVE=SHOW)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{source} {mountpoint} 3 True\n"


def test_the_background_is_ready_when_the_command_returns(
    world: World, source: str, mountpoint: str, directories: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    done = world.run(
        *("mount", source, mountpoint, "-o", directories),
        FAKE_SERVE=f"{SHOW}\nopen({str(tmp_path / 'go')!r}).read()",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    with open(tmp_path / "go", "w"):
        assert (tmp_path / "state" / "cloudfs.log").read_text() == f"{source} {mountpoint} 8 False\n"


@pytest.mark.parametrize("flags", [[], ["--foreground"]])
def test_what_the_daemon_complains_of_is_said(
    world: World, source: str, mountpoint: str, directories: str, flags: list[str]
) -> None:
    serve = "from cloudfs.errors import StateInUse\nraise StateInUse('another process has it')"
    done = world.run("mount", source, mountpoint, "-o", directories, *flags, FAKE_SERVE=serve)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "cloudfs: another process has it\n")


def test_a_daemon_that_dies_at_once(world: World, source: str, mountpoint: str, directories: str) -> None:
    done = world.run("mount", source, mountpoint, "-o", directories, FAKE_SERVE="os._exit(3)")
    assert done.returncode == 1
    assert done.stderr.startswith("cloudfs: the daemon ended with status 3 before the mount was usable; its log is /")


def test_fake_mounts_nothing(world: World, source: str, mountpoint: str) -> None:
    assert world.run("mount", "--fake", source, mountpoint, FAKE_SERVE="os._exit(3)").returncode == 0


def test_without_the_fuse_library(world: World, source: str, mountpoint: str, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'cloudfs.daemon.mount':\n"
        "            raise ImportError('libfuse3.so.3: cannot open shared object file')\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    done = world.run("mount", source, mountpoint, PYTHONPATH=f"{tmp_path}/broken:{os.getcwd()}")
    assert done.returncode == 1
    assert "apt install fuse3 libfuse3-dev pkg-config gcc" in done.stderr
    assert "pip install pyfuse3" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["mount"], 2, "Missing argument 'SOURCE' (see cloudfs mount --help)"),
        (["mount", "{source}"], 2, "Missing argument 'MOUNTPOINT' (see cloudfs mount --help)"),
        (["mount", "{source}", "{mnt}", "-o", "upload=3"], 1, "unknown option upload; did you mean uploads?"),
        (["mount", "nosuch:", "{mnt}"], 1, "there is no remote nosuch in {config}; did you mean local?"),
        (["mount", "local:/no/such", "{mnt}"], 1, "local:/no/such: there is no directory /no/such; create it with: "),
        (["mount", "{source}", "{mnt}/no"], 1, "there is no directory {mnt}/no; create it with: mkdir -p {mnt}/no"),
        (["moun", "{source}", "{mnt}"], 2, "there is no command moun; did you mean mount?"),
        (["{mnt}", "{mnt}"], 2, "there is no command {mnt}; a source is NAME:PATH, such as local:{mnt}"),
    ],
)
def test_mistakes(world: World, source: str, mountpoint: str, arguments: list[str], status: int, message: str) -> None:
    names = {"source": source, "mnt": mountpoint, "config": world.environment["CLOUDFS_CONFIG"]}
    done = world.run(*(argument.format(**names) for argument in arguments), FAKE_SERVE=SHOW)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith(f"cloudfs: {message.format(**names)}")
    assert done.stderr.count("\n") == 1


def test_a_live_mount_there_already(world: World, source: str, mountpoint: str) -> None:
    world.mount(mountpoint)
    done = world.run("mount", source, mountpoint, FAKE_SERVE=SHOW)
    assert done.returncode == 1
    assert "is mounted already, with backup:photos; unmount it with: cloudfs umount" in done.stderr
