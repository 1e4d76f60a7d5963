from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cloudfs.cli.config_file import ConfigFile
from cloudfs.config import load_config
from cloudfs.errors import UsageError

TEXT = """# My remotes.

[remote.disk]            # the one on the shelf
type = "local"
directory = '/media/disk'   # usually

# Photos
[remote.photos]
type = "local"

[remote.old]
type="local" # keep
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOUDFS_CONFIG", str(tmp_path / "cloudfs" / "config.toml"))
    return tmp_path / "cloudfs" / "config.toml"


@pytest.fixture
def file(path: Path) -> Path:
    path.parent.mkdir()
    path.write_text(TEXT)
    path.chmod(0o644)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_for_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        ConfigFile.read().with_remote("disk", "local", {"directory": "/srv"})[0].write()
    finally:
        os.umask(before)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert load_config().remotes["disk"].settings == {"directory": "/srv"}
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_what_is_there_stays_as_it_is(file: Path) -> None:
    ConfigFile.read().with_remote("new", "local", {})[0].write()
    assert file.read_text() == TEXT + '\n[remote.new]\ntype = "local"\n'
    ConfigFile.read().without_remote("new").write()
    assert file.read_text().rstrip() == TEXT.rstrip()


@pytest.mark.parametrize("name", ["disk", "photos", "old"])
def test_only_the_one_that_is_removed_goes(file: Path, name: str) -> None:
    ConfigFile.read().without_remote(name).write()
    assert set(load_config().remotes) == {"disk", "photos", "old"} - {name}
    kept = {"disk": "# keep", "photos": "# usually", "old": "# the one on the shelf"}
    assert kept[name] in file.read_text()


def test_permissions_stay_while_there_are_no_secrets(file: Path) -> None:
    ConfigFile.read().with_remote("new", "local", {})[0].write()
    assert mode(file) == 0o644


def test_a_name_with_a_dot(path: Path) -> None:
    ConfigFile.read().with_remote("my.disk", "local", {})[0].write()
    assert set(load_config().remotes) == {"my.disk"}
    ConfigFile.read().without_remote("my.disk").write()
    assert not load_config().remotes


def test_tables_in_other_orders(file: Path) -> None:
    file.write_text('remote.a.type = "local"\n')
    ConfigFile.read().without_remote("a").write()
    assert not load_config().remotes
    file.write_text('remote = { a = { type = "local" }, b = { type = "local" } }\n')
    ConfigFile.read().without_remote("a").write()
    assert set(load_config().remotes) == {"b"}


def test_what_would_break_the_file_is_not_written(file: Path) -> None:
    file.write_text('remote = { a = { type = "local" } }\n')
    with pytest.raises(UsageError, match=str(file)):
        ConfigFile.read().with_remote("b", "local", {})


def test_a_link_to_the_file_stays_a_link(file: Path, tmp_path: Path) -> None:
    file.rename(tmp_path / "dotfiles.toml")
    file.symlink_to(tmp_path / "dotfiles.toml")
    ConfigFile.read().with_remote("new", "local", {})[0].write()
    assert file.is_symlink()
    assert "new" in load_config().remotes


def test_a_failure_changes_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed, _ = ConfigFile.read().with_remote("new", "local", {})

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        changed.write()
    assert file.read_text() == TEXT
    assert [each.name for each in file.parent.iterdir()] == ["config.toml"]


def test_the_same_name_again(file: Path) -> None:
    with pytest.raises(UsageError, match="there is a remote disk in"):
        ConfigFile.read().with_remote("disk", "local", {})
    with pytest.raises(UsageError, match="there is no remote disc in"):
        ConfigFile.read().without_remote("disc")
