"""The rules of retention as a table of cases, and what holds whatever the rules are."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.retention import Rules, Snapshot, Verdict, decide, parse_rules, snapshot_time

DAY = 86400.0


def days(*sizes: int, pending: tuple[int, ...] = ()) -> list[Snapshot]:
    """One snapshot a day since 2024-01-01 00:00, called ``0``, ``1``... those of ``pending`` are not stored yet."""
    start = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    return [Snapshot(str(n), start + n * DAY, size, n not in pending) for n, size in enumerate(sizes)]


def deleted(snapshots: list[Snapshot], **rules: int | None) -> str:
    """The names of what is deleted, the oldest first."""
    verdicts = decide(snapshots, Rules(path="", **rules))  # type: ignore[arg-type]
    return " ".join(snapshot.name for snapshot, verdict in reversed(verdicts) if verdict.deletes)


TEN = days(*[10] * 10)


@pytest.mark.parametrize(
    ("snapshots", "rules", "gone"),
    [
        # Room.
        (TEN, {"max_size": 100}, ""),
        (TEN, {"max_size": 99}, "0"),
        (TEN, {"max_size": 75}, "0 1 2"),
        (TEN, {"max_size": 1}, "0 1 2 3 4 5 6 7 8"),
        (days(90, 5, 5), {"max_size": 20}, "0"),
        (days(5, 5, 90), {"max_size": 20}, "0 1"),
        (days(90), {"max_size": 20}, ""),
        ([], {"max_size": 20}, ""),
        # The floor.
        (TEN, {"max_size": 1, "min_keep": 3}, "0 1 2 3 4 5 6"),
        (TEN, {"max_size": 1, "min_keep": 20}, ""),
        (TEN, {"max_size": 1, "min_keep": 0}, "0 1 2 3 4 5 6 7 8"),
        (TEN, {"keep_last": 1, "min_keep": 3}, "0 1 2 3 4 5 6"),
        # The schedule: days 0 to 6 are the first week of 2024, 7 to 9 the second.
        (TEN, {"keep_last": 4}, "0 1 2 3 4 5"),
        (TEN, {"keep_daily": 2}, "0 1 2 3 4 5 6 7"),
        (TEN, {"keep_weekly": 1}, "0 1 2 3 4 5 6 7 8"),
        (TEN, {"keep_weekly": 5}, "0 1 2 3 4 5 7 8"),
        (TEN, {"keep_monthly": 12}, "0 1 2 3 4 5 6 7 8"),
        (TEN, {"keep_last": 2, "keep_weekly": 2}, "0 1 2 3 4 5 7"),
        # Room counts after the schedule, and comes before it.
        (TEN, {"keep_last": 4, "max_size": 40}, "0 1 2 3 4 5"),
        (TEN, {"keep_last": 4, "max_size": 39}, "0 1 2 3 4 5 6"),
        (TEN, {"keep_last": 4, "max_size": 1, "min_keep": 2}, "0 1 2 3 4 5 6 7"),
        (days(10, 10, 10, 10, 10, 10, 10, 10), {"keep_weekly": 2, "max_size": 20}, "0 1 2 3 4 5"),
        # Not before the newer one is stored and checked.
        (days(*[10] * 10, pending=(9,)), {"max_size": 50}, ""),
        (days(*[10] * 10, pending=(9,)), {"keep_last": 2}, ""),
        (days(*[10] * 10, pending=(4,)), {"max_size": 50}, ""),
        (days(*[10] * 10, pending=(0,)), {"max_size": 50}, ""),
    ],
)
def test_what_goes(snapshots: list[Snapshot], rules: dict[str, int], gone: str) -> None:
    assert deleted(snapshots, **rules) == gone


def test_every_verdict_has_a_reason() -> None:
    verdicts = decide(days(*[10] * 4, pending=(2,)), Rules("", max_size=1))
    assert [verdict for _, verdict in verdicts] == [
        Verdict.NEWEST,
        Verdict.NOT_STORED,
        Verdict.WAITS,
        Verdict.WAITS,
    ]
    verdicts = decide(days(*[10] * 5), Rules("", keep_last=3, max_size=20, min_keep=2))
    assert [verdict.value for _, verdict in verdicts] == [
        "the newest",
        "in the schedule",
        "max_size",
        "not in the schedule",
        "not in the schedule",
    ]


def test_of_one_age_the_name_decides() -> None:
    assert deleted([Snapshot("b", 5, 10), Snapshot("a", 5, 10), Snapshot("c", 5, 10)], max_size=20) == "a"


snapshots = st.lists(
    st.builds(Snapshot, st.text(min_size=1), st.floats(0, 4e9), st.integers(0, 1000), st.booleans()),
    unique_by=lambda each: each.name,
    max_size=40,
)
counts = st.integers(0, 6)
rules = st.builds(
    Rules,
    st.just(""),
    st.none() | st.integers(1, 5000),
    counts,
    counts,
    counts,
    counts,
    counts,
)


@given(snapshots, rules)
def test_what_no_rule_can_do(found: list[Snapshot], given_rules: Rules) -> None:
    verdicts = decide(found, given_rules)
    assert sorted(snapshot.name for snapshot, _ in verdicts) == sorted(snapshot.name for snapshot in found)
    gone = [snapshot for snapshot, verdict in verdicts if verdict.deletes]
    if not found:
        return
    newest = max(found, key=lambda each: (each.time, each.name))
    assert newest not in gone, "the newest is never deleted"
    assert len(found) - len(gone) >= min(max(given_rules.min_keep, 1), len(found))
    assert not gone or all(each.stored for each in found), "nothing goes before the others are stored"


@given(snapshots, st.integers(1, 5000))
def test_room_takes_the_oldest_and_no_more_than_it_has_to(found: list[Snapshot], limit: int) -> None:
    stored = [Snapshot(each.name, each.time, each.size) for each in found]
    verdicts = decide(stored, Rules("", max_size=limit))
    flags = [verdict.deletes for _, verdict in verdicts]
    assert flags == sorted(flags), "everything kept is newer than everything deleted"
    kept = sum(snapshot.size for snapshot, verdict in verdicts if not verdict.deletes)
    assert kept <= limit or flags.count(False) <= 1
    if any(flags):
        last = next(snapshot for snapshot, verdict in verdicts if verdict.deletes)
        assert kept + last.size > limit, "the last one had to go too"


@given(snapshots, rules)
def test_deciding_again_afterwards_deletes_nothing_more(found: list[Snapshot], given_rules: Rules) -> None:
    kept = [snapshot for snapshot, verdict in decide(found, given_rules) if not verdict.deletes]
    assert not [each for each, verdict in decide(kept, given_rules) if verdict.deletes]


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("1732190400_2024-11-21_photos.tar.gz", "2024-11-21 12:00:00"),
        ("photos-2024-11-21", "2024-11-21 00:00:00"),
        ("photos-2024-11-21T0930", "2024-11-21 09:30:00"),
        ("2024-11-21_09:30:15.tar", "2024-11-21 09:30:15"),
        ("db-20241121-093000.sql.gz", "2024-11-21 09:30:00"),
        ("20241121093015", "2024-11-21 09:30:15"),
        ("v10.20.3040", "1970-01-01 00:00:07"),
        ("2024-13-41", "1970-01-01 00:00:07"),
        ("12345678901_x", "1970-01-01 00:00:07"),
        ("daily.0", "1970-01-01 00:00:07"),
    ],
)
def test_when_a_snapshot_was_made(name: str, time: str) -> None:
    assert datetime.fromtimestamp(snapshot_time(name, 7.0), UTC).strftime("%Y-%m-%d %H:%M:%S") == time


def test_rules_of_the_configuration() -> None:
    table = {"path": "/a//b/", "max_size": "2K", "keep_last": 3, "min_keep": 0, "auto": True}
    assert parse_rules(table) == Rules("a/b", 2048, keep_last=3, min_keep=1, auto=True)
    assert parse_rules({"keep_daily": 7}) == Rules("", None, keep_daily=7)


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({}, "nothing to go by"),
        ({"min_keep": 3}, "nothing to go by"),
        ({"keep_last": -1}, "keep_last: a number"),
        ({"keep_last": True}, "keep_last: a number"),
        ({"max_size": "much"}, "max_size: a size"),
        ({"max_size": 0}, "max_size: a size"),
        ({"max_size": "1G", "path": "../x"}, "path: a directory"),
        ({"max_size": "1G", "auto": "yes"}, "auto: true or false"),
        ({"max_size": "1G", "keep_yearly": 1}, "unknown key keep_yearly"),
    ],
)
def test_rules_that_make_no_sense(table: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_rules(table)
