"""A file that cannot be stored: everybody who asks is told, nobody else is held up, and a person has four ways on."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mount.driver import Mount, eventually
from tests.mount.test_limits import MIB, digest_of, error_of, small_disk, write_random


@pytest.fixture
def full(mount_with: Callable[..., Mount]) -> Iterator[Mount]:
    """A mount whose store has no room for the 4 MiB of ``big``, which is parked; ``small`` is stored."""
    mount = mount_with("xattr", started=False)
    mount.store.rmdir()
    with small_disk(mount.store, 8) as store:
        mount.start()
        (store / "ballast").write_bytes(b"x" * 6 * MIB)
        write_random(mount.path / "big", 4)
        eventually(lambda: [row["path"] for row in mount.status()["parked"]] == ["big"])
        (mount.path / "small").write_bytes(b"small")
        eventually(lambda: (store / "small").exists())
        yield mount
        mount.dispose()


def pending(mount: Mount, *paths: Path) -> list[dict[str, Any]]:
    found = json.loads(mount.succeed("pending", "list", "--json", *map(str, paths or [mount.path])))
    assert isinstance(found, list)
    return found


def test_others_are_stored_and_everybody_who_waits_is_told(full: Mount) -> None:
    assert full.command("wait", str(full.path)).returncode == 1
    assert full.command("wait", str(full.path / "big")).returncode == 1
    full.succeed("wait", str(full.path / "small"))
    assert full.command("check", str(full.path)).returncode != 0
    assert full.command("umount", str(full.path), "--timeout", "5").returncode == 1
    assert full.mounted


def test_close_and_fsync_fail_until_it_is_resolved(full: Mount) -> None:
    big = full.path / "big"

    def appended() -> None:
        with open(big, "ab"):
            pass

    def synced(flags: int) -> None:
        file = os.open(big, flags)
        try:
            os.fsync(file)
        finally:
            if flags == os.O_RDONLY:
                os.close(file)  # who only reads is not bothered by close()
            else:
                assert error_of(lambda: os.close(file)) == "EIO"

    assert error_of(appended) == "EIO"
    assert error_of(lambda: synced(os.O_RDONLY)) == "EIO"
    assert error_of(lambda: synced(os.O_RDWR)) == "EIO"
    assert big.read_bytes()[:4] != b"", "reading goes on"
    assert error_of((full.path / "small").touch) == "OK"

    (full.store / "ballast").unlink()
    full.succeed("pending", "retry", str(big))
    full.wait()
    assert error_of(appended) == "OK"
    assert error_of(lambda: synced(os.O_RDONLY)) == "OK"
    full.succeed("check", str(full.path))


def test_what_is_pending_is_listed_with_its_reason(full: Mount) -> None:
    [row] = [row for row in pending(full) if row["path"] == "big"]
    assert (row["state"], row["change"], row["type"], row["bytes"]) == ("parked", "new", "file", 4 * MIB)
    assert row["attempts"] >= 1 and row["reason"] and row["since"] > 1_600_000_000
    assert pending(full, full.path / "big") == [row]
    assert pending(full, full.path / "small") == []
    # Of all mounts of this user; those of other tests may be dead, or end just now.
    everywhere = full.command("pending")
    [line] = [line for line in everywhere.stdout.splitlines() if f"{full.path}/big" in line]
    assert line.startswith("parked") and str(full.path) not in everywhere.stderr


def test_the_state_of_one_file(full: Mount) -> None:
    path = json.loads(full.succeed("status", "--json", str(full.path / "big")))["path"]
    assert (path["path"], path["state"], path["bytes"]) == ("big", "parked", 4 * MIB)
    assert path["reason"]
    assert json.loads(full.succeed("status", "--json", str(full.path / "small")))["path"]["state"] == "stored"
    assert json.loads(full.succeed("status", "--json", str(full.path)))["path"] is None
    assert os.getxattr(full.path / "big", "user.cloudfs.state") == b"parked"
    assert os.getxattr(full.path / "small", "user.cloudfs.state") == b"stored"
    assert os.listxattr(full.path / "big") == [], "so that nobody copies it along"
    assert error_of(lambda: os.setxattr(full.path / "big", "user.cloudfs.state", b"stored")) == "EPERM"


def test_without_the_option_there_are_no_attributes(mount: Mount) -> None:
    (mount.path / "f").touch()
    with pytest.raises(OSError) as refused:
        os.getxattr(mount.path / "f", "user.cloudfs.state")
    assert refused.value.errno == errno.EOPNOTSUPP


def test_its_bytes_can_be_copied_out(full: Mount, tmp_path: Path) -> None:
    full.succeed("pending", "export", str(full.path / "big"), str(tmp_path / "rescued"))
    assert digest_of(tmp_path / "rescued") == digest_of(full.path / "big")
    again = full.command("pending", "export", str(full.path / "big"), str(tmp_path / "rescued"))
    assert again.returncode == 1 and "not overwritten" in again.stderr
    full.succeed("pending", "export", str(full.path), str(tmp_path / "tree"))
    assert sorted(path.name for path in (tmp_path / "tree").iterdir()) == ["big"]
    assert full.command("pending", "export", str(full.path / "small"), str(tmp_path / "x")).returncode == 1


def test_it_can_be_given_up(full: Mount) -> None:
    refused = full.command("pending", "discard", str(full.path / "big"))
    assert refused.returncode == 1 and "--yes" in refused.stderr
    assert (full.path / "big").exists()
    full.succeed("pending", "discard", "--yes", str(full.path / "big"))
    assert sorted(os.listdir(full.path)) == ["ballast", "small"]
    full.wait()
    full.succeed("verify", str(full.path))
    full.umount()


def test_a_changed_file_is_the_stored_one_again(full: Mount) -> None:
    before = (full.path / "small").stat()
    assert (full.path / "small").read_bytes() == b"small"
    write_random(full.path / "small", 4, seed=3)
    eventually(lambda: {row["path"] for row in full.status()["parked"]} == {"big", "small"})
    (full.path / "big").unlink()
    (full.path / "dir").mkdir()
    (full.path / "small").rename(full.path / "dir/moved")
    full.succeed("pending", "discard", "--yes", str(full.path))
    assert sorted(os.listdir(full.path)) == ["ballast", "small"]
    assert (full.path / "small").read_bytes() == b"small"
    assert (full.path / "small").stat().st_mtime_ns == before.st_mtime_ns
    full.succeed("verify", str(full.path))
    full.umount()


def test_what_failed_is_still_known_after_a_crash(full: Mount) -> None:
    full.kill()
    full.start()
    assert [row["path"] for row in full.status()["parked"]] == ["big"]
    with open(full.path / "big", "rb") as file:
        assert error_of(lambda: os.fsync(file.fileno())) == "EIO"
