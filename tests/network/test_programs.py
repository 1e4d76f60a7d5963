"""tar, rsync, cat and git over a network that cuts, delays, truncates and fails: they come through."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tests.mount.driver import Mount, eventually
from tests.mount.programs import run, shell
from tests.mount.test_limits import digest_of, write_random
from tests.mount.tree import difference, look, plant
from tests.network.conftest import Far

MIB = 1 << 20
STORE_SECONDS = 120.0


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What is to be backed up: every kind of file, a repository, and a file of several segments."""
    tree = tmp_path / "tree"
    (tree / "kinds").mkdir(parents=True)
    plant(tree / "kinds", files=12)
    (tree / "repository").mkdir()
    shell("git init -q -b main . && seq 2000 >file && git add . && git commit -qm one", tree / "repository")
    shell("seq 3000 >other && git add . && git commit -qm two", tree / "repository")
    write_random(tree / "large", 5)
    return tree


def bad(far: Far) -> None:
    far.proxy.latency = 0.02
    far.proxy.mischief(cuts=0.06, truncations=0.03, failures=0.04)


@pytest.mark.timeout(300)
def test_a_backup_and_a_restore_come_through(far: Far, tree: Path) -> None:
    mount = far.mount()
    bad(far)
    back_up(mount, tree)
    wanted = look(mount.path)
    mount.wait(STORE_SECONDS)
    assert far.proxy.traffic().mishaps > 5, "the network was as bad as it should be"
    assert mount.status()["parked"] == []
    mount.umount()
    mount.forget_everything()
    mount.start()
    restore(mount, tree)
    assert difference(wanted, look(mount.path)) == []
    far.proxy.mischief()
    assert mount.command("verify", "--deep", "100", str(mount.path)).stdout.count("\n") == 1


def back_up(mount: Mount, tree: Path) -> None:
    run("rsync", "-aH", f"{tree}/", mount.path / "rsync")
    shell('mkdir "$2/tar" && tar -C "$1/kinds" -cpf - . | tar -C "$2/tar" -xpf -', tree, tree, mount.path)
    run("git", "clone", "-q", tree / "repository", mount.path / "clone")
    shell('cat large >"$1/cat"', tree, mount.path)


def restore(mount: Mount, tree: Path) -> None:
    """Everything is read from the store, by programs of its own each."""
    assert run("rsync", "-aHn", "--checksum", "--itemize-changes", f"{tree}/", mount.path / "rsync") == ""
    shell('tar -C "$1/tar" -cf - . | tar -C "$2" --compare -f -', tree, mount.path, tree / "kinds")
    run("git", "clone", "-q", mount.path / "clone", tree.parent / "cloned")
    assert run("git", "-C", mount.path / "clone", "fsck", "--strict") == ""
    shell('cat "$1/cat" | cmp - large', tree, mount.path)


@pytest.mark.timeout(300)
def test_connections_are_cut_in_the_middle_of_a_large_file(far: Far) -> None:
    mount = far.mount()
    far.proxy.bandwidth = 2 * MIB
    digest = write_random(mount.path / "large", 6)
    before = far.proxy.traffic().sent
    for share in (1, 2, 3, 4):
        wanted = before + share * MIB
        eventually(lambda: far.proxy.traffic().sent > wanted, within=60)  # noqa: B023
        far.proxy.cut()
    mount.wait(STORE_SECONDS)
    assert far.proxy.traffic().sent - before < 14 * MIB, "what had arrived is not sent again"
    mount.umount()
    mount.forget_everything()
    mount.start()

    before = far.proxy.traffic().received
    with subprocess.Popen(["sha256sum", mount.path / "large"], stdout=subprocess.PIPE, text=True) as reader:
        for share in (1, 2, 3, 4):
            wanted = before + share * MIB
            eventually(lambda: far.proxy.traffic().received > wanted, within=60)  # noqa: B023
            far.proxy.cut()
        assert reader.communicate(timeout=60)[0].split()[0] == digest


@pytest.mark.timeout(300)
def test_the_cable_is_out_for_a_while(far: Far) -> None:
    """Nothing arrives and nobody is told; then everything goes on, in the middle of a read and of an upload."""
    mount = far.mount()
    digest = write_random(mount.path / "before", 4)
    mount.umount()
    mount.empty_cache()
    mount.start()
    far.proxy.bandwidth = 2 * MIB
    got = far.proxy.traffic().received
    with subprocess.Popen(["sha256sum", mount.path / "before"], stdout=subprocess.PIPE, text=True) as reader:
        eventually(lambda: far.proxy.traffic().received > got + MIB)
        far.proxy.stall()
        written = write_random(mount.path / "meanwhile", 3, seed=1)
        assert mount.command("wait", str(mount.path), "--timeout", "2").returncode == 3
        assert reader.poll() is None, "it waits"
        far.proxy.online()
        assert reader.communicate(timeout=90)[0].split()[0] == digest
    far.proxy.bandwidth = None
    mount.wait(STORE_SECONDS)
    assert hashlib.sha256(far.stored("meanwhile")).hexdigest() == written == digest_of(mount.path / "meanwhile")


@pytest.mark.timeout(300)
def test_a_server_that_answers_nothing_but_errors_is_waited_for(far: Far) -> None:
    mount = far.mount()
    (mount.path / "before").write_bytes(b"1")
    mount.wait()
    far.proxy.mischief(failures=1.0)
    (mount.path / "f").write_bytes(b"written meanwhile")
    mount.succeed("flush", str(mount.path))
    eventually(lambda: mount.status()["state"] in ("offline", "throttled"), within=60)
    assert mount.status()["parked"] == []
    far.proxy.mischief()
    mount.wait(STORE_SECONDS)
    assert far.stored("f") == b"written meanwhile"
    assert mount.status()["state"] == "online"


@pytest.mark.timeout(200)
def test_a_server_that_wants_to_be_left_alone_is(far: Far) -> None:
    mount = far.mount()
    (mount.path / "before").write_bytes(b"1")
    mount.wait()
    far.proxy.answer(429, times=1000, retry_after=60)
    (mount.path / "f").write_bytes(b"content")
    mount.succeed("flush", str(mount.path))
    eventually(lambda: mount.status()["state"] == "throttled", within=30)
    status = mount.status()
    assert 0 < status["until"] - status["since"] <= 61
    assert "throttled until " in mount.succeed("status", str(mount.path))
    check = mount.command("check", str(mount.path))
    assert (check.returncode, check.stdout.startswith("WARNING: ")) == (1, True)
    exchanges = far.proxy.traffic().exchanges
    assert mount.command("wait", str(mount.path), "--timeout", "3").returncode == 3
    assert far.proxy.traffic().exchanges - exchanges <= 2, "it is left alone"
