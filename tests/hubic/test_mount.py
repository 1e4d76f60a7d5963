"""A mount of hubiC through the real kernel, as a user has it: tokens that end, and a sign-in that does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cloudfs.config import Remote
from tests.emulators.hubic.browser import agree
from tests.emulators.running import Running
from tests.mount.backup import backup_and_restore
from tests.mount.driver import Mount, eventually
from tests.mount.tree import difference, look, plant

GOOD, OTHER = b"good" * 1000, b"other" * 1000


@pytest.fixture
def mounting(
    mount_with: Callable[..., Mount], signed_in: Remote, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[..., Mount]:
    """Makes mounts of a directory that nobody else uses."""

    def make(*options: str, started: bool = True) -> Mount:
        return mount_with(
            *options,
            started=started,
            source=f"hubic:default/{request.node.name}",
            environment={"CLOUDFS_CONFIG": os.environ["CLOUDFS_CONFIG"]},
        )

    return make


def test_backup_and_restore(mounting: Callable[..., Mount], tmp_path: Path) -> None:
    mount = mounting()
    backup_and_restore(mount, tmp_path / "tree")


def test_quota(mounting: Callable[..., Mount]) -> None:
    mount = mounting()
    (mount.path / "file").write_bytes(bytes(1 << 20))
    mount.remount()
    eventually(lambda: mount.status()["store"]["used"] is not None)
    space = os.statvfs(mount.path)
    found = mount.status()["store"]
    assert (found["total"], found["used"] >= 1 << 20) == (25_000_000_000, True)
    assert space.f_blocks * space.f_frsize <= 25_000_000_000 < (space.f_blocks + 1) * space.f_frsize


@pytest.mark.parametrize("refusal", [401, 403])
def test_tokens_that_end_in_the_middle(
    mounting: Callable[..., Mount], hubic: Running, tmp_path: Path, refusal: int
) -> None:
    hubic.control("settings", refusal=refusal, access_life=3.0, swift_life=2.0)
    mount = mounting()
    (tmp_path / "tree").mkdir()
    plant(tmp_path / "tree", files=20)
    for copy in ("a", "b"):
        subprocess.run(["rsync", "-aH", f"{tmp_path}/tree/", f"{mount.path}/{copy}/"], check=True, timeout=60)
        hubic.control("expire", tokens="swift")
        hubic.control("expire", tokens="access")
        mount.wait()
    requests = hubic.control("counts", "GET")["requests"]
    assert (requests["POST token"] >= 2, requests["GET credentials"] >= 3) == (True, True)
    assert difference(look(tmp_path / "tree"), look(mount.path / "b")) == []


def test_a_sign_in_that_ended_is_repaired_without_remounting(mounting: Callable[..., Mount], hubic: Running) -> None:
    mount = mounting()
    (mount.path / "before").write_bytes(GOOD)
    mount.wait()
    for what in ("refresh", "swift"):
        hubic.control("expire", tokens=what)
    (mount.path / "meanwhile").write_bytes(OTHER)
    eventually(lambda: mount.status()["state"] == "sign-in required")
    assert "cloudfs login hubic" in mount.status()["reason"]
    assert (mount.path / "before").read_bytes() == GOOD
    log_in(mount)
    mount.wait()
    assert mount.status()["state"] == "online"
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert (mount.path / "meanwhile").read_bytes() == OTHER


def test_a_sign_in_that_ended_before_the_mount(
    mounting: Callable[..., Mount], signed_in: Remote, hubic: Running
) -> None:
    """What was known is there, what is written waits, and signing in is all it takes."""
    mount = mounting()
    (mount.path / "before").write_bytes(GOOD)
    mount.umount()
    for what in ("refresh", "swift"):
        hubic.control("expire", tokens=what)
    mount.start()
    eventually(lambda: mount.status()["state"] == "sign-in required")
    assert os.listdir(mount.path) == ["before"]
    (mount.path / "meanwhile").write_bytes(OTHER)
    log_in(mount)
    mount.wait()
    assert mount.status()["state"] == "online"


def test_large_files_are_what_the_clients_of_hubic_made(
    mounting: Callable[..., Mount], configured: Callable[..., Remote], hubic: Running, request: pytest.FixtureRequest
) -> None:
    configured('segment_size = "1MiB"\n')
    mount = mounting()
    content = os.urandom(3 << 20) + b"end"
    (mount.path / "large").write_bytes(content)
    mount.wait()
    with storage(hubic) as client:
        place = f"default/{request.node.name}/large"
        head = client.head(place)
        assert head.headers["x-object-manifest"].startswith("default_segments/")
        assert "x-static-large-object" not in head.headers
        assert client.get(place).content == content


def test_a_file_under_a_prefix_of_the_other_clients(mounting: Callable[..., Mount], hubic: Running) -> None:
    """A directory as the web page of hubiC makes it, and a file with the time of its desktop client."""
    mount = mounting(started=False)
    directory = mount.source.removeprefix("hubic:")
    with storage(hubic) as client:
        client.put(directory, headers={"Content-Type": "application/directory"})
        time = {"X-Object-Meta-Hubiclocallastmodified": "2015-01-02T03:04:05"}
        client.put(f"{directory}/picture", content=GOOD, headers=time)
    mount.start()
    assert (mount.path / "picture").read_bytes() == GOOD


def log_in(mount: Mount) -> None:
    """``cloudfs login`` as it is, with somebody who reads the page off the terminal and pastes what they get."""
    command = [*mount.prefix, sys.executable, "-m", "cloudfs", "login", "hubic"]
    person = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=mount.environment, cwd="/"
    )
    with person as process:
        assert process.stdin is not None
        assert process.stdout is not None
        page = next(line.strip() for line in process.stdout if line.startswith("http"))
        process.stdin.write(agree(page) + "\n")
        process.stdin.close()
        said = process.stdout.read()
    assert process.returncode == 0, said
    assert f"{mount.path} goes on" in said


def storage(hubic: Running) -> httpx.Client:
    """The Swift behind it, as other clients of the account have it."""
    granted = hubic.control("credentials", "GET")
    return httpx.Client(base_url=f"{granted['endpoint']}/", headers={"X-Auth-Token": granted["token"]}, timeout=30)
