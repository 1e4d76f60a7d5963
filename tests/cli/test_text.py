from __future__ import annotations

import os
import re
from datetime import datetime
from typing import Any

import pytest

from cloudfs.cli.progress import Tally
from cloudfs.cli.render import render_list, render_one, show_state
from cloudfs.cli.text import printable, show_duration, show_share
from tests.cli.conftest import STATUS

NOW = 1_700_000_000.0


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
    assert render_one(STATUS, NOW) == [
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


def test_a_mount_at_work() -> None:
    busy = {
        **STATUS,
        "state": "online",
        "since": NOW - 9000,
        "oldest": NOW - 300,
        "speed": 1 << 20,
        "failing": "PUT a: 503",
        "staged": {"used": 5 << 20},
        "parked": [],
    }
    assert render_one(busy, NOW)[2:9] == [
        "  state    online",
        f"  pending  2 files, 3 MiB, the oldest since {clock(NOW - 300)} (5 min)",
        "  speed    1 MiB/s, about 2 s left",
        "  failing  PUT a: 503",
        "  cache    1 GiB of 10 GiB",
        "  staged   5 MiB",
        "  store    5 GiB",
    ]


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({"state": "online", "since": NOW - 5}, "online"),
        (
            {"state": "offline", "since": NOW - 720, "reason": "no route"},
            f"offline since {{{-720}}} (12 min): no route",
        ),
        ({"state": "sign-in required", "since": NOW - 60, "reason": "revoked"}, "sign-in required since {-60} (60 s)"),
        ({"state": "store full", "since": NOW - 60}, "store full since {-60} (60 s)"),
        ({"state": "offline", "since": NOW - 200_000}, "offline since {-200000} (55.6 h)"),
        ({"state": "throttled", "since": NOW, "until": NOW + 40}, "throttled until {40} (40 s)"),
        ({"state": "dead", "reason": "gone"}, "dead: gone"),
    ],
)
def test_how_a_store_stands(status: dict[str, Any], shown: str) -> None:
    said = show_state(status, NOW)
    wanted = re.sub(r"\{(-?\d+)\}", lambda match: clock(NOW + int(match[1])), shown)
    assert said.startswith(wanted)


def test_one_file_inside() -> None:
    path = {"path": "a/b", "state": "failing", "bytes": 1 << 20, "since": NOW - 60, "attempts": 4, "reason": "a 503"}
    assert render_one({**STATUS, "path": path}, NOW)[6] == (
        f"  path     a/b: failing, 1 MiB, since {clock(NOW - 60)} (60 s), 4 failures: a 503"
    )


def clock(moment: float) -> str:
    there, today = datetime.fromtimestamp(moment), datetime.fromtimestamp(NOW)
    clock = "%H:%M:%S" if moment > NOW else "%H:%M"
    return there.strftime(clock if there.date() == today.date() else f"%Y-%m-%d {clock}")


def test_what_nobody_knows() -> None:
    unknown = {**STATUS, "state": "dead", "reason": "gone", "pending": {"files": None, "bytes": None}, "parked": []}
    unknown |= {"cache": {"used": None, "limit": None}, "store": {"used": None, "total": None}, "uploading": []}
    assert render_one(unknown, NOW)[2:] == [
        "  state    dead: gone",
        "  pending  unknown",
        "  cache    unknown",
        "  store    unknown",
    ]


def test_long_lists_are_cut() -> None:
    parked = [{"path": f"file{number}", "reason": "full"} for number in range(103)]
    assert render_one({**STATUS, "parked": parked}, NOW)[-2:] == ["    file99: full", "    and 3 others"]


def test_all_mounts() -> None:
    idle = {**STATUS, "mountpoint": "/m", "pending": {"files": 0, "bytes": 0}, "parked": []}
    assert render_list([STATUS, idle]) == [
        "MOUNTPOINT   SOURCE         STATE      PENDING         PARKED  CACHE",
        "/mnt/backup  backup:photos  uploading  2 files, 3 MiB  1       1 GiB of 10 GiB",
        "/m           backup:photos  uploading  nothing         0       1 GiB of 10 GiB",
    ]
    assert render_list([]) == ["nothing is mounted"]
