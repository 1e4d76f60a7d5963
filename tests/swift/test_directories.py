"""A cold tree is listed in few requests, directories and all; and what others did to directories is never missed."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.mount.driver import Mount, eventually
from tests.mount.programs import run
from tests.mount.tree import difference, look
from tests.servers.swift import SwiftCluster
from tests.servers.swift_counter import KINDS
from tests.servers.swift_files import Extras
from tests.stores.swift import Box
from tests.swift.site import Site

DIRECTORY = "application/directory"
DIRECTORIES = 40
FEW = 16
"""Directories for which nobody keeps a summary while the mount goes on."""


@pytest.fixture
def site(swift_cluster: SwiftCluster, mount_with: Callable[..., Mount], tmp_path: Path) -> Site:
    """Which counts what it is asked for."""
    box = Box.make(swift_cluster)
    front = swift_cluster.front(extras=Extras(counted=True))
    return Site(dataclasses.replace(box, swift=front), mount_with, tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Directories in directories, each with attributes of its own, and a file."""
    root = tmp_path / "tree"
    for number in range(DIRECTORIES):
        made = root / f"d{number % 5}" / f"é {number}"
        made.mkdir(parents=True)
        (made / "file").write_bytes(b"%d" % number)
        os.chown(made, 1000 + number, 2000 + number)
        made.chmod(0o700 | number % 8)
    for directory, *_ in os.walk(root, topdown=False):
        os.utime(directory, ns=(0, 1_234_567_890_123_456_789 + len(directory) * 1_000_000_007))
    return root


@pytest.fixture
def mount(site: Site, tree: Path) -> Mount:
    """Has stored the tree, and is unmounted; what it knew is lost."""
    mount = site.mount()
    copy(tree, mount)
    mount.wait()
    lose(mount)
    return mount


def copy(tree: Path, mount: Mount) -> None:
    run("rsync", "-aH", f"{tree}/", f"{mount.path}/")


def lose(mount: Mount) -> None:
    mount.umount()
    mount.forget_everything()


def asked(site: Site, kind: str) -> int:
    return int(httpx.get(site.box.swift.url + KINDS).json().get(kind, 0))


def summaries(site: Site) -> list[str]:
    """Where they are, in the container for segments."""
    with site.raw() as raw:
        return [name for name in raw.names(aside(site)) if name.startswith("cloudfs-directories/")]


def aside(site: Site) -> str:
    return f"{site.box.container}_segments"


def find(mount: Mount) -> int:
    """How many names a cold ``find -ls`` shows."""
    return len(run("find", mount.path, "-ls").splitlines())


def heads_of_find(site: Site, mount: Mount) -> int:
    """How many objects are asked for by a cold find, after the mount has started."""
    before = asked(site, "HEAD object")
    assert find(mount) == 1 + 5 + 2 * DIRECTORIES
    return asked(site, "HEAD object") - before


def wrong(tree: Path, mount: Mount) -> str:
    """What rsync would change of the mount, which has forgotten everything, to make it the tree."""
    return run("rsync", "-aHn", "--itemize-changes", f"{tree}/", f"{mount.path}/")


def test_a_cold_tree_costs_a_listing_and_not_a_request_for_each_directory(site: Site, mount: Mount, tree: Path) -> None:
    mount.start()
    gets = asked(site, "GET object")
    listings = asked(site, "GET container")
    assert heads_of_find(site, mount) == 0
    assert asked(site, "GET object") - gets == 1
    assert asked(site, "GET container") - listings <= 3
    assert wrong(tree, mount) == ""
    assert difference(look(tree), look(mount.path)) == []


def test_a_mount_that_changed_nothing_writes_nothing(site: Site, mount: Mount) -> None:
    mount.start()
    heads_of_find(site, mount)
    before = asked(site, "PUT object"), asked(site, "POST object")
    mount.umount()
    assert (asked(site, "PUT object"), asked(site, "POST object")) == before


def test_it_is_nothing_that_was_left_behind(site: Site, mount: Mount) -> None:
    assert len(summaries(site)) == 1
    mount.start()
    assert "of no file" not in mount.succeed("verify", str(mount.path))


