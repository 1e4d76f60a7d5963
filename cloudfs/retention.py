"""Which snapshots to keep, and which to delete. Pure: the snapshots, the rules and nothing else.

A snapshot is an entry directly below a directory, a file or a whole directory. Two things stand above every rule: the
newest one stays, and nothing at all goes while any of them is not stored and checked.

Then, in this order: the schedule (``keep_…``) names what may go for its age; ``max_size`` lets the oldest go, those
of the schedule too, until the rest fits; ``min_keep`` is the floor under both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import Enum

from cloudfs.quantities import parse_size

_EPOCH = re.compile(r"(?<!\d)(\d{9,10})(?=[_.-])")
_DATE = re.compile(
    r"(?<!\d)(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})(?:[-_T. ]?(\d{2})[-:_.h]?(\d{2})(?:[-:_.m]?(\d{2}))?)?(?!\d)"
)
_LATEST_YEAR = 2200
EACH = "*"
"""As the last part of a path: every directory that is there."""


@dataclass(frozen=True, slots=True)
class Rules:
    """One ``[[retention]]``. Nothing that is not given has an effect; ``max_size`` is in bytes.

    ``keep_last`` keeps that many of the newest; ``keep_daily``, ``keep_weekly`` and ``keep_monthly`` keep the newest of
    each of that many days, ISO weeks and months (UTC) that have one. Without any of them age alone deletes nothing.
    A ``path`` that ends in ``/*`` means each directory there, by itself.
    """

    path: str
    max_size: int | None = None
    keep_last: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    min_keep: int = 1
    auto: bool = False

    @property
    def above(self) -> str | None:
        """The directory whose directories are meant, each by itself; None if it is ``path`` that is meant."""
        directory, _, last = self.path.rpartition("/")
        return directory if last == EACH else None

    @property
    def has_schedule(self) -> bool:
        return bool(self.keep_last or self.keep_daily or self.keep_weekly or self.keep_monthly)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``time`` in seconds since the epoch (`snapshot_time`), ``size`` in bytes with all that is inside.

    ``stored``: nothing of it is pending, so all of it is at the store, and its checksum agreed.
    """

    name: str
    time: float
    size: int
    stored: bool = True


class Verdict(Enum):
    """What becomes of a snapshot, and why."""

    NEWEST = "the newest"
    NOT_STORED = "not stored yet"
    WAITS = "another one is not stored yet"
    SCHEDULED = "in the schedule"
    FLOOR = "min_keep"
    FITS = "there is room"
    EXPIRED = "not in the schedule"
    TOO_MUCH = "max_size"

    @property
    def deletes(self) -> bool:
        return self in (Verdict.EXPIRED, Verdict.TOO_MUCH)


def decide(snapshots: Iterable[Snapshot], rules: Rules) -> list[tuple[Snapshot, Verdict]]:
    """A verdict for each, newest first."""
    ordered = sorted(snapshots, key=lambda each: (each.time, each.name), reverse=True)
    verdicts = _protected(ordered)
    scheduled = _scheduled(ordered, rules)
    free = [snapshot for snapshot in reversed(ordered) if snapshot not in verdicts]
    left = len(ordered)

    def delete(snapshot: Snapshot, verdict: Verdict) -> bool:
        nonlocal left
        if left <= max(rules.min_keep, 1):
            verdicts[snapshot] = Verdict.FLOOR
            return False
        left -= 1
        verdicts[snapshot] = verdict
        return True

    # What its age alone condemns goes before anything has to go for the room it takes; the oldest first, both times.
    excess = _excess(ordered, rules)
    if rules.has_schedule:
        for snapshot in (each for each in free if each not in scheduled):
            excess -= snapshot.size if delete(snapshot, Verdict.EXPIRED) else 0
    for snapshot in (each for each in free if each not in verdicts):
        if excess > 0:
            excess -= snapshot.size if delete(snapshot, Verdict.TOO_MUCH) else 0
        else:
            verdicts[snapshot] = Verdict.SCHEDULED if snapshot in scheduled else Verdict.FITS
    return [(snapshot, verdicts[snapshot]) for snapshot in ordered]


def _protected(ordered: Sequence[Snapshot]) -> dict[Snapshot, Verdict]:
    """Those that no rule may touch."""
    waiting = any(not snapshot.stored for snapshot in ordered)
    verdicts = {each: Verdict.WAITS if each.stored else Verdict.NOT_STORED for each in ordered if waiting}
    if ordered and ordered[0].stored:
        verdicts[ordered[0]] = Verdict.NEWEST
    return verdicts


def _excess(ordered: Sequence[Snapshot], rules: Rules) -> int:
    """Bytes above ``max_size``; negative if there is room, and always without a limit."""
    return -1 if rules.max_size is None else sum(snapshot.size for snapshot in ordered) - rules.max_size


def _scheduled(ordered: Sequence[Snapshot], rules: Rules) -> set[Snapshot]:
    kept = set(ordered[: rules.keep_last])
    periods = ((rules.keep_daily, "%Y-%m-%d"), (rules.keep_weekly, "%G-%V"), (rules.keep_monthly, "%Y-%m"))
    for count, period in periods:
        newest: dict[str, Snapshot] = {}
        for snapshot in ordered:
            newest.setdefault(datetime.fromtimestamp(snapshot.time, UTC).strftime(period), snapshot)
        kept.update(list(newest.values())[:count])
    return kept


def snapshot_time(name: str, mtime: float) -> float:
    """When a snapshot was made, in seconds since the epoch: its name knows best, else its ``mtime`` has to do.

    A number of seconds (``1732190400_2024-11-21_photos.tar.gz``) comes before a date with or without a time
    (``photos-2024-11-21T0930``, ``20241121``), which is taken as UTC. The mtime of a directory that ``rsync -a`` made
    is that of its source, so such directories should have names with a date.
    """
    epoch = _EPOCH.match(name)
    if epoch:
        return float(epoch[1])
    for match in _DATE.finditer(name):
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        try:
            found = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            continue
        if 1970 <= year < _LATEST_YEAR:
            return found.timestamp()
    return mtime


def parse_rules(table: Mapping[str, object]) -> Rules:
    """The rules in a table of the configuration (without ``remote``). `ValueError` with ``key: what is wrong``."""
    known = {field.name for field in fields(Rules)}
    unknown = next((key for key in table if key not in known), None)
    if unknown is not None:
        raise ValueError(f"unknown key {unknown}; known are remote, {', '.join(sorted(known))}")
    path, auto = table.get("path", ""), table.get("auto", False)
    if not isinstance(path, str) or ".." in path.split("/"):
        raise ValueError("path: a directory below the remote is needed, such as \"/snapshots\", without '..'")
    if not isinstance(auto, bool):
        raise ValueError("auto: true or false is needed")
    rules = Rules(
        path="/".join(part for part in path.split("/") if part not in ("", ".")),
        max_size=_size(table.get("max_size")),
        keep_last=_count(table, "keep_last"),
        keep_daily=_count(table, "keep_daily"),
        keep_weekly=_count(table, "keep_weekly"),
        keep_monthly=_count(table, "keep_monthly"),
        min_keep=max(_count(table, "min_keep", 1), 1),
        auto=auto,
    )
    if rules.max_size is None and not rules.has_schedule:
        raise ValueError("nothing to go by: max_size, keep_last, keep_daily, keep_weekly or keep_monthly is needed")
    return rules


def _size(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    try:
        size = parse_size(value) if isinstance(value, str) else 0
    except ValueError:
        size = 0
    if not size:
        raise ValueError('max_size: a size is needed, such as "500G"')
    return size


def _count(table: Mapping[str, object], key: str, default: int = 0) -> int:
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{key}: a number that is not negative is needed")
    return value
