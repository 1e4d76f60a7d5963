"""When to wake somebody, as a table."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from cloudfs.cli.verdict import Found, Level, judge

NOW = 1_000_000.0
FINE: dict[str, Any] = {
    "state": "online",
    "since": NOW - 50,
    "reason": "",
    "pending": {"files": 0, "bytes": 0},
    "oldest": None,
    "parked": [],
    "failing": "",
    "staged": {"used": 0},
    "options": {"read_only": False},
}
BUSY = {"pending": {"files": 2, "bytes": 3 << 20}, "oldest": NOW - 600, "staged": {"used": 4096}}
PARKED = {"parked": [{"path": "a/b", "reason": "too large"}]}


def told(**changes: Any) -> Found:
    return Found(mounted=True, status={**FINE, **changes})


CASES = [
    (told(), Level.OK, "everything is stored"),
    (told(**BUSY), Level.OK, "2 files (3 MiB) to be stored"),
    (told(**{**BUSY, "oldest": NOW - 90_000}), Level.CRITICAL, "something is not stored for 25 h; 2 files"),
    (told(**BUSY, state="offline", reason="no route"), Level.WARNING, "offline for 50 s (no route); 2 files"),
    (told(state="throttled"), Level.WARNING, "throttled for 50 s; everything is stored"),
    (told(state="sign-in required"), Level.CRITICAL, "sign-in required for 50 s"),
    (told(state="store full"), Level.CRITICAL, "store full for 50 s"),
    (told(state="read-only"), Level.CRITICAL, "the store is read-only"),
    (told(state="read-only", options={"read_only": True}), Level.OK, "everything is stored"),
    (told(state="something new"), Level.UNKNOWN, "something new"),
    (told(**PARKED), Level.CRITICAL, "1 file parked, such as a/b: too large"),
    (told(**PARKED, state="offline"), Level.CRITICAL, "1 file parked"),
    (told(**BUSY, failing="a 503"), Level.WARNING, "uploads fail: a 503"),
    (Found(mounted=False), Level.CRITICAL, "not mounted"),
    (Found(mounted=False, other="ext4"), Level.CRITICAL, "not mounted by cloudfs, but by ext4"),
    (Found(mounted=True, errno=errno.ENOTCONN), Level.CRITICAL, "its driver is dead; mount it again"),
    (Found(mounted=True, errno=errno.ETIMEDOUT), Level.CRITICAL, "it does not answer"),
    (Found(mounted=True, errno=errno.EACCES), Level.CRITICAL, "Permission denied"),
    (Found(mounted=True, foreign=True), Level.UNKNOWN, "no driver of yours answers"),
    (Found(mounted=True, complaint="silent"), Level.CRITICAL, "silent"),
]


@pytest.mark.parametrize(("found", "level", "text"), CASES, ids=[text for _, _, text in CASES])
def test_what_is_made_of_what_was_found(found: Found, level: Level, text: str) -> None:
    verdict = judge(found, NOW, 86_400, only_mounted=False)
    assert verdict.level is level
    assert text in verdict.text


@pytest.mark.parametrize(
    ("found", "level"),
    [
        (told(), Level.OK),
        (told(**PARKED, state="offline", oldest=0), Level.OK),
        (told(state="sign-in required"), Level.OK),
        (told(state="read-only"), Level.CRITICAL),
        (Found(mounted=True, foreign=True), Level.OK),
        (Found(mounted=False), Level.CRITICAL),
        (Found(mounted=True, errno=errno.ENOTCONN), Level.CRITICAL),
        (Found(mounted=True, errno=errno.ETIMEDOUT), Level.CRITICAL),
    ],
)
def test_whether_one_may_write_there(found: Found, level: Level) -> None:
    """What is written is kept whatever the store says, so a backup should run."""
    assert judge(found, NOW, 86_400, only_mounted=True).level is level


def test_figures_for_those_who_draw_curves() -> None:
    figures = judge(told(**BUSY, **PARKED), NOW, 86_400, only_mounted=False).figures
    assert figures == " | pending=2 bytes=3145728B age=600s parked=1 staged=4096B"
