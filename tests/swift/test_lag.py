"""Listings that lag behind: what this mount did itself is neither hidden nor undone."""

from __future__ import annotations

import os

import pytest

from tests.mount.driver import Mount, eventually
from tests.swift.site import Site


@pytest.fixture
def mount(lagging_site: Site) -> Mount:
    """It looks again every second."""
    return lagging_site.mount("dir_cache_time=1", settings=('segment_size = "1MiB"',))


def lag(site: Site, what: str) -> int:
    with site.raw() as raw:
        return int(raw("POST", params={"lag": what}).json())


def shown_again(site: Site, mount: Mount) -> None:
    """Until the mount has seen the old listing, more than once, after everything was stored."""
    before = lag(site, "count")

    def is_shown() -> bool:
        os.listdir(mount.path)
        os.listdir(mount.path / "directory")
        return lag(site, "count") >= before + 4

    eventually(is_shown, within=30)


def tree(mount: Mount) -> list[str]:
    return sorted(str(path.relative_to(mount.path)) for path in mount.path.rglob("*"))


def test_what_the_mount_did_is_neither_hidden_nor_undone(mount: Mount, lagging_site: Site) -> None:
    root = mount.path
    (root / "directory").mkdir()
    for name in ("deleted", "renamed", "changed", "directory/moved", "large"):
        (root / name).write_bytes(name.encode())
    (root / "removed").mkdir()
    mount.wait()
    lag(lagging_site, "on")
    (root / "deleted").unlink()
    (root / "removed").rmdir()
    (root / "renamed").rename(root / "new name")
    (root / "directory/moved").rename(root / "moved")
    (root / "changed").write_bytes(b"another content")
    (root / "large").write_bytes(bytes(3 << 20))
    (root / "made").mkdir()
    (root / "made/inside").write_bytes(b"new")
    mount.wait()
    wanted = ["changed", "directory", "large", "made", "made/inside", "moved", "new name"]
    for _ in range(2):
        shown_again(lagging_site, mount)
        assert tree(mount) == wanted
        assert (root / "changed").read_bytes() == b"another content"
        assert (root / "large").read_bytes() == bytes(3 << 20)
    (root / "deleted").write_bytes(b"made again")
    mount.wait()
    shown_again(lagging_site, mount)
    assert tree(mount) == sorted([*wanted, "deleted"])
    lag(lagging_site, "off")
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert tree(mount) == sorted([*wanted, "deleted"])
    assert (root / "deleted").read_bytes() == b"made again"


def test_a_directory_is_removed_although_its_files_are_still_listed(mount: Mount, lagging_site: Site) -> None:
    (mount.path / "directory").mkdir()
    for number in range(5):
        (mount.path / f"directory/{number}").write_bytes(b"content")
    mount.wait()
    lag(lagging_site, "on")
    for number in range(5):
        (mount.path / f"directory/{number}").unlink()
    (mount.path / "directory").rmdir()
    mount.wait()
    lag(lagging_site, "off")
    with lagging_site.raw() as raw:
        assert raw.names() == [lagging_site.prefix]
