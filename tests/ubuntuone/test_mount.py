"""A mount of Ubuntu One through the real kernel, as a user has it: also when the token is revoked under it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudfs.config import Remote
from cloudfs.daemon.signing_in import Wish, sign_in
from tests.emulators.person import Somebody
from tests.emulators.running import Running
from tests.emulators.ubuntuone.signin import EMAIL, PASSWORD
from tests.mount.backup import backup_and_restore
from tests.mount.driver import Mount, eventually

GOOD, OTHER = b"good" * 1000, b"other" * 1000


@pytest.fixture
def mounting(mount_with: Callable[..., Mount], remote: Remote) -> Callable[..., Mount]:
    """Makes mounts of somebody who is signed in."""
    sign_in(remote, Somebody({"E-mail": EMAIL, "Password": PASSWORD}), Wish())

    def make(*options: str, path: str = "backup", started: bool = True) -> Mount:
        environment = {"CLOUDFS_CONFIG": os.environ["CLOUDFS_CONFIG"]}
        return mount_with(*options, started=started, source=f"one:{path}", environment=environment)

    return make


def test_backup_and_restore(mounting: Callable[..., Mount], tmp_path: Path) -> None:
    backup_and_restore(mounting(), tmp_path / "tree")


def test_files_are_plain_files_in_the_account(mounting: Callable[..., Mount], service: Running) -> None:
    mount = mounting(path="~/Photos/2012")
    (mount.path / "süß; #1?.jpg").write_bytes(GOOD)
    mount.wait()
    assert service.control("tree", "GET")["~/Photos/2012/süß; #1?.jpg"] == len(GOOD)


def test_quota(mounting: Callable[..., Mount]) -> None:
    mount = mounting()
    (mount.path / "file").write_bytes(bytes(1 << 20))
    mount.remount()
    space = os.statvfs(mount.path)
    found = mount.status()["store"]
    assert (found["total"], found["used"] >= 1 << 20) == (5 << 30, True)
    assert space.f_blocks * space.f_frsize == 5 << 30


def test_a_token_that_was_revoked_is_repaired_without_remounting(
    mounting: Callable[..., Mount], service: Running
) -> None:
    mount = mounting()
    (mount.path / "before").write_bytes(GOOD)
    mount.wait()
    service.control("revoke")
    (mount.path / "meanwhile").write_bytes(OTHER)
    eventually(lambda: mount.status()["state"] == "sign-in required")
    assert "cloudfs login one" in mount.status()["reason"]
    assert (mount.path / "before").read_bytes() == GOOD
    log_in(mount)
    mount.wait()
    assert service.control("tree", "GET")["~/Ubuntu One/backup/meanwhile"] == len(OTHER)


def test_a_token_that_was_revoked_before_the_mount(mounting: Callable[..., Mount], service: Running) -> None:
    """What was known is there, what is written waits, and signing in is all it takes."""
    mount = mounting()
    (mount.path / "before").write_bytes(GOOD)
    mount.umount()
    service.control("revoke")
    mount.start()
    eventually(lambda: mount.status()["state"] == "sign-in required")
    assert os.listdir(mount.path) == ["before"]
    (mount.path / "meanwhile").write_bytes(OTHER)
    log_in(mount)
    mount.wait()
    assert mount.status()["state"] == "online"


def log_in(mount: Mount) -> None:
    """``cloudfs login`` as it is, by a script that types."""
    done = subprocess.run(
        [sys.executable, "-m", "cloudfs", "login", "one"],
        input=f"{EMAIL}\n{PASSWORD}\n",
        capture_output=True,
        text=True,
        env=mount.environment,
        cwd="/",
        timeout=60,
        check=False,
    )
    assert (done.returncode, f"{mount.path} goes on" in done.stdout, PASSWORD in done.stdout) == (0, True, False), done
