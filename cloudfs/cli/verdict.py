"""Whether a mount is as it should be, in the four words of monitoring. Pure."""

from __future__ import annotations

import errno as numbers
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from cloudfs.cli.text import show_duration
from cloudfs.quantities import show_count, show_size


class Level(IntEnum):
    """The exit statuses of a plug-in of Nagios, and of whatever speaks its language."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_BADNESS = (Level.OK, Level.WARNING, Level.UNKNOWN, Level.CRITICAL)

_STATES: Mapping[str, Level] = {
    "online": Level.OK,
    "offline": Level.WARNING,
    "throttled": Level.WARNING,
    "sign-in required": Level.CRITICAL,
    "store full": Level.CRITICAL,
}


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at a mountpoint gave.

    ``other`` is another file system that is mounted there; ``errno`` says why the kernel got no answer; ``status`` is
    what the driver told; ``foreign`` that it is not ours to ask; ``complaint`` why it did not answer.
    """

    mounted: bool
    other: str = ""
    errno: int = 0
    foreign: bool = False
    complaint: str = ""
    status: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``text`` is a phrase; ``figures`` performance data in the form of Nagios, with its leading bar, or ''."""

    level: Level
    text: str
    figures: str = ""


def judge(found: Found, now: float, max_age: float, *, only_mounted: bool) -> Verdict:
    """The verdict at ``now`` (s since the epoch). What is unsent for more than ``max_age`` seconds is overdue.

    ``only_mounted`` asks whether a program may write there, not whether what it wrote gets away.
    """
    if not found.mounted:
        what = f"not mounted by cloudfs, but by {found.other}" if found.other else "not mounted"
        return Verdict(Level.CRITICAL, what)
    if found.errno == numbers.ENOTCONN:
        return Verdict(Level.CRITICAL, "mounted, and its driver is dead; mount it again")
    if found.errno:
        reason = "it does not answer" if found.errno == numbers.ETIMEDOUT else os.strerror(found.errno)
        return Verdict(Level.CRITICAL, f"mounted, and not usable: {reason}")
    if found.status is None:
        # The kernel has had an answer: programs can write. Whoever asks more than that does not learn it here.
        if only_mounted:
            return Verdict(Level.OK, "mounted")
        level = Level.UNKNOWN if found.foreign else Level.CRITICAL
        return Verdict(level, found.complaint or "mounted, and no driver of yours answers for it")
    if only_mounted:
        return _writable(found.status)
    return _whole(found.status, now, max_age)


def _writable(status: Mapping[str, Any]) -> Verdict:
    if status["state"] == "read-only":
        return Verdict(Level.CRITICAL, "mounted, and the store is read-only")
    return Verdict(Level.OK, f"mounted, {status['state']}")


def _whole(status: Mapping[str, Any], now: float, max_age: float) -> Verdict:
    findings = list(_findings(status, now, max_age))
    level = max((level for level, _ in findings), key=_BADNESS.index, default=Level.OK)
    files, size = status["pending"]["files"], status["pending"]["bytes"]
    rest = f"{show_count(files, 'file')} ({show_size(size)}) to be stored" if files else "everything is stored"
    texts = [text for found, text in findings if found is level and level is not Level.OK]
    return Verdict(level, "; ".join([*texts, rest]), _figures(status, now))


def _findings(status: Mapping[str, Any], now: float, max_age: float) -> Iterator[tuple[Level, str]]:
    state, options = status["state"], status["options"]
    if state == "read-only":
        yield (Level.OK if options.get("read_only") else Level.CRITICAL), "the store is read-only"
    else:
        level = _STATES.get(state, Level.UNKNOWN)
        if level is not Level.OK:
            reason = f" ({status['reason']})" if status.get("reason") else ""
            yield level, f"{state} for {show_duration(round(max(0.0, now - status['since'])))}{reason}"
    if status["parked"]:
        first = status["parked"][0]
        yield (
            Level.CRITICAL,
            f"{show_count(len(status['parked']), 'file')} parked, such as {first['path']}: {first['reason']}",
        )
    age = _age(status, now)
    if age > max_age:
        yield Level.CRITICAL, f"something is not stored for {show_duration(round(age))}"
    if status.get("failing"):
        yield Level.WARNING, f"uploads fail: {status['failing']}"


def _age(status: Mapping[str, Any], now: float) -> float:
    oldest = status.get("oldest")
    return 0.0 if oldest is None else max(0.0, now - oldest)


def _figures(status: Mapping[str, Any], now: float) -> str:
    pending = status["pending"]
    return (
        f" | pending={pending['files']} bytes={pending['bytes']}B age={_age(status, now):.0f}s"
        f" parked={len(status['parked'])} staged={status['staged']['used']}B"
    )
