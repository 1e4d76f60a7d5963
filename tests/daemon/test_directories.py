from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.config import Remote, Source
from cloudfs.daemon.directories import cache_directory, make_private, runtime_directory, slug, state_directory
from cloudfs.daemon.request import make_request
from cloudfs.errors import UsageError
from cloudfs.options import MountOptions

SOURCE = Source("backup:photos", Remote("backup", "local", {}), "photos")


def test_slugs_are_readable_and_never_change() -> None:
    assert slug("backup:photos/2024") == "backup-photos-2024-91f4964b7d"
    assert slug("local:/") == "local-b4d59dd7a7"


@given(st.text())
def test_slugs_are_file_names(text: str) -> None:
    assert re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9-]*-)?[0-9a-f]{10}", slug(text))
    assert len(slug(text)) <= 51


@given(st.text(), st.text())
def test_slugs_differ(one: str, other: str) -> None:
    assert (slug(one) == slug(other)) is (one == other)


def be(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)


def test_where_root_keeps_things(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUDFS_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/nowhere")
    be(monkeypatch, 0)
    assert state_directory("a:b") == Path("/var/lib/cloudfs") / slug("a:b")
    assert cache_directory("a:b") == Path("/var/cache/cloudfs") / slug("a:b")
    assert runtime_directory() == Path("/run/cloudfs")


def test_where_others_keep_things(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.delenv("CLOUDFS_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr(platformdirs, "user_runtime_path", lambda name: runtime / name)
    be(monkeypatch, 1000)
    assert state_directory("a:b") == tmp_path / "state" / "cloudfs" / slug("a:b")
    assert cache_directory("a:b") == tmp_path / "cache" / "cloudfs" / slug("a:b")
    assert runtime_directory() == runtime / "cloudfs"


def test_a_private_directory_is_made_once(tmp_path: Path) -> None:
    wanted = tmp_path / "a" / "b"
    for _ in range(2):
        assert make_private(wanted) == wanted
        assert stat.S_IMODE(wanted.stat().st_mode) == 0o700


def test_an_empty_directory_that_was_made_for_us_becomes_private(tmp_path: Path) -> None:
    empty, used = tmp_path / "empty", tmp_path / "used"
    for directory in (empty, used):
        directory.mkdir(mode=0o755)
    (used / "of somebody else").touch()
    make_private(empty)
    make_private(used)
    assert [stat.S_IMODE(directory.stat().st_mode) for directory in (empty, used)] == [0o700, 0o755]


def test_a_directory_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match="others may write to"):
        make_private(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, -1)
    with pytest.raises(UsageError, match="belongs to another user"):
        make_private(tmp_path)


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot use the directory"):
        make_private(tmp_path / "file" / "state")


def test_a_request_has_exactly_the_directories_of_its_options(tmp_path: Path) -> None:
    options = MountOptions(state_dir=tmp_path / "state", cache_dir=tmp_path / "cache")
    request = make_request(SOURCE, Path("/mnt"), options)
    assert (request.state_dir, request.cache_dir) == (tmp_path / "state", tmp_path / "cache")
    assert request.state_dir.is_dir() and request.cache_dir.is_dir()
    assert request.log_file.parent == request.state_dir


def test_a_request_without_has_directories_named_for_its_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    be(monkeypatch, os.stat(tmp_path).st_uid or 1000)
    monkeypatch.setattr("cloudfs.daemon.request.make_private", lambda path: path)
    request = make_request(SOURCE, Path("/mnt"), MountOptions())
    assert request.state_dir == tmp_path / "state" / "cloudfs" / slug("backup:photos")
    assert request.cache_dir == tmp_path / "cache" / "cloudfs" / slug("backup:photos")
