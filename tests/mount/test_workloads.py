"""The programs people point at a mount, unchanged, and what they leave at the store."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mount.conftest import Volume
from tests.mount.driver import Mount, workspace
from tests.mount.programs import run, shell
from tests.mount.tree import difference, look, plant

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="trees with devices and owners need root")


@pytest.fixture(scope="module")
def source() -> Iterator[Path]:
    with workspace() as home:
        tree = home / "source"
        tree.mkdir()
        plant(tree)
        yield tree


@pytest.fixture
def plain() -> Iterator[Path]:
    """A directory of an ordinary file system."""
    with workspace() as home:
        yield home


def differing(wanted: Path, found: Path) -> str:
    """What ``diff -r`` says of files and links; it calls any two FIFOs or devices different."""
    special = [f"--exclude={name}" for name in ("fifo", "null", "block")]
    return run("diff", "-r", "--no-dereference", *special, wanted, found)


def test_tar_extracts_and_archives(source: Path, directory: Path, plain: Path, volume: Volume) -> None:
    run("tar", "--format=posix", "-cSf", plain / "1.tar", "-C", source, ".")
    run("tar", "-xpSf", plain / "1.tar", "-C", directory)
    assert difference(look(source), look(directory)) == []
    run("tar", "--format=posix", "-cf", plain / "2.tar", "-C", directory, ".")
    (plain / "out").mkdir()
    run("tar", "-xpf", plain / "2.tar", "-C", plain / "out")
    assert difference(look(source), look(plain / "out")) == []
    assert run("tar", "--compare", "-f", plain / "1.tar", "-C", directory) == ""
    assert differing(source, volume.stored(directory)) == ""


def test_tar_writes_an_archive_into_the_mount(source: Path, directory: Path, volume: Volume) -> None:
    run("tar", "-cf", directory / "backup.tar", "-C", source, ".")
    assert run("tar", "-df", directory / "backup.tar", "-C", source) == ""
    assert (volume.stored(directory) / "backup.tar").read_bytes() == (directory / "backup.tar").read_bytes()


def test_rsync_has_nothing_to_do_the_second_time(source: Path, directory: Path, volume: Volume) -> None:
    run("rsync", "-aH", f"{source}/", f"{directory}/")
    assert run("rsync", "-aH", "--itemize-changes", f"{source}/", f"{directory}/") == ""
    assert run("rsync", "-aHn", "--checksum", "--itemize-changes", f"{source}/", f"{directory}/") == ""
    assert difference(look(source), look(directory)) == []
    assert differing(source, volume.stored(directory)) == ""


def test_rsync_updates_in_place_and_deletes(directory: Path, plain: Path, volume: Volume) -> None:
    plant(plain, files=20)
    run("rsync", "-aH", f"{plain}/", f"{directory}/")
    with open(plain / "one", "r+b") as file:
        file.seek(20_000)
        file.write(b"changed in the middle")
    os.utime(plain / "one", ns=(0, 10**18))  # rsync looks at size and time
    (plain / "setuid").unlink()
    shutil.rmtree(plain / "empty")
    (plain / "empty").write_text("a file where a directory was")
    run("rsync", "-aH", "--inplace", "--no-whole-file", "--delete", f"{plain}/", f"{directory}/")
    assert run("rsync", "-aHn", "--delete", "--itemize-changes", f"{plain}/", f"{directory}/") == ""
    assert differing(plain, volume.stored(directory)) == ""


def test_rsync_snapshots_share_what_did_not_change(source: Path, directory: Path, volume: Volume) -> None:
    run("rsync", "-aH", f"{source}/", f"{directory}/first/")
    run("rsync", "-aH", f"--link-dest={directory}/first", f"{source}/", f"{directory}/second/")
    first, second = look(directory / "first"), look(directory / "second")
    assert difference(look(source), second) == []
    assert set(first) == set(second)
    for name in first:
        if first[name].mode.startswith("-"):
            assert os.lstat(directory / "first" / name).st_ino == os.lstat(directory / "second" / name).st_ino, name
    assert differing(source, volume.stored(directory) / "second") == ""


def test_rotated_snapshots(source: Path, directory: Path, volume: Volume) -> None:
    """``cp -al``, then rsync breaks the links of what changed, then the oldest is removed: rsnapshot's way."""
    run("rsync", "-a", f"{source}/", f"{directory}/0/")
    run("cp", "-al", directory / "0", directory / "1")
    changed = "a/new\nline"
    assert (directory / "0" / changed).stat().st_nlink == 2
    run("rsync", "-a", "--delete", f"{source}/a/", f"{directory}/0/a/")
    (directory / "0" / changed).unlink()
    (directory / "0" / changed).write_bytes(b"another content")
    assert (directory / "1" / changed).read_bytes() == b"new\nline"
    run("rm", "-r", directory / "1")
    assert (directory / "0" / changed).stat().st_nlink == 1
    assert differing(directory, volume.stored(directory)) == ""


def test_cp_archive_copies(source: Path, directory: Path) -> None:
    run("cp", "-a", f"{source}/.", directory)
    assert difference(look(source), look(directory)) == []


