"""What a mount shows after everything but the store is lost, and what it shows of other people's changes."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mount.driver import Mount, eventually, workspace
from tests.mount.programs import run
from tests.mount.tree import difference, look, plant

HOUR_NS = 3_600 * 10**9


@pytest.fixture
def source() -> Iterator[Path]:
    with workspace() as home:
        plant(home)
        yield home


@pytest.fixture
def attentive(mount_with: Callable[..., Mount]) -> Mount:
    """A mount that looks every second whether somebody else was at the store."""
    return mount_with("dir_cache_time=1")


@pytest.fixture
def trusting(mount_with: Callable[..., Mount]) -> Mount:
    """A mount that does not look again by itself as long as a test lasts."""
    return mount_with("dir_cache_time=1h")


def contents(directory: Path) -> list[bytes]:
    return sorted(path.read_bytes() for path in directory.iterdir() if path.is_file())


def rewrite(path: Path, content: bytes) -> None:
    """As an editor does it, an hour later: a changed size and time, and another inode."""
    stamp = path.stat().st_mtime_ns + HOUR_NS
    fresh = path.with_name("editing")
    fresh.write_bytes(content)
    os.utime(fresh, ns=(stamp, stamp))
    fresh.rename(path)


def copy(source: Path, mount: Mount) -> None:
    run("rsync", "-aH", f"{source}/", f"{mount.path}/")


# --- everything but the store is lost ----------------------------------------------------------------------------


def test_the_same_tree_after_the_loss_of_catalogue_and_cache(mount: Mount, source: Path) -> None:
    copy(source, mount)
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert run("rsync", "-aHn", "--itemize-changes", f"{source}/", f"{mount.path}/") == ""
    assert difference(look(source), look(mount.path)) == []
    assert run("rsync", "-aHn", "--checksum", "--delete", "--itemize-changes", f"{source}/", f"{mount.path}/") == ""


def test_the_same_tree_after_an_ordinary_unmount(mount: Mount, source: Path) -> None:
    copy(source, mount)
    before = look(mount.path)
    mount.remount()
    assert difference(before, look(mount.path)) == []
    shutil.rmtree(mount.cache)
    mount.cache.mkdir()
    mount.remount()
    assert difference(before, look(mount.path)) == []


def test_links_stay_links_through_the_loss(mount: Mount) -> None:
    (mount.path / "d").mkdir()
    (mount.path / "a").write_bytes(b"shared")
    os.link(mount.path / "a", mount.path / "d/b")
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert (mount.path / "d/b").stat().st_ino == (mount.path / "a").stat().st_ino
    assert (mount.path / "a").stat().st_nlink == 2
    (mount.path / "d/b").write_bytes(b"changed by the other name")
    assert (mount.path / "a").read_bytes() == b"changed by the other name"
    mount.wait()
    assert (mount.store / "a").read_bytes() == (mount.store / "d/b").read_bytes() == b"changed by the other name"


def test_changes_after_the_loss_reach_the_store(mount: Mount, source: Path) -> None:
    copy(source, mount)
    mount.umount()
    mount.forget_everything()
    mount.start()
    for place in (mount.path, source):
        (place / "one").write_bytes(b"other content")
        (place / "a").rename(place / "renamed")
        shutil.rmtree(place / "empty")
        (place / "sgid").chmod(0o700)
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert difference(look(source, times=False), look(mount.path, times=False)) == []
    assert run("diff", "-r", "--no-dereference", source / "renamed", mount.store / "renamed") == ""
    assert sorted(os.listdir(source)) == sorted(os.listdir(mount.store))


def test_the_root_directory_keeps_its_attributes(mount: Mount) -> None:
    mount.path.chmod(0o750)
    os.chown(mount.path, 1000, 1001)
    os.utime(mount.path, ns=(0, 10**18 + 1))
    wanted = look(mount.path)["."]
    mount.remount()
    assert look(mount.path)["."] == wanted
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert look(mount.path)["."] == wanted


def test_a_read_after_the_loss_of_the_cache_comes_from_the_store(mount: Mount) -> None:
    content = os.urandom(3_000_000)
    (mount.path / "f").write_bytes(content)
    mount.remount()
    mount.empty_cache()
    assert (mount.path / "f").read_bytes() == content
    with open(mount.path / "f", "rb") as file:
        file.seek(2_000_000)
        mount.empty_cache()
        assert file.read(100_000) == content[2_000_000:2_100_000]


def test_a_damaged_cache_is_noticed(mount: Mount) -> None:
    content = os.urandom(1_000_000)
    (mount.path / "f").write_bytes(content)
    mount.umount()
    for path in mount.cache.rglob("*"):
        if path.is_file() and path.stat().st_size >= 500_000:
            with open(path, "r+b") as file:
                file.seek(300_000)
                file.write(b"\0" * 1_000)
    mount.start()
    assert (mount.path / "f").read_bytes() == content


# --- somebody else was at the store ------------------------------------------------------------------------------


def test_files_put_into_the_store_appear(attentive: Mount) -> None:
    (attentive.path / "d").mkdir()
    attentive.wait()
    assert os.listdir(attentive.path / "d") == []
    (attentive.store / "new").write_bytes(b"by hand")
    (attentive.store / "d/inner").mkdir()
    (attentive.store / "d/inner/f").write_bytes(b"deep")
    eventually(lambda: "new" in os.listdir(attentive.path))
    eventually(lambda: os.listdir(attentive.path / "d") == ["inner"])
    assert (attentive.path / "new").read_bytes() == b"by hand"
    assert (attentive.path / "d/inner/f").read_bytes() == b"deep"
    assert (attentive.path / "new").stat().st_mtime_ns == (attentive.store / "new").stat().st_mtime_ns


def test_a_name_looked_for_in_vain_appears(attentive: Mount) -> None:
    assert not (attentive.path / "later").exists()
    (attentive.store / "later").write_bytes(b"here")
    eventually(lambda: (attentive.path / "later").exists())


def test_changed_files_show_their_new_content(attentive: Mount) -> None:
    (attentive.path / "f").write_bytes(b"first")
    attentive.wait()
    assert (attentive.path / "f").read_bytes() == b"first"
    rewrite(attentive.store / "f", b"second, and longer")
    eventually(lambda: (attentive.path / "f").read_bytes() == b"second, and longer")
    assert (attentive.path / "f").stat().st_size == 18


def test_an_open_file_keeps_what_it_was(attentive: Mount) -> None:
    (attentive.path / "f").write_bytes(b"first content")
    attentive.wait()
    with open(attentive.path / "f", "rb") as file:
        assert file.read(5) == b"first"
        rewrite(attentive.store / "f", b"second")
        eventually(lambda: (attentive.path / "f").read_bytes() == b"second")
        assert file.read() == b" content"


def test_deleted_files_go(attentive: Mount) -> None:
    (attentive.path / "d").mkdir()
    for name in ("f", "d/g"):
        (attentive.path / name).write_bytes(b"here")
    attentive.wait()
    (attentive.store / "f").unlink()
    shutil.rmtree(attentive.store / "d")
    eventually(lambda: os.listdir(attentive.path) == [])
    with pytest.raises(FileNotFoundError):
        (attentive.path / "f").stat()


def test_a_file_becomes_a_directory(attentive: Mount) -> None:
    (attentive.path / "x").write_bytes(b"file")
    attentive.wait()
    (attentive.store / "x").unlink()
    (attentive.store / "x").mkdir()
    (attentive.store / "x/y").write_bytes(b"inside")
    eventually(lambda: (attentive.path / "x").is_dir())
    assert (attentive.path / "x/y").read_bytes() == b"inside"


def test_changes_made_while_not_mounted_show(trusting: Mount) -> None:
    """What was learnt by the last mount is old news after ``dir_cache_time``, which went by if nothing ran."""
    (trusting.path / "f").write_bytes(b"first")
    trusting.umount()
    rewrite(trusting.store / "f", b"changed meanwhile")
    (trusting.store / "new").write_bytes(b"new")
    trusting.start("dir_cache_time=1")
    eventually(lambda: sorted(os.listdir(trusting.path)) == ["f", "new"])
    eventually(lambda: (trusting.path / "f").read_bytes() == b"changed meanwhile")


# --- both sides changed ------------------------------------------------------------------------------------------


def test_both_versions_are_kept(trusting: Mount) -> None:
    (trusting.path / "f").write_bytes(b"common")
    trusting.wait()
    rewrite(trusting.store / "f", b"theirs")
    (trusting.path / "f").write_bytes(b"our own")
    trusting.wait()
    assert contents(trusting.store) == [b"our own", b"theirs"]
    assert b"our own" in contents(trusting.path)
    trusting.remount("dir_cache_time=1")
    eventually(lambda: contents(trusting.path) == [b"our own", b"theirs"])


def test_two_new_files_of_one_name_are_kept(trusting: Mount) -> None:
    assert os.listdir(trusting.path) == []
    (trusting.store / "f").write_bytes(b"theirs")
    (trusting.path / "f").write_bytes(b"our own")
    trusting.wait()
    assert contents(trusting.store) == [b"our own", b"theirs"]


def test_our_change_survives_their_deletion(trusting: Mount) -> None:
    (trusting.path / "f").write_bytes(b"common")
    trusting.wait()
    (trusting.store / "f").unlink()
    (trusting.path / "f").write_bytes(b"our own")
    trusting.wait()
    assert contents(trusting.store) == [b"our own"]


def test_their_change_survives_our_deletion(trusting: Mount) -> None:
    (trusting.path / "f").write_bytes(b"common")
    trusting.wait()
    rewrite(trusting.store / "f", b"theirs")
    (trusting.path / "f").unlink()
    trusting.wait()
    assert contents(trusting.store) == [b"theirs"]
    trusting.remount("dir_cache_time=1")
    eventually(lambda: contents(trusting.path) == [b"theirs"])


def test_their_new_file_survives_our_deletion_of_its_directory(trusting: Mount) -> None:
    (trusting.path / "d").mkdir()
    (trusting.path / "d/f").write_bytes(b"ours")
    trusting.wait()
    (trusting.store / "d/theirs").write_bytes(b"theirs")
    shutil.rmtree(trusting.path / "d")
    trusting.wait(15)
    assert [path.read_bytes() for path in trusting.store.rglob("theirs")] == [b"theirs"]
    assert [path.read_bytes() for path in trusting.path.rglob("theirs")] == [b"theirs"]


def test_both_directories_of_one_name_become_one(trusting: Mount) -> None:
    assert os.listdir(trusting.path) == []
    (trusting.store / "d").mkdir()
    (trusting.store / "d/theirs").write_bytes(b"theirs")
    (trusting.path / "d").mkdir()
    (trusting.path / "d/ours").write_bytes(b"ours")
    trusting.wait()
    assert contents(trusting.store / "d") == [b"ours", b"theirs"]


def test_the_same_change_on_both_sides_makes_no_copy(trusting: Mount) -> None:
    (trusting.path / "f").write_bytes(b"common")
    trusting.wait()
    rewrite(trusting.store / "f", b"the same")
    (trusting.path / "f").write_bytes(b"the same")
    trusting.wait()
    assert set(contents(trusting.store)) == {b"the same"}


# --- the driver died ---------------------------------------------------------------------------------------------


def test_mounting_over_ones_own_dead_mountpoint(mount: Mount) -> None:
    (mount.path / "f").write_bytes(b"closed before the end")
    mount.kill()
    with pytest.raises(OSError, match="not connected"):
        os.listdir(mount.path)
    mount.start()
    assert (mount.path / "f").read_bytes() == b"closed before the end"
    mount.umount()
    assert (mount.store / "f").read_bytes() == b"closed before the end"


def test_a_polite_signal_unmounts(mount: Mount) -> None:
    (mount.path / "f").write_bytes(b"content")
    os.kill(int(mount.status()["pid"]), signal.SIGTERM)
    eventually(lambda: not mount.mounted)
    mount.start()
    assert (mount.path / "f").read_bytes() == b"content"


def test_plain_umount_waits(mount: Mount) -> None:
    """umount(8) finds our helper through utab; where it is not installed it still must not lose anything."""
    (mount.path / "f").write_bytes(b"x" * 5_000_000)
    run("umount", mount.path)
    eventually(lambda: not mount.pids())
    mount.start()
    assert (mount.path / "f").read_bytes() == b"x" * 5_000_000
    mount.wait()
    assert (mount.store / "f").stat().st_size == 5_000_000
