"""What a user does with a mount of a container, through the real kernel, and what is there after all else is lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.mount.backup import backup_and_restore
from tests.mount.programs import run, shell
from tests.mount.tree import difference, look
from tests.swift.site import Site

PATCH = b"a few bytes in the middle"
SMALL_SEGMENTS = ('segment_size = "1MiB"',)


@pytest.fixture
def twin(tmp_path: Path) -> Path:
    """A plain directory to which the same happens as to the mount."""
    twin = tmp_path / "twin"
    twin.mkdir()
    return twin


def first_half(root: Path) -> None:
    """What programs store."""
    large = bytes(range(256)) * 12_000
    (root / "tree/inner").mkdir(parents=True)
    (root / "tree/large").write_bytes(large)
    for number in range(40):
        (root / f"tree/inner/file {number}").write_bytes(b"%d" % number * number)
    os.link(root / "tree/large", root / "tree/inner/the same")
    os.symlink("inner/file 7", root / "tree/link")
    os.setxattr(root / "tree/large", b"user.colour", b"blue\0\xff")
    os.setxattr(root / "tree", b"user.kind", b"directory")
    run("cp", "-a", root / "tree", root / "doomed")
    shell("git init -q . && echo one > file && git add . && git commit -qm one", _made(root / "work"))
    run("git", "clone", "-q", root / "work", root / "clone")
    run("sqlite3", root / "data.db", "create table t (x); insert into t values (zeroblob(100000)), (1), (2)")


def second_half(root: Path) -> None:
    """What they change of it, when all of that has been stored."""
    with open(root / "tree/large", "ab") as file:
        file.write(b"appended")
    with open(root / "tree/large", "r+b") as file:
        file.seek(1_500_000)
        file.write(PATCH)
    (root / "tree").rename(root / "renamed")
    _made(root / "deep")
    (root / "renamed/inner").rename(root / "deep/moved")
    (root / "deep/moved/file 3").rename(root / "deep/moved/file 4")
    shutil.rmtree(root / "doomed")
    run("sqlite3", root / "data.db", "delete from t where x = 1; insert into t values (randomblob(5)); vacuum")
    run("sqlite3", root / "data.db", "delete from t where typeof(x) = 'blob'; vacuum")


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def test_backup_and_restore(site: Site, tmp_path: Path) -> None:
    backup_and_restore(site.mount(settings=SMALL_SEGMENTS), tmp_path / "tree")


def test_backup_and_restore_without_large_and_bulk_requests(bare_site: Site, tmp_path: Path) -> None:
    backup_and_restore(bare_site.mount(settings=SMALL_SEGMENTS), tmp_path / "tree")


def test_programs_change_what_they_stored(site: Site, twin: Path) -> None:
    mount = site.mount("xattr", settings=SMALL_SEGMENTS)
    first_half(mount.path)
    first_half(twin)
    mount.wait()
    second_half(mount.path)
    second_half(twin)
    mount.umount()
    mount.forget_everything()
    mount.start()
    for name in ("renamed", "deep"):
        wrong = difference(look(twin / name, times=False), look(mount.path / name, times=False))
        assert wrong == [], wrong
    assert sorted(os.listdir(mount.path)) == sorted(os.listdir(twin))
    assert os.getxattr(mount.path / "renamed/large", b"user.colour") == b"blue\0\xff"
    assert os.getxattr(mount.path / "renamed", b"user.kind") == b"directory"
    large, same = (mount.path / "renamed/large").stat(), (mount.path / "deep/moved/the same").stat()
    assert (large.st_ino, large.st_nlink) == (same.st_ino, 2)
    assert run("git", "fsck", "--strict", cwd=mount.path / "clone") == ""
    assert run("git", "status", "--short", cwd=mount.path / "clone") == ""
    assert run("sqlite3", mount.path / "data.db", "pragma integrity_check; select x from t") == "ok\n2\n"
    mount.wait()
    assert "0 differences" in mount.succeed("verify", str(mount.path))


def test_a_whole_container(site: Site) -> None:
    """Mounted without a prefix, with attributes of its own."""
    mount = Site(site.box, site.make, site.home, prefix="").mount()
    (mount.path / "file").write_bytes(b"content")
    mount.path.chmod(0o750)
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert (mount.path / "file").read_bytes() == b"content"
    assert mount.path.stat().st_mode & 0o7777 == 0o750
    with site.raw() as raw:
        assert raw("GET", "file").content == b"content"
