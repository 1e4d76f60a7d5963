"""A mount's status as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloudfs.cli.text import printable, show_duration, show_share
from cloudfs.quantities import show_count, show_size

_UPLOADS_SHOWN = 20
_PARKED_SHOWN = 100


def render_list(statuses: Sequence[dict[str, Any]]) -> list[str]:
    """A table with a line for each mount."""
    if not statuses:
        return ["nothing is mounted"]
    head = ("MOUNTPOINT", "SOURCE", "STATE", "PENDING", "PARKED", "CACHE")
    return columns([head, *(_row(status) for status in statuses)])


def render_one(status: dict[str, Any], now: float) -> list[str]:
    """All about one mount, at ``now`` (s since the epoch)."""
    return [
        printable(status["mountpoint"]),
        *(f"  {line}" for line in columns(facts(status, now))),
        *_section("uploading", [_upload(upload) for upload in status["uploading"]], _UPLOADS_SHOWN),
        *parked_lines(status),
    ]


def facts(status: dict[str, Any], now: float) -> list[tuple[str, str]]:
    """What there is to say in a few words, as (name, words). Drivers that do not answer have less to say."""
    found = [
        ("source", printable(status["source"])),
        ("state", printable(show_state(status, now))),
        ("pending", _queue(status, now)),
        ("speed", _speed(status)),
        ("failing", printable(status.get("failing") or "")),
        ("cache", show_part(status["cache"]["used"], status["cache"]["limit"])),
        ("staged", show_size(status["staged"]["used"]) if status.get("staged") else ""),
        ("store", show_part(status["store"]["used"], status["store"]["total"])),
        ("path", printable(_standing(status["path"], now)) if status.get("path") else ""),
    ]
    return [(name, words) for name, words in found if words]


def parked_lines(status: dict[str, Any]) -> list[str]:
    return _section("parked", [f"{entry['path']}: {entry['reason']}" for entry in status["parked"]], _PARKED_SHOWN)


def show_state(status: dict[str, Any], now: float) -> str:
    """``online``; ``offline since 16:20 (12 min): no route``; ``throttled until 16:25:30 (40 s): …``."""
    state, reason = str(status["state"]), f": {status['reason']}" if status.get("reason") else ""
    if status.get("until"):
        return f"{state} until {_clock(status['until'], now, '%H:%M:%S')} ({_span(status['until'] - now)}){reason}"
    if state != "online" and status.get("since"):
        return f"{state} {_since(status['since'], now)}{reason}"
    return f"{state}{reason}"


def _queue(status: dict[str, Any], now: float) -> str:
    oldest = f", the oldest {_since(status['oldest'], now)}" if status.get("oldest") else ""
    return f"{_pending(status['pending'])}{oldest}"


def _speed(status: dict[str, Any]) -> str:
    """'' while nothing is sent: then nobody can tell how long it will take."""
    speed, left = status.get("speed") or 0, status["pending"]["bytes"] or 0
    if not speed:
        return ""
    begun = sum(int(upload["done"]) for upload in status["uploading"])
    rest = max(0, left - begun)
    return f"{show_size(speed)}/s" + (f", about {_span(rest / speed)} left" if rest else "")


def _standing(path: dict[str, Any], now: float) -> str:
    """How one file or directory stands itself."""
    size = f", {show_size(path['bytes'])}" if path["bytes"] else ""
    since = f", {_since(path['since'], now)}" if path["since"] else ""
    attempts = f", {show_count(path['attempts'], 'failure')}" if path["attempts"] else ""
    reason = f": {path['reason']}" if path["reason"] else ""
    return f"{path['path']}: {path['state']}{size}{since}{attempts}{reason}"


def _since(moment: float, now: float) -> str:
    return f"since {_clock(moment, now, '%H:%M')} ({_span(now - moment)})"


def _clock(moment: float, now: float, today: str) -> str:
    """A moment as a clock shows it, with its date if that is another day's."""
    there = datetime.fromtimestamp(moment)
    return there.strftime(today if there.date() == datetime.fromtimestamp(now).date() else f"%Y-%m-%d {today}")


def _span(seconds: float) -> str:
    return show_duration(round(max(0.0, seconds)))


def _row(status: dict[str, Any]) -> tuple[str, ...]:
    return (
        printable(status["mountpoint"]),
        printable(status["source"]),
        printable(status["state"]),
        _pending(status["pending"]),
        str(len(status["parked"])),
        show_part(status["cache"]["used"], status["cache"]["limit"]),
    )


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned columns, two spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _section(title: str, lines: Sequence[str], most: int) -> list[str]:
    if not lines:
        return []
    more = [f"    and {show_count(len(lines) - most, 'other')}"] if len(lines) > most else []
    return [f"  {title}", *(f"    {printable(line)}" for line in lines[:most]), *more]


def _upload(upload: dict[str, Any]) -> str:
    done, size = int(upload["done"]), int(upload["size"])
    return f"{upload['path']}: {show_share(done, size)} of {show_size(size)}"


def _pending(pending: dict[str, Any]) -> str:
    if pending["files"] is None:
        return "unknown"
    return f"{show_count(pending['files'], 'file')}, {show_size(pending['bytes'])}" if pending["files"] else "nothing"


def show_part(used: int | None, whole: int | None) -> str:
    if used is None:
        return "unknown"
    return show_size(used) if whole is None else f"{show_size(used)} of {show_size(whole)}"
