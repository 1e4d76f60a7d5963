from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudfs.daemon.mountinfo import Mounted, holding, mounted_at, read_mounts, resolve

TABLE = rb"""
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw
40 27 0:40 / /mnt/backup rw,nosuid,nodev - fuse.cloudfs backup:photos rw,user_id=1000,group_id=1000
41 27 0:41 / /mnt/a\040b\134\377 rw - fuse.sshfs host:/x rw,user_id=0
42 40 0:42 / /mnt/backup/inner rw - tmpfs tmpfs rw
43 27 0:43 / /mnt/twice rw - tmpfs below rw
44 27 0:44 / /mnt/twice rw - fuse.cloudfs above:\040x rw,user_id=0
""".lstrip()


@pytest.fixture
def mounts(tmp_path: Path) -> list[Mounted]:
    table = tmp_path / "mountinfo"
    table.write_bytes(TABLE)
    return read_mounts(table)


def test_a_mount_of_ours(mounts: list[Mounted]) -> None:
    found = mounted_at(Path("/mnt/backup"), mounts)
    assert found == Mounted(Path("/mnt/backup"), "fuse.cloudfs", "backup:photos", "0:40", 1000)
    assert found.is_ours and found.is_fuse


def test_others(mounts: list[Mounted]) -> None:
    odd = mounted_at(Path(os.fsdecode(b"/mnt/a b\\\xff")), mounts)
    assert odd is not None and odd.is_fuse and not odd.is_ours
    root = mounted_at(Path("/"), mounts)
    assert root is not None and not root.is_fuse and root.user is None
    assert mounted_at(Path("/mnt"), mounts) is None


def test_of_two_at_one_place_the_later_one_is_seen(mounts: list[Mounted]) -> None:
    for found in (mounted_at(Path("/mnt/twice"), mounts), holding(Path("/mnt/twice/x"), mounts)):
        assert found is not None and found.source == "above: x"


@pytest.mark.parametrize(
    ("path", "mountpoint"),
    [
        ("/mnt/backup", "/mnt/backup"),
        ("/mnt/backup/a/b", "/mnt/backup"),
        ("/mnt/backup/inner/x", "/mnt/backup/inner"),
        ("/mnt/backups", "/"),
        ("/etc", "/"),
    ],
)
def test_what_a_path_is_in(mounts: list[Mounted], path: str, mountpoint: str) -> None:
    found = holding(Path(path), mounts)
    assert found is not None and found.mountpoint == Path(mountpoint)


def test_the_real_table_has_a_root() -> None:
    assert mounted_at(Path("/"), read_mounts()) is not None


class TestResolve:
    @pytest.fixture
    def ours(self, tmp_path: Path) -> list[Mounted]:
        (tmp_path / "mnt").mkdir()
        return [Mounted(tmp_path / "mnt", "fuse.cloudfs", "x:", "0:1", 0)]

    def test_it_does_what_realpath_does(self, ours: list[Mounted], tmp_path: Path) -> None:
        (tmp_path / "dir" / "sub").mkdir(parents=True)
        (tmp_path / "link").symlink_to("dir/sub")
        (tmp_path / "dir" / "absolute").symlink_to(tmp_path / "link")
        for spelling in ("dir/./sub/..", "link/..", "dir/absolute/x", "dir//sub", "missing/../dir", "link/../../link"):
            assert resolve(tmp_path / spelling, ours) == Path(os.path.realpath(tmp_path / spelling))

    def test_relative_paths_are_from_here(
        self, ours: list[Mounted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert resolve(Path("mnt/a"), ours) == tmp_path / "mnt" / "a"
        assert resolve(Path("."), ours) == tmp_path

    def test_it_never_looks_into_our_mounts(self, ours: list[Mounted], tmp_path: Path) -> None:
        (tmp_path / "mnt" / "loop").symlink_to("/etc")
        (tmp_path / "to-mnt").symlink_to("mnt")
        assert resolve(tmp_path / "to-mnt" / "loop" / "x", ours) == tmp_path / "mnt" / "loop" / "x"
        assert resolve(tmp_path / "mnt" / "a" / ".." / "b", ours) == tmp_path / "mnt" / "b"

    def test_links_that_go_round_end(self, ours: list[Mounted], tmp_path: Path) -> None:
        (tmp_path / "round").symlink_to("round")
        assert resolve(tmp_path / "round", ours) == tmp_path / "round"
