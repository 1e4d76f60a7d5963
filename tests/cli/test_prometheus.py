"""Metrics, as Prometheus' own parser reads them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cloudfs.cli.prometheus import STATES, exposition
from cloudfs.writeback.health import State
from tests.cli.conftest import STATUS, World

BUSY: dict[str, Any] = {
    **STATUS,
    "state": "throttled",
    "since": 1000.5,
    "until": 2000,
    "oldest": 900,
    "sent": 12345,
    "failing": "a 503",
    "staged": {"used": 77},
}
DEAD: dict[str, Any] = {
    **STATUS,
    "mountpoint": "/mnt/dead",
    "state": "dead",
    "pending": {"files": None, "bytes": None},
    "uploading": [],
    "parked": [],
    "cache": {"used": None, "limit": None},
    "store": {"used": None, "total": None},
}


def parsed(text: str) -> dict[tuple[str, str], float]:
    """Samples by name and mountpoint, or state where there is one."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type in ("gauge", "counter") for family in families)
    assert len({family.name for family in families}) == len(families)
    return {
        (sample.name, sample.labels.get("state") or sample.labels["mountpoint"]): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_mount_at_work() -> None:
    found = parsed(exposition([BUSY]))
    at = "/mnt/backup"
    assert {name.removeprefix("cloudfs_"): value for (name, place), value in found.items() if place == at} == {
        "up": 1,
        "state_timestamp_seconds": 1000.5,
        "throttled_until_timestamp_seconds": 2000,
        "pending_files": 2,
        "pending_bytes": 3 << 20,
        "oldest_pending_timestamp_seconds": 900,
        "uploading_files": 1,
        "parked_files": 1,
        "failing": 1,
        "sent_bytes_total": 12345,
        "cache_used_bytes": 1 << 30,
        "cache_limit_bytes": 10 << 30,
        "staged_bytes": 77,
        "store_used_bytes": 5 << 30,
    }
    states = {place: value for (name, place), value in found.items() if name == "cloudfs_state"}
    assert states == {state: float(state == "throttled") for state in STATES}


def test_a_dead_driver_has_little_to_say() -> None:
    found = parsed(exposition([BUSY, DEAD]))
    assert [name for name, place in found if place == "/mnt/dead"] == ["cloudfs_up"]
    assert found["cloudfs_up", "/mnt/dead"] == 0


def test_nothing_is_mounted() -> None:
    assert exposition([]) == ""


def test_every_state_of_a_driver_is_known() -> None:
    assert {str(state) for state in State} <= set(STATES)


@pytest.mark.parametrize("name", ['/mnt/"quoted"', "/mnt/back\\slash", "/mnt/new\nline", "/mnt/\N{SNOWMAN}"])
def test_names_of_any_characters(name: str) -> None:
    assert ("cloudfs_up", name) in parsed(exposition([{**BUSY, "mountpoint": name}]))


def test_names_of_any_bytes() -> None:
    assert "\\xff" in exposition([{**BUSY, "mountpoint": os.fsdecode(b"/\xff")}])


def test_the_command_prints_it(world: World) -> None:
    world.daemon("/mnt/backup", status=[{"result": BUSY}])
    assert parsed(world.run("status", "--prometheus").stdout) == parsed(exposition([BUSY]))
    assert parsed(world.run("status", "--prometheus", "/mnt/backup").stdout) == parsed(exposition([BUSY]))
    both = world.run("status", "--prometheus", "--json")
    assert (both.returncode, "either --json or --prometheus" in both.stderr) == (2, True)


def test_a_file_for_the_node_exporter(world: World, tmp_path: Path) -> None:
    world.daemon("/mnt/backup", status=[{"result": BUSY}])
    file = tmp_path / "collector" / "cloudfs.prom"
    file.parent.mkdir()
    file.write_text("what was there before")
    done = world.run("status", "--prometheus", "--output", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert parsed(file.read_text()) == parsed(exposition([BUSY]))
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert [path.name for path in file.parent.iterdir()] == ["cloudfs.prom"]
    wrong = world.run("status", "--prometheus", "--output", str(tmp_path / "none/cloudfs.prom"))
    assert (wrong.returncode, "No such file" in wrong.stderr) == (1, True)
