"""``cloudfs verify`` finds what somebody did behind the mount's back, and nothing else."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.mount.driver import Mount
from tests.mount.tree import plant


def verify(mount: Mount, *arguments: str) -> dict[str, Any]:
    done = mount.command("verify", "--json", *arguments, str(mount.path))
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    assert done.returncode == (1 if found["count"] else 0), done.stderr
    return found


def told(mount: Mount, *arguments: str) -> list[tuple[str, str]]:
    return [(each["path"], each["difference"]) for each in verify(mount, *arguments)["differences"]]


def test_a_stored_tree_is_as_it_should_be(mount: Mount) -> None:
    (mount.path / "tree").mkdir()
    plant(mount.path / "tree")
    assert ("tree", "not stored") in told(mount), "before it is stored, it is a difference"
    mount.wait()
    found = verify(mount, "--deep", "100")
    assert found["differences"] == []
    assert found["checked"]["names"] > 20
    assert found["read"] == {"files": found["checked"]["files"], "bytes": found["checked"]["bytes"]}
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert told(mount) == [], "and after the loss of the catalogue"


def test_every_kind_of_difference_is_found(mount: Mount) -> None:
    for name in ("gone", "changed", "chmodded", "rotten", "kind", "fine"):
        (mount.path / name).write_bytes(b"content of " + name.encode())
    (mount.path / "d").mkdir()
    (mount.path / "d/inside").write_bytes(b"x")
    mount.wait()
    assert told(mount, "--deep", "100") == []

    (mount.store / "gone").unlink()
    (mount.store / "changed").write_bytes(b"by somebody else")
    (mount.store / "chmodded").chmod(0o600)
    (mount.store / "new").touch()
    (mount.store / "kind").unlink()
    (mount.store / "kind").mkdir()
    before = (mount.store / "rotten").stat()
    with open(mount.store / "rotten", "r+b") as file:
        file.write(b"CONTENT")
    os.utime(mount.store / "rotten", ns=(before.st_atime_ns, before.st_mtime_ns))

    found = told(mount)
    assert [each for each in found if each[0] != "rotten"] == [
        ("changed", "version"),
        ("chmodded", "attributes"),
        ("gone", "missing"),
        ("kind", "kind"),
        ("new", "unknown"),
    ]
    assert ("rotten", "content") in told(mount, "--deep", "100"), "bytes that rot without a trace are found by reading"
    done = mount.command("verify", str(mount.path / "d"))
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert mount.command("verify", str(mount.path / "changed")).returncode == 1
    assert mount.command("verify", str(mount.path / "fine")).returncode == 0


def test_a_share_of_the_bytes_is_read(mount: Mount) -> None:
    for number in range(40):
        (mount.path / f"f{number}").write_bytes(b"x" * 1000)
    mount.wait()
    assert verify(mount, "--deep", "10")["read"] == {"files": 4, "bytes": 4000}


def test_a_store_that_is_away_is_no_success(mount: Mount) -> None:
    (mount.path / "f").touch()
    mount.wait()
    away = mount.store.rename(mount.home / "away")
    done = mount.command("verify", str(mount.path))
    assert done.returncode == 1 and "missing" in done.stderr
    away.rename(mount.store)