def test_rsync_with_extended_attributes(plain: Path, mount_with: Callable[..., Mount]) -> None:
    mount = mount_with("xattr")
    plant(plain, files=20)
    for name in ("one", "sgid", "a/b"):
        os.setxattr(plain / name, b"user.colour", b"blue\0\xff")
        os.setxattr(plain / name, b"user.empty", b"")
    os.setxattr(plain / "one", b"user.large", b"x" * 2_000)
    run("rsync", "-aHAX", f"{plain}/", f"{mount.path}/")
    assert run("rsync", "-aHAX", "--itemize-changes", f"{plain}/", f"{mount.path}/") == ""
    assert os.getxattr(mount.path / "a/two", b"user.large") == b"x" * 2_000
    mount.remount("xattr")
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert run("rsync", "-aHAXn", "--itemize-changes", f"{plain}/", f"{mount.path}/") == ""
    os.removexattr(mount.path / "one", b"user.large")
    assert sorted(os.listxattr(mount.path / "a/b/three")) == ["user.colour", "user.empty"]


def test_extended_attributes_are_off_by_default(mount: Mount) -> None:
    (mount.path / "f").touch()
    with pytest.raises(OSError, match="not supported"):
        os.setxattr(mount.path / "f", b"user.colour", b"blue")


def test_git(directory: Path, volume: Volume) -> None:
    shell(
        """
        git init -q -b main project
        cd project
        for i in $(seq 40); do echo "line $i" >>file; mkdir -p d$((i % 7)); seq $i >d$((i % 7))/f$i; done
        git add . && git commit -qm first
        for i in $(seq 15); do echo "change $i" >>file; git commit -qam "change $i"; done
        git checkout -q -b side HEAD~5 && echo side >side && git add side && git commit -qm side
        git merge -q -m merge main
        git mv side moved && git commit -qm moved && git tag v1
        git gc -q --aggressive --prune=now
        git fsck --full --strict
        cd .. && git clone -q --no-hardlinks project clone && git clone -q project linked
        cd clone && git fsck --full --strict && git status --porcelain
        """,
        directory,
    )
    assert run("git", "status", "--porcelain", cwd=directory / "clone") == ""
    assert run("git", "diff", "HEAD", cwd=directory / "project") == ""
    stored = volume.stored(directory)
    run("git", "-c", "safe.directory=*", "fsck", "--full", "--strict", cwd=stored / "project")
    assert run("diff", "-r", directory, stored) == ""


@pytest.mark.parametrize("journal", ["delete", "truncate", "persist", "wal"])
def test_sqlite(directory: Path, volume: Volume, journal: str) -> None:
    path = directory / "data.db"
    first, second = (sqlite3.connect(path, timeout=20) for _ in range(2))
    try:
        assert first.execute(f"PRAGMA journal_mode={journal}").fetchone() == (journal,)
        first.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
        for number in range(40):
            writer = (first, second)[number % 2]
            with writer:
                writer.executemany("INSERT INTO t (text) VALUES (?)", [(f"{number}-{i}" * 20,) for i in range(50)])
        with second:
            second.execute("DELETE FROM t WHERE id % 3 = 0")
        with pytest.raises(ZeroDivisionError), first:
            first.execute("DELETE FROM t")
            raise ZeroDivisionError
        assert first.execute("SELECT count(*) FROM t").fetchone() == (1334,)
        first.execute("VACUUM")
        assert second.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        first.close()
        second.close()
    stored = sqlite3.connect(f"file:{volume.stored(directory)}/data.db?immutable=1", uri=True)
    assert stored.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert stored.execute("SELECT count(*) FROM t").fetchone() == (1334,)
    stored.close()


def test_dd_truncate_and_patch(directory: Path, plain: Path, volume: Volume) -> None:
    for place in (directory, plain):
        shell(
            """
            head -c 3000000 </dev/zero | tr '\\0' 'x' >f
            printf patch | dd of=f bs=1 seek=1234567 conv=notrunc status=none
            dd if=f of=g bs=64k skip=10 count=5 conv=fsync status=none
            dd if=f of=h bs=1M iflag=fullblock oflag=append conv=notrunc status=none
            truncate -s 2000001 f && truncate -s +500 g && echo tail >>g
            seq 1000 >text && cp text old && sed -i s/500/five/ text
            diff -u old text >text.patch || true
            patch -s old text.patch
            rm text.patch
            """,
            place,
        )
    assert run("diff", "-r", plain, directory) == ""
    assert run("diff", "-r", plain, volume.stored(directory)) == ""


def test_a_pipeline_of_many_small_files(directory: Path, volume: Volume) -> None:
    shell("seq 1000 | xargs -P 4 -n 10 sh -c 'for i; do echo $i >f$i; mv f$i g$i; done' sh", directory)
    assert sorted(os.listdir(directory)) == sorted(f"g{number}" for number in range(1, 1001))
    assert (directory / "g777").read_text() == "777\n"
    assert run("diff", "-r", directory, volume.stored(directory)) == ""
    shell("find . -name 'g*[02468]' -delete; rm g9*", directory)
    assert run("diff", "-r", directory, volume.stored(directory)) == ""
