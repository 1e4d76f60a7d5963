from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cloudfs.daemon.process import await_exit, birth, name
from cloudfs.daemon.registry import Registry, _to_json

MOUNTPOINT = Path("/mnt/backup")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "run")


def test_a_record_is_found_until_it_is_taken_away(registry: Registry) -> None:
    record = registry.register(MOUNTPOINT, "backup:photos")
    assert (record.mountpoint, record.source, record.pid) == (MOUNTPOINT, "backup:photos", os.getpid())
    assert record.socket == registry.socket(MOUNTPOINT)
    assert registry.find(MOUNTPOINT) == record
    assert registry.find(Path("/mnt")) is None
    assert registry.all() == [record]
    registry.unregister(record)
    assert registry.find(MOUNTPOINT) is None
    assert registry.all() == []


def test_nothing_is_registered_before_anything_is(registry: Registry) -> None:
    assert registry.all() == []
    assert registry.find(MOUNTPOINT) is None


def test_mountpoints_are_any_bytes(registry: Registry) -> None:
    paths = [Path("/mnt/a b"), Path("/mnt/a-b"), Path(os.fsdecode(b"/mnt/\xff")), Path("/mnt/" + "x" * 3000)]
    for path in paths:
        registry.register(path, "local:/")
    assert sorted(record.mountpoint for record in registry.all()) == sorted(paths)


def test_the_default_is_this_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDFS_RUNTIME_DIR", str(tmp_path / "run"))
    record = Registry().register(MOUNTPOINT, "x:")
    assert record.socket.parent == tmp_path / "run" / "mounts"
    assert stat.S_IMODE(record.socket.parent.stat().st_mode) == 0o700


def test_records_of_dead_daemons_are_removed_with_their_sockets(registry: Registry) -> None:
    record = registry.register(MOUNTPOINT, "x:")
    dead = replace(record, pid=dead_process())
    file = record.socket.with_suffix(".json")
    file.write_text(_to_json(dead))
    record.socket.touch()
    assert registry.all() == []
    assert not file.exists()
    assert not record.socket.exists()


def test_a_number_used_again_by_another_process_is_not_the_daemon(registry: Registry) -> None:
    record = registry.register(MOUNTPOINT, "x:")
    record.socket.with_suffix(".json").write_text(_to_json(replace(record, born=record.born - 1)))
    assert registry.find(MOUNTPOINT) is None


def test_a_record_of_another_process_stays(registry: Registry) -> None:
    older = registry.register(MOUNTPOINT, "x:")
    newer = replace(older, started=older.started + 1)
    older.socket.with_suffix(".json").write_text(_to_json(newer))
    registry.unregister(older)
    assert registry.find(MOUNTPOINT) == newer


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"mountpoint": 3}', "\udcff"])
def test_what_is_no_record_is_passed_over(registry: Registry, text: str) -> None:
    record = registry.register(MOUNTPOINT, "x:")
    (record.socket.parent / "other.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert registry.all() == [record]


class TestProcesses:
    def test_birth_tells_processes_apart(self) -> None:
        assert birth(os.getpid()) == birth(os.getpid())
        assert birth(dead_process()) is None

    def test_a_zombie_is_dead(self) -> None:
        with subprocess.Popen([sys.executable, "-S", "-c", ""], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            assert birth(child.pid) is None

    def test_waiting_for_the_end_of_one(self) -> None:
        with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as child:
            born = birth(child.pid)
            assert born is not None
            assert not await_exit(child.pid, born, 0.01)
            assert await_exit(child.pid, born - 1, 0.01), "another process of that number"
            child.terminate()
            assert await_exit(child.pid, born, 30)
        assert await_exit(child.pid, born, 0)

    def test_names(self) -> None:
        assert name(os.getpid())
        assert name(dead_process()) == ""


def dead_process() -> int:
    """The number of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-S", "-c", ""])
    done.wait()
    return done.pid
