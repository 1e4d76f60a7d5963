"""The pause that all processes of an account keep, and clocks that are put right meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cloudfs.http.shared_brake import SharedBrake

HOUR, YEAR = 3600, 31_536_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pause"


def note_a_year_ahead(file: Path) -> None:
    """As a process did whose clock was wrong."""
    wrong = time.time() + YEAR
    file.write_text(f"{wrong + 30:.3f}\n")
    os.utime(file, (wrong, wrong))


def test_a_pause_holds_for_every_process(file: Path) -> None:
    mine, other = SharedBrake(file), SharedBrake(file)
    until = time.time() + 30
    mine.hold(until)
    for brake in (mine, other):
        assert brake.until() == pytest.approx(until, abs=0.001)


def test_a_pause_is_never_shortened(file: Path) -> None:
    mine, other = SharedBrake(file), SharedBrake(file)
    until = time.time() + 30
    mine.hold(until)
    other.hold(until - 20)
    assert SharedBrake(file).until() == pytest.approx(until, abs=0.001)


def test_nobody_is_held_for_longer_than_an_hour(file: Path) -> None:
    SharedBrake(file).hold(time.time() + 2 * HOUR)
    assert SharedBrake(file).until() == pytest.approx(time.time() + HOUR, abs=60)


def test_a_pause_that_a_wrong_clock_noted_does_not_last(file: Path) -> None:
    note_a_year_ahead(file)
    assert SharedBrake(file).until() <= time.time()


def test_a_pause_that_this_process_noted_by_a_wrong_clock_does_not_last(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brake, now = SharedBrake(file), time.time
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now() + YEAR)
        brake.hold(time.time() + 30)
        assert brake.until() > time.time()
    assert brake.until() <= time.time()


def test_what_a_wrong_clock_noted_is_in_the_way_of_no_other_pause(file: Path) -> None:
    note_a_year_ahead(file)
    mine, other = SharedBrake(file), SharedBrake(file)
    assert other.until() <= time.time()
    until = time.time() + 30
    mine.hold(until)
    for brake in (mine, other):
        assert brake.until() == pytest.approx(until, abs=0.001)