def test_what_other_clients_did_to_directories_is_seen(site: Site, mount: Mount, tree: Path) -> None:
    changed, made_again, by_others, gone = (f"d{number}/é {number}" for number in range(4))
    with site.raw() as raw:
        old = raw("HEAD", site.name(changed)).headers["x-object-meta-cloudfs-0"]
        new = old.replace("mode=40700", "mode=41755").replace("uid=1000", "uid=4321")
        raw("POST", site.name(changed), Content_Type=DIRECTORY, X_Object_Meta_Cloudfs_0=new)
        raw("DELETE", site.name(made_again))
        raw("PUT", site.name(made_again), Content_Type=DIRECTORY, X_Object_Meta_Cloudfs_0=new)
        raw("PUT", site.name(by_others), Content_Type=DIRECTORY, X_Object_Meta_Mtime="1000000000.5")
        raw("DELETE", site.name(f"{gone}/file"))
        raw("DELETE", site.name(gone))
    mount.start()
    find(mount)
    for name in (changed, made_again):
        seen = (mount.path / name).stat()
        assert (seen.st_mode, seen.st_uid) == (0o41755, 4321)
    assert (mount.path / by_others).stat().st_mtime == 1_000_000_000.5
    assert not (mount.path / gone).exists()
    others = {f"{changed}/", f"{made_again}/", f"{by_others}/", f"{gone}/", f"{gone}/file", "d3/"}
    assert {line.split(" ", 1)[1] for line in wrong(tree, mount).splitlines()} <= others


@pytest.mark.parametrize("damage", ["deleted", "garbage", "empty", "of another place"])
def test_a_summary_that_is_lost_or_damaged_costs_requests_only(
    site: Site, mount: Mount, tree: Path, damage: str
) -> None:
    (name,) = summaries(site)
    with site.raw() as raw:
        if damage == "deleted":
            raw("DELETE", name, container=aside(site))
        elif damage == "of another place":
            other = Site(site.box, site.make, site.home, prefix="elsewhere").mount()
            for number in range(4):
                (other.path / f"d{number}").mkdir()
            other.umount()
            (theirs,) = set(summaries(site)) - {name}
            raw("PUT", name, raw("GET", theirs, container=aside(site)).content, container=aside(site))
        else:
            raw("PUT", name, b"garbage" if damage == "garbage" else b"", container=aside(site))
    mount.start()
    assert heads_of_find(site, mount) >= DIRECTORIES
    assert wrong(tree, mount) == ""
    lose(mount)  # which has learned what it asked for
    mount.start()
    assert heads_of_find(site, mount) == 0
    assert wrong(tree, mount) == ""


def test_an_older_summary_knows_what_has_not_changed(site: Site, mount: Mount, tree: Path) -> None:
    (name,) = summaries(site)
    with site.raw() as raw:
        old = raw("GET", name, container=aside(site)).content
        mount.start()
        for number in range(3):
            os.chmod(tree / f"d{number}", 0o751)
            os.chmod(mount.path / f"d{number}", 0o751)
        lose(mount)
        raw("PUT", name, old, container=aside(site))
    mount.start()
    assert 0 < heads_of_find(site, mount) <= 6
    assert wrong(tree, mount) == ""


def test_nothing_is_wrong_after_the_driver_was_killed(site: Site, tree: Path) -> None:
    mount = site.mount()
    copy(tree, mount)
    mount.wait()
    mount.kill()
    subprocess.run(["umount", "-l", str(mount.path)], check=True, timeout=30)
    mount.forget_everything()
    mount.start()
    find(mount)
    assert wrong(tree, mount) == ""


def test_a_mount_that_lives_for_long_keeps_it_up_to_date(site: Site, tree: Path) -> None:
    mount = site.mount()
    copy(tree, mount)
    mount.wait()
    eventually(lambda: summaries(site), within=60)
    mount.kill()
    subprocess.run(["umount", "-l", str(mount.path)], check=True, timeout=30)
    mount.forget_everything()
    mount.start()
    assert heads_of_find(site, mount) < FEW
    assert wrong(tree, mount) == ""


def test_who_only_reads_writes_nothing(site: Site, mount: Mount) -> None:
    (name,) = summaries(site)
    with site.raw() as raw:
        raw("DELETE", name, container=aside(site))
    mount.start("ro")
    heads_of_find(site, mount)
    mount.umount()
    assert summaries(site) == []


def test_deleted_directories_leave_the_summary(site: Site, mount: Mount) -> None:
    mount.start()
    run("rm", "-r", *(mount.path / f"d{number}" for number in range(4)))
    (mount.path / "new").mkdir()
    lose(mount)
    (name,) = summaries(site)
    with site.raw() as raw:
        told = _unpacked(raw("GET", name, container=aside(site)).content)
    assert "/d4/" in told
    assert "/new" in told
    assert "/d1" not in told
    mount.start()
    assert sorted(os.listdir(mount.path)) == ["d4", "new"]
    run("rm", "-r", mount.path / "d4", mount.path / "new")
    lose(mount)
    assert summaries(site) == []


def _unpacked(body: bytes) -> str:
    return subprocess.run(["gunzip"], input=body, capture_output=True, check=True).stdout.decode()
