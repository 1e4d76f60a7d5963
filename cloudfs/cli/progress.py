"""A progress bar for what is left to be stored, on terminals only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cloudfs.cli.text import printable
from cloudfs.quantities import show_count, show_size

Show = Callable[[dict[str, Any]], None]
"""Takes an event of the command ``wait``."""


@contextmanager
def progress_bar(title: str) -> Iterator[Show]:
    """What shows ``wait`` events on standard error as a bar; elsewhere than on a terminal they are not shown."""
    if not sys.stderr.isatty():
        yield lambda event: None
        return
    # Imported late: most commands need no bar, and start in half the time without.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(printable(title), total=None)
        tally = Tally()

        def show(event: dict[str, Any]) -> None:
            done, total = tally.add(event)
            description = f"{printable(title)}: {show_count(int(event['files']), 'file')} left"
            progress.update(task, description=description, completed=done, total=total)

        yield show


@contextmanager
def counter(title: str) -> Iterator[Show]:
    """What shows ``verify`` events on standard error as numbers that grow; on terminals only."""
    if not sys.stderr.isatty():
        yield lambda event: None
        return
    from rich.console import Console

    with Console(stderr=True).status(printable(title), spinner="line") as status:

        def show(event: dict[str, Any]) -> None:
            told = f"{show_count(int(event['names']), 'name')}, {show_size(int(event['read']))} read"
            status.update(f"{printable(title)}: {told}, {show_count(int(event['differences']), 'difference')}")

        yield show


class Tally:
    """How much of the work is done, where the work may still grow. Starts at nothing."""

    def __init__(self) -> None:
        self._stored = 0
        self._before: int | None = None

    def add(self, event: dict[str, Any]) -> tuple[int, int]:
        """Bytes that are stored and bytes in all, since the first event."""
        pending = int(event["bytes"])
        if self._before is not None:
            self._stored += max(0, self._before - pending)
        self._before = pending
        partly = sum(int(upload["done"]) for upload in event.get("uploading", ()))
        return self._stored + min(partly, pending), self._stored + pending
