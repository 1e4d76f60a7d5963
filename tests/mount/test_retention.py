"""Snapshots of a real mount: the rules of ``tests/test_retention.py``, carried out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.mount.driver import Mount, eventually

MakeMount = Callable[..., Mount]
KIB = 1024


def configured(mount: Mount, **rules: object) -> Mount:
    """Rules for ``snaps`` of the mount's store."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in rules.items()]
    (mount.home / "config.toml").write_text(
        "\n".join(["[[retention]]", 'remote = "local"', f'path = "{mount.store}/snaps"', *lines, ""])
    )
    return mount


def snapshot(mount: Mount, name: str, size: int = 10 * KIB) -> None:
    """A directory with two files, at once."""
    directory = mount.path / "snaps" / name
    directory.mkdir(parents=True)
    (directory / "one").write_bytes(os.urandom(size // 2))
    (directory / "two").write_bytes(os.urandom(size // 2))


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory / "snaps"))


def prune(mount: Mount, *arguments: str) -> list[dict[str, Any]]:
    [found] = json.loads(mount.succeed("prune", "--json", *arguments, str(mount.path)))
    rows = found["snapshots"]
    assert isinstance(rows, list)
    return rows


def test_rules_for_each_directory_by_itself(mount: Mount) -> None:
    configured(mount, max_size="25K")
    file = mount.home / "config.toml"
    file.write_text(file.read_text().replace("/snaps", "/snaps/*"))
    for day in (1, 2, 3, 4):
        for directory in ("etc", "home"):
            snapshot(mount, f"{directory}/2024-01-0{day}")
    (mount.path / "snaps/a file").write_bytes(b"is not a directory of snapshots")
    mount.wait()
    found = json.loads(mount.succeed("prune", "--json", str(mount.path)))
    assert [Path(outcome["path"]).name for outcome in found] == ["etc", "home"]
    for directory in ("etc", "home"):
        assert sorted(os.listdir(mount.path / "snaps" / directory)) == ["2024-01-03", "2024-01-04"]
    assert (mount.path / "snaps/a file").exists()


def test_the_oldest_go_whole_until_the_rest_fits(mount: Mount) -> None:
    configured(mount, max_size="25K")
    for day in (1, 2, 3, 4):
        snapshot(mount, f"2024-01-0{day}")
    (mount.path / "snaps/1704000000_2023-12-31_home.tar.gz").write_bytes(os.urandom(10 * KIB))
    mount.wait()
    everything = names(mount.path)
    verdicts = [(row["name"], row["verdict"], row["bytes"]) for row in prune(mount, "--dry-run")]
    assert verdicts == [
        ("2024-01-04", "the newest", 10 * KIB),
        ("2024-01-03", "there is room", 10 * KIB),
        ("2024-01-02", "max_size", 10 * KIB),
        ("2024-01-01", "max_size", 10 * KIB),
        ("1704000000_2023-12-31_home.tar.gz", "max_size", 10 * KIB),
    ]
    assert names(mount.path) == everything, "--dry-run changes nothing"
    assert [row["name"] for row in prune(mount) if row["deleted"]] == [
        name for name, why, _ in verdicts if why == "max_size"
    ]
    assert names(mount.path) == ["2024-01-03", "2024-01-04"]
    mount.wait()
    assert names(mount.store) == ["2024-01-03", "2024-01-04"]
    mount.succeed("verify", "--deep", "100", str(mount.path))
    assert not any(row["deleted"] for row in prune(mount)), "once is enough"


def test_nothing_goes_before_the_newest_is_stored(mount: Mount) -> None:
    configured(mount, keep_last=1)
    snapshot(mount, "2024-01-01")
    snapshot(mount, "2024-01-02")
    mount.wait()
    away = mount.store.rename(mount.home / "away")
    snapshot(mount, "2024-01-03")
    assert {row["verdict"] for row in prune(mount)} == {"not stored yet", "another one is not stored yet"}
    assert names(mount.path) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    away.rename(mount.store)
    mount.succeed("retry", str(mount.path))
    mount.wait()
    prune(mount)
    mount.wait()
    assert names(mount.store) == ["2024-01-03"]


def test_the_mount_prunes_by_itself_after_uploads(mount_with: MakeMount) -> None:
    mount = configured(mount_with(started=False), keep_last=2, auto=True)
    mount.start()
    for day in (1, 2, 3):
        snapshot(mount, f"2024-01-0{day}")
    mount.wait()
    eventually(lambda: names(mount.path) == ["2024-01-02", "2024-01-03"])
    snapshot(mount, "2024-01-04")
    mount.wait()
    eventually(lambda: names(mount.path) == ["2024-01-03", "2024-01-04"])
    mount.wait()
    assert names(mount.store) == ["2024-01-03", "2024-01-04"]
    assert "2024-01-01 deleted (not in the schedule)" in (mount.state / "cloudfs.log").read_text()


def test_a_snapshot_is_there_whole_or_not_at_all_after_a_crash(mount: Mount) -> None:
    configured(mount, keep_last=1)
    for day in (1, 2):
        snapshot(mount, f"2024-01-0{day}")
    mount.wait()
    away = mount.store.rename(mount.home / "away")
    prune(mount)
    mount.kill()
    mount.start()
    assert names(mount.path) == ["2024-01-02"]
    away.rename(mount.store)
    mount.succeed("retry", str(mount.path))
    mount.wait()
    assert names(mount.store) == ["2024-01-02"]


def test_an_open_file_of_a_deleted_snapshot_stays_readable(mount: Mount) -> None:
    configured(mount, keep_last=1)
    for day in (1, 2):
        snapshot(mount, f"2024-01-0{day}")
    mount.wait()
    with open(mount.path / "snaps/2024-01-01/one", "rb") as file:
        prune(mount)
        assert len(file.read()) == 5 * KIB
    mount.wait()
    assert names(mount.store) == ["2024-01-02"]


def test_hard_linked_snapshots_count_what_they_share_once(mount: Mount) -> None:
    """What ``rsync --link-dest`` makes."""
    configured(mount, max_size="25K")
    snapshot(mount, "2024-01-01", 20 * KIB)
    for day in (2, 3):
        directory = mount.path / f"snaps/2024-01-0{day}"
        directory.mkdir()
        for name in ("one", "two"):
            os.link(mount.path / "snaps/2024-01-01" / name, directory / name)
    mount.wait()
    assert [row["bytes"] for row in prune(mount)] == [20 * KIB, 0, 0]
    assert len(names(mount.path)) == 3
    usage = json.loads(mount.succeed("usage", "--json", str(mount.path / "snaps")))
    assert (usage["bytes"], usage["files"]) == (20 * KIB, 6)
    assert {entry["name"]: entry["bytes"] for entry in usage["entries"]}["2024-01-02"] == 20 * KIB


def test_unknown_directories_are_listed_first(mount: Mount) -> None:
    """Also after the loss of the catalogue nothing is overlooked."""
    configured(mount, max_size="25K")
    for day in (1, 2, 3):
        snapshot(mount, f"2024-01-0{day}")
    mount.umount()
    mount.forget_everything()
    mount.start()
    usage = json.loads(mount.succeed("usage", "--json", str(mount.path)))
    assert (usage["bytes"], usage["files"]) == (30 * KIB, 6)
    assert usage["store"]["used"] > 0
    prune(mount)
    mount.wait()
    assert names(mount.store) == ["2024-01-02", "2024-01-03"]


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_without_rules_it_says_so(mount: Mount, arguments: tuple[str, ...]) -> None:
    done = mount.command("prune", *arguments)
    assert done.returncode == 1 and "no [[retention]]" in done.stderr
