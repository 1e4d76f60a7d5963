"""A mount's status as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudfs.cli.text import printable, show_share
from cloudfs.quantities import show_count, show_size

_UPLOADS_SHOWN = 20
_PARKED_SHOWN = 100


def render_list(statuses: Sequence[dict[str, Any]]) -> list[str]:
    """A table with a line for each mount."""
    if not statuses:
        return ["nothing is mounted"]
    head = ("MOUNTPOINT", "SOURCE", "STATE", "PENDING", "PARKED", "CACHE")
    return columns([head, *(_row(status) for status in statuses)])


def render_one(status: dict[str, Any]) -> list[str]:
    """All about one mount."""
    reason = f": {status['reason']}" if status.get("reason") else ""
    rows = [
        ("source", printable(status["source"])),
        ("state", printable(f"{status['state']}{reason}")),
        ("pending", _pending(status["pending"])),
        ("cache", show_part(status["cache"]["used"], status["cache"]["limit"])),
        ("store", show_part(status["store"]["used"], status["store"]["total"])),
    ]
    return [
        printable(status["mountpoint"]),
        *(f"  {line}" for line in columns(rows)),
        *_section("uploading", [_upload(upload) for upload in status["uploading"]], _UPLOADS_SHOWN),
        *_section("parked", [f"{entry['path']}: {entry['reason']}" for entry in status["parked"]], _PARKED_SHOWN),
    ]


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
