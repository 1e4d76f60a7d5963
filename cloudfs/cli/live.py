"""A mount's status that moves: bars for what is being sent, redrawn in place."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cloudfs.cli.render import facts, parked_lines, render_list
from cloudfs.cli.text import printable, show_share
from cloudfs.quantities import show_count, show_size

_UPLOADS_SHOWN = 20
_BAR_WIDTH = 24
_ALARMING = ("offline", "sign-in required", "store full", "dead", "silent", "read-only")


def live_view(found: dict[str, Any] | list[dict[str, Any]], now: float) -> RenderableType:
    """One mount with all there is to say, or a line for each of several."""
    if isinstance(found, list):
        return Text("\n".join(render_list(found)))
    return Group(
        Text(printable(found["mountpoint"]), style="bold"),
        _facts(found, now),
        *_uploads(found["uploading"]),
        Text("\n".join(parked_lines(found)), style="red") if found["parked"] else "",
    )


def _facts(status: dict[str, Any], now: float) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, words in facts(status, now):
        table.add_row(Text(f"  {name}", style="dim"), Text(words, style=_style(name, status)))
    return table


def _style(name: str, status: dict[str, Any]) -> str:
    if name == "failing":
        return "yellow"
    if name == "state":
        return "red" if status["state"] in _ALARMING else "yellow" if status["state"] == "throttled" else "green"
    return ""


def _uploads(uploading: list[dict[str, Any]]) -> list[RenderableType]:
    if not uploading:
        return []
    table = Table.grid(padding=(0, 2))
    for upload in uploading[:_UPLOADS_SHOWN]:
        done, size = int(upload["done"]), int(upload["size"])
        bar = ProgressBar(total=max(size, 1), completed=done, width=_BAR_WIDTH)
        name = Text(f"    {printable(upload['path'])}", overflow="ellipsis", no_wrap=True)
        table.add_row(name, bar, Text(f"{show_share(done, size)} of {show_size(size)}"))
    more = len(uploading) - _UPLOADS_SHOWN
    return [Text("  uploading"), table, *([Text(f"    and {show_count(more, 'other')}")] if more > 0 else [])]
