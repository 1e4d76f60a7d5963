from __future__ import annotations

import os

import pytest

from cloudfs.cli.progress import Tally
from cloudfs.cli.render import render_list, render_one
from cloudfs.cli.text import printable, show_duration, show_share
from tests.cli.conftest import STATUS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \N{SNOWMAN}", "plain \N{SNOWMAN}"),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        (os.fsdecode(b"\xff."), "\\xff."),
        ("\N{RIGHT-TO-LEFT OVERRIDE}", "\\u202e"),
    ],
)
def test_names_cannot_command_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_durations() -> None:
    assert [show_duration(seconds) for seconds in (1.5, 119, 300, 9000)] == ["1.5 s", "119 s", "5 min", "2.5 h"]


def test_shares_are_rounded_down() -> None:
    assert [show_share(*pair) for pair in ((0, 0), (999, 1000), (1000, 1000))] == ["0 %", "99 %", "100 %"]


def test_the_tally_of_a_wait() -> None:
    tally = Tally()
    assert tally.add({"bytes": 100, "uploading": [{"done": 10}, {"done": 5}]}) == (15, 100)
    assert tally.add({"bytes": 60}) == (40, 100), "a file is stored"
    assert tally.add({"bytes": 90}) == (40, 130), "a new one came"
    assert tally.add({"bytes": 0, "uploading": [{"done": 7}]}) == (130, 130)


def test_one_mount() -> None:
    assert render_one(STATUS) == [
        "/mnt/backup",
        "  source   backup:photos",
        "  state    uploading",
        "  pending  2 files, 3 MiB",
        "  cache    1 GiB of 10 GiB",
        "  store    5 GiB",
        "  uploading",
        "    a/b.jpg: 50 % of 2 MiB",
        "  parked",
        "    c: the store is full",
    ]


def test_what_nobody_knows() -> None:
    unknown = {**STATUS, "state": "dead", "reason": "gone", "pending": {"files": None, "bytes": None}, "parked": []}
    unknown |= {"cache": {"used": None, "limit": None}, "store": {"used": None, "total": None}, "uploading": []}
    assert render_one(unknown)[2:] == [
        "  state    dead: gone",
        "  pending  unknown",
        "  cache    unknown",
        "  store    unknown",
    ]


def test_long_lists_are_cut() -> None:
    parked = [{"path": f"file{number}", "reason": "full"} for number in range(103)]
    assert render_one({**STATUS, "parked": parked})[-2:] == ["    file99: full", "    and 3 others"]


def test_all_mounts() -> None:
    idle = {**STATUS, "mountpoint": "/m", "pending": {"files": 0, "bytes": 0}, "parked": []}
    assert render_list([STATUS, idle]) == [
        "MOUNTPOINT   SOURCE         STATE      PENDING         PARKED  CACHE",
        "/mnt/backup  backup:photos  uploading  2 files, 3 MiB  1       1 GiB of 10 GiB",
        "/m           backup:photos  uploading  nothing         0       1 GiB of 10 GiB",
    ]
    assert render_list([]) == ["nothing is mounted"]
