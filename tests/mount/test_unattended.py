"""A whole night without a network, or with a bad one: in the morning the store equals the tree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.mount.driver import Mount, eventually
from tests.mount.programs import run, shell
from tests.mount.test_limits import digest_of, write_random
from tests.mount.tree import difference, look, plant

MakeMount = Callable[..., Mount]


def equal(wanted: Path, found: Path) -> list[str]:
    """What is not the same in two trees, but for the times of their roots."""
    first, second = look(wanted), look(found)
    for seen in (first, second):
        seen.pop(".")
    return difference(first, second)


def test_off_line_for_a_whole_session_then_on_line(mount: Mount, tmp_path: Path) -> None:
    """tar, rsync, rename and delete, all of it without a store."""
    source = tmp_path / "source"
    source.mkdir()
    plant(source)
    shutil.copytree(source / "a", mount.path / "old", symlinks=True)
    (mount.path / "kept").write_bytes(b"stored before")
    mount.wait()
    before = sorted(path.name for path in (mount.store / "old").iterdir())

    away = mount.store.rename(mount.home / "away")
    shell('tar -C "$1" -cpf - . | (mkdir tarred && tar -C tarred -xpf -)', mount.path, source)
    run("rsync", "-aH", f"{source}/", mount.path / "synced")
    run("rsync", "-aH", "--delete", f"{source}/a/", mount.path / "old")
    shell("mv tarred/a/b moved; mv old renamed; rm -r synced/a; mv kept synced/kept; ln synced/kept again", mount.path)
    shell("mkdir -p x/y/z; echo never sent >x/y/z/f; rm -r x; echo end >>synced/kept", mount.path)
    eventually(lambda: mount.status()["state"] == "offline")
    status = mount.status()
    assert status["reason"] and status["since"] and status["oldest"] and status["pending"]["files"] > 50
    assert mount.command("check", str(mount.path)).returncode in (0, 1, 2), "it answers"
    assert sorted(path.name for path in (away / "old").iterdir()) == before
    wanted = look(mount.path)

    away.rename(mount.store)
    mount.succeed("retry", str(mount.path))
    mount.wait()
    assert mount.status()["state"] == "online"
    assert equal(mount.path, mount.store) == []
    assert difference(wanted, look(mount.path)) == []
    mount.succeed("verify", "--deep", "100", str(mount.path))
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert equal(mount.store, mount.path) == []


def test_it_goes_on_line_by_itself(mount: Mount) -> None:
    (mount.path / "before").touch()
    mount.wait()
    away = mount.store.rename(mount.home / "away")
    (mount.path / "f").write_bytes(b"written meanwhile")
    eventually(lambda: mount.status()["state"] == "offline")
    away.rename(mount.store)
    eventually(lambda: (mount.store / "f").exists(), within=30)
    mount.wait()
    assert mount.status()["state"] == "online"


def test_the_time_limit_of_umount_leaves_a_queue_that_the_next_mount_completes(mount_with: MakeMount) -> None:
    mount = mount_with("umount_timeout=1s")
    (mount.path / "first").touch()
    mount.wait()
    away = mount.store.rename(mount.home / "away")
    written = write_random(mount.path / "f", 4)
    late = mount.command("umount", str(mount.path))
    assert late.returncode == 1 and "not all is stored" in late.stderr
    assert not mount.mounted
    mount.start()
    assert digest_of(mount.path / "f") == written
    assert [row["path"] for row in pending(mount) if row["type"] == "file"] == ["f"]
    away.rename(mount.store)
    mount.succeed("retry", str(mount.path))
    mount.umount()
    assert digest_of(mount.store / "f") == written


def pending(mount: Mount) -> list[dict[str, str]]:
    found = json.loads(mount.succeed("pending", "list", "--json", str(mount.path)))
    assert isinstance(found, list)
    return found
