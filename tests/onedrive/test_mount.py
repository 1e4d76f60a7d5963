"""A mount of OneDrive through the real kernel, as a user has it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators.running import Running
from tests.mount.backup import backup_and_restore
from tests.mount.driver import Mount, eventually
from tests.mount.programs import run
from tests.stores.onedrive import Account

KINDS = ("personal", "business", "documentLibrary")


def names(account: Account) -> set[str]:
    """Paths of all files at the provider but the sidecars."""
    return {path for path in account.tree() if path and not path.endswith(".cloudfs-attributes")}


# --- the whole of it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_backup_and_restore(onedrive: Running, mounting: Callable[..., Mount], tmp_path: Path, kind: str) -> None:
    backup_and_restore(mounting(Account.make(onedrive, kind)), tmp_path / "tree")


def test_a_data_base_survives_the_loss_of_everything_but_the_store(
    account: Account, mounting: Callable[..., Mount]
) -> None:
    mount = mounting(account)
    for journal in ("wal", "delete"):
        with sqlite3.connect(mount.path / f"{journal}.db") as database:
            database.execute(f"PRAGMA journal_mode = {journal}")
            database.execute("CREATE TABLE t (a)")
            database.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(1000)])
        database.close()
    mount.umount()
    mount.forget_everything()
    mount.start()
    for journal in ("wal", "delete"):
        database = sqlite3.connect(mount.path / f"{journal}.db")
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT SUM(a) FROM t").fetchone() == (499_500,)
        database.close()


def test_a_directory_of_a_drive_is_made_and_mounted(account: Account, mounting: Callable[..., Mount]) -> None:
    mount = mounting(account, source="backup/of: this machine")
    (mount.path / "file").write_bytes(b"content")
    mount.umount()
    assert "backup/of： this machine/file" in names(account)


# --- by identity -----------------------------------------------------------------------------------------------------


def test_renames_and_moves_of_directories_are_one_request(
    onedrive: Running, account: Account, mounting: Callable[..., Mount]
) -> None:
    mount = mounting(account, "dir_cache_time=1h")
    (mount.path / "tree/deep").mkdir(parents=True)
    (mount.path / "other").mkdir()
    for number in range(50):
        (mount.path / f"tree/deep/{number}").write_bytes(b"%d" % number)
    mount.wait()
    onedrive.control("counts", "DELETE")
    (mount.path / "tree").rename(mount.path / "other/moved")
    mount.wait()
    requests = onedrive.control("counts", "GET")["requests"]
    assert requests.get("PATCH item", 0) + requests.get("batched parts", 0) <= 3
    assert requests.get("DELETE item", 0) == 0
    assert requests.get("PUT content", 0) <= 2, "the sidecars of the two directories it moved between"
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert (mount.path / "other/moved/deep/7").read_bytes() == b"7"


# --- other clients ---------------------------------------------------------------------------------------------------


def test_changes_of_other_clients_appear(account: Account, mounting: Callable[..., Mount]) -> None:
    mount = mounting(account, "dir_cache_time=1")
    (mount.path / "d").mkdir()
    (mount.path / "d/ours").write_bytes(b"ours")
    mount.wait()
    other = mounting(account)
    (other.path / "d/theirs").write_bytes(b"theirs")
    (other.path / "d/ours").rename(other.path / "renamed")
    other.wait()
    eventually(lambda: sorted(os.listdir(mount.path / "d")) == ["theirs"])
    eventually(lambda: (mount.path / "renamed").exists())
    assert (mount.path / "renamed").read_bytes() == b"ours"
    os.chmod(other.path / "d/theirs", 0o600)
    other.wait()
    eventually(lambda: (mount.path / "d/theirs").stat().st_mode & 0o777 == 0o600)


def test_a_feed_that_has_to_begin_again(onedrive: Running, account: Account, mounting: Callable[..., Mount]) -> None:
    mount, other = mounting(account, "dir_cache_time=1"), mounting(account)
    (mount.path / "first").write_bytes(b"1")
    mount.wait()
    onedrive.control("expire", what="feed")
    (other.path / "second").write_bytes(b"2")
    other.wait()
    eventually(lambda: (mount.path / "second").exists())
    assert mount.status()["state"] == "online"


def test_when_both_changed_a_file_both_are_kept(account: Account, mounting: Callable[..., Mount]) -> None:
    mount, other = mounting(account, "dir_cache_time=1h"), mounting(account)
    (mount.path / "file").write_bytes(b"common")
    mount.wait()
    assert (other.path / "file").read_bytes() == b"common"
    (other.path / "file").write_bytes(b"theirs")
    other.wait()
    (mount.path / "file").write_bytes(b"our own")
    mount.wait()
    drive = account.tree()
    assert sorted(row["size"] for path, row in drive.items() if path.startswith("file")) == [6, 7]
    assert b"our own" in {path.read_bytes() for path in mount.path.iterdir()}


# --- names and files that OneDrive does not take as they are ---------------------------------------------------------


def test_names_that_differ_in_case_only(account: Account, mounting: Callable[..., Mount]) -> None:
    mount = mounting(account)
    for name in ("readme", "README", "ReadMe"):
        (mount.path / name).write_bytes(name.encode())
    (mount.path / "DIR").mkdir()
    (mount.path / "dir").write_bytes(b"a file beside a directory")
    mount.umount()
    assert len({name.casefold() for name in names(account)}) == 5
    mount.forget_everything()
    mount.start()
    assert sorted(os.listdir(mount.path)) == ["DIR", "README", "ReadMe", "dir", "readme"]
    for name in ("readme", "README", "ReadMe"):
        assert (mount.path / name).read_bytes() == name.encode()


def test_names_as_users_of_rclone_know_them(account: Account, mounting: Callable[..., Mount]) -> None:
    mount = mounting(account)
    wanted = ['a"*:<>?\\|b', " lead", "trail ", "dot.", "~home", "tab\there", "CON", "com1.txt", "x_vti_y", "＊", "‛"]
    for name in wanted:
        (mount.path / name).write_bytes(name.encode())
    (mount.path / os.fsdecode(b"\xff")).write_bytes(b"no UTF-8")
    mount.umount()
    assert {"a＂＊：＜＞？＼｜b", "␠lead", "trail␠", "dot．", "～home", "tab␉here", "‛＊", "‛‛"} <= names(account)
    mount.forget_everything()
    mount.start()
    assert sorted(os.listdir(mount.path)) == sorted([*wanted, os.fsdecode(b"\xff")])
    for name in wanted:
        assert (mount.path / name).read_bytes() == name.encode()


def test_a_path_that_is_too_long_is_parked_and_blocks_nobody(account: Account, mounting: Callable[..., Mount]) -> None:
    mount = mounting(account)
    deep = mount.path / ("d" * 200) / ("e" * 150)
    deep.mkdir(parents=True)
    (deep / ("f" * 60)).write_bytes(b"too far down")
    (deep / "short").write_bytes(b"fits")
    (mount.path / "other").write_bytes(b"fits as well")
    done = mount.command("wait", str(mount.path), "--timeout", "30")
    assert done.returncode != 0
    (parked,) = mount.status()["parked"]
    assert "399 characters in a path; this one has 412" in str(parked)
    assert {f"{'d' * 200}/{'e' * 150}/short", "other"} <= names(account)
    (deep / ("f" * 60)).rename(deep / "g")
    mount.wait()
    assert f"{'d' * 200}/{'e' * 150}/g" in names(account)


def test_files_without_bytes_and_their_times(onedrive: Running, mounting: Callable[..., Mount]) -> None:
    account = Account.make(onedrive, "business")
    mount = mounting(account)
    (mount.path / "empty").touch()
    (mount.path / "full").write_bytes(b"x" * 100_000)
    for name in ("empty", "full"):
        os.utime(mount.path / name, ns=(0, 1_234_567_890_123_456_789))
    mount.umount()
    row = account.tree()["full"]
    assert (row["client_modified"], row["versions"]) == ("2009-02-13T23:31:30Z", 1), "the time came with the session"
    assert account.tree()["empty"]["client_modified"] == "2009-02-13T23:31:30Z"
    mount.forget_everything()
    mount.start()
    for name, size in (("empty", 0), ("full", 100_000)):
        found = (mount.path / name).stat()
        assert (found.st_size, found.st_mtime_ns) == (size, 1_234_567_890_123_456_789)


def test_sharepoint_rewrites_documents(onedrive: Running, mounting: Callable[..., Mount]) -> None:
    """They count as stored; what is there afterwards is what the mount shows once it looks again."""
    account = Account.make(onedrive, "documentLibrary")
    mount = mounting(account, "dir_cache_time=1")
    (mount.path / "letter.docx").write_bytes(b"Dear Sir or Madam")
    mount.wait()
    assert mount.status()["parked"] == []
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert (mount.path / "letter.docx").read_bytes() == b"Dear Sir or Madam<!-- rewritten -->"


# --- attributes ------------------------------------------------------------------------------------------------------


def test_nothing_but_files(account: Account, mounting: Callable[..., Mount]) -> None:
    mount = mounting(account, "attributes=off")
    (mount.path / "d").mkdir()
    (mount.path / "d/file").write_bytes(b"content")
    (mount.path / "d/file").chmod(0o600)
    mount.wait()
    assert set(account.tree()) - {""} == {"d", "d/file"}


def test_attributes_go_with_the_directory_and_never_to_another_content(
    account: Account, mounting: Callable[..., Mount]
) -> None:
    mount = mounting(account)
    (mount.path / "d").mkdir()
    for name in ("kept", "changed"):
        (mount.path / "d" / name).write_bytes(b"first")
        (mount.path / "d" / name).chmod(0o4711)
    mount.umount()
    mount.forget_everything()
    plain = mounting(account, "attributes=off")
    (plain.path / "d").rename(plain.path / "moved")
    (plain.path / "moved/changed").write_bytes(b"second")
    plain.umount()
    mount.start()
    assert (mount.path / "moved/kept").stat().st_mode & 0o7777 == 0o4711
    assert (mount.path / "moved/changed").stat().st_mode & 0o7777 == 0o644
    assert (mount.path / "moved/changed").read_bytes() == b"second"


def test_a_cold_directory_costs_its_pages_and_one_more_request(
    onedrive: Running, mounting: Callable[..., Mount]
) -> None:
    account = Account.make(onedrive, page=20)
    mount = mounting(account)
    (mount.path / "d").mkdir()
    for number in range(100):
        (mount.path / f"d/{number}").touch(0o600)
    mount.umount()
    mount.forget_everything()
    mount.start()
    onedrive.control("counts", "DELETE")
    assert len(os.listdir(mount.path / "d")) == 100
    assert all((mount.path / f"d/{number}").stat().st_mode & 0o777 == 0o600 for number in range(100))
    requests = onedrive.control("counts", "GET")["requests"]
    assert requests["GET children"] <= 6 + 2, "101 entries in pages of 20, the root, and the walk that looks at it"
    assert requests["GET download"] <= 2, "the sidecars of the root and of the directory"


def test_a_large_directory_lists_cold_in_as_many_requests_as_pages(
    onedrive: Running, mounting: Callable[..., Mount]
) -> None:
    account = Account.make(onedrive, page=100)
    onedrive.control("files", drive=account.drive, folder="large", count=3000)
    mount = mounting(account)
    onedrive.control("counts", "DELETE")
    assert len(os.listdir(mount.path / "large")) == 3000
    requests = onedrive.control("counts", "GET")["requests"]
    assert requests["GET children"] <= 30 + 2, "its pages, the root, and the walk that looks at it"
    assert "GET download" not in requests


# --- room ------------------------------------------------------------------------------------------------------------


def test_a_full_drive_parks_and_goes_on_when_there_is_room(onedrive: Running, mounting: Callable[..., Mount]) -> None:
    account = Account.make(onedrive, total=3_000_000)
    mount = mounting(account)
    space = os.statvfs(mount.path)
    assert space.f_blocks * space.f_frsize <= 3_000_000 < (space.f_blocks + 1) * space.f_frsize
    (mount.path / "fits").write_bytes(b"x" * 1_000_000)
    mount.wait()
    (mount.path / "does not").write_bytes(b"x" * 2_500_000)
    assert mount.command("wait", str(mount.path), "--timeout", "20").returncode != 0
    (parked,) = mount.status()["parked"]
    assert "reached their quota limit" in str(parked)
    onedrive.control("quota", drive=account.drive, total=9_000_000)
    mount.succeed("pending", "retry", str(mount.path))
    mount.wait()
    assert account.tree()["does not"]["size"] == 2_500_000


def test_usage_speaks_of_the_recycle_bin(account: Account, mounting: Callable[..., Mount]) -> None:
    mount = mounting(account)
    (mount.path / "file").write_bytes(b"x" * 1_000_000)
    mount.wait()
    (mount.path / "file").unlink()
    mount.wait()
    assert "977 KiB in the trash" in mount.succeed("usage", str(mount.path))


def test_rsync_finds_nothing_to_do_on_a_mount_that_was_restarted(
    account: Account, mounting: Callable[..., Mount], tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(20):
        (tmp_path / f"tree/{number}").write_bytes(b"%d" % number)
    mount = mounting(account)
    run("rsync", "-aH", f"{tmp_path}/tree/", f"{mount.path}/")
    mount.remount()
    assert run("rsync", "-aH", "--itemize-changes", f"{tmp_path}/tree/", f"{mount.path}/") == ""


# --- one connection --------------------------------------------------------------------------------------------------


def test_one_connection_is_enough(onedrive: Running, mounting: Callable[..., Mount]) -> None:
    """Also for uploads that have to look once more before the end, and to read what is changed in parts only."""
    account = Account.make(onedrive, "business")
    mount = mounting(account, settings='connections = 1\nfragment = "320KiB"\n')
    content = os.urandom(3_000_000)
    for name in ("small", "large", "other"):
        (mount.path / name).write_bytes(content)
    mount.wait()
    for name in ("small", "other"):
        (mount.path / name).write_bytes(b"replaced")
    mount.umount()
    mount.forget_everything()
    mount.start()
    with open(mount.path / "large", "r+b") as file:
        file.seek(1_500_000)
        file.write(b"patched")
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert (mount.path / "small").read_bytes() == b"replaced"
    assert (mount.path / "large").read_bytes() == content[:1_500_000] + b"patched" + content[1_500_007:]
