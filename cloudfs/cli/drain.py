"""Waiting until a mount's files are stored, for ``wait`` and for ``umount``."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cloudfs.cli.mounts import Mount
from cloudfs.cli.program import complain
from cloudfs.cli.progress import progress_bar
from cloudfs.daemon.client import ANSWER_SECONDS, DaemonGone, DaemonSilent
from cloudfs.quantities import show_count, show_size

_UNMOUNT_SECONDS = 150.0
"""Enough for umount(8), and for a mount that somebody else holds in a namespace of their own."""


class Outcome(enum.IntEnum):
    """How a wait ended, as an exit status."""

    STORED = 0
    PARKED = 1
    LATE = 3


@dataclass(frozen=True, slots=True)
class Drained:
    """``left`` is a phrase for what is still pending; ``parked`` are paths, relative to the mountpoint, and why."""

    outcome: Outcome
    left: str
    parked: Sequence[tuple[str, str]]


def drain(mount: Mount, paths: Sequence[str], seconds: float | None) -> Drained:
    """Wait until everything under ``paths`` is stored or parked, at most ``seconds``. Shows a bar on a terminal."""
    limit = None if seconds is None else seconds + ANSWER_SECONDS
    with progress_bar(f"storing {mount.source}") as show:
        try:
            result = mount.client.follow("wait", show, limit=limit, paths=list(paths), timeout=seconds)
        except DaemonSilent as silent:
            return Drained(Outcome.LATE, str(silent), ())
    return _drained(result)


def drain_unmounting(mount: Mount, unmount: Callable[[], None], seconds: float | None) -> Drained:
    """``unmount()``, and wait until what was written at the last moment is stored too, at most ``seconds``.

    What ``unmount`` raises comes through; then the mount goes on as if nobody had asked.
    """
    limit = None if seconds is None else seconds + _UNMOUNT_SECONDS
    with progress_bar(f"storing {mount.source}") as show:

        def follow(event: dict[str, Any]) -> None:
            if "unmount" in event:
                unmount()
            else:
                show(event)

        try:
            result = mount.client.follow("unmounting", follow, limit=limit, timeout=seconds)
        except (DaemonSilent, DaemonGone) as error:
            return Drained(Outcome.LATE, str(error), ())
    return _drained(result)


def _drained(result: dict[str, Any]) -> Drained:
    parked = [(str(entry["path"]), str(entry["reason"])) for entry in result["parked"]]
    files, size = int(result["pending"]["files"]), int(result["pending"]["bytes"])
    if files:
        return Drained(Outcome.LATE, f"{show_count(files, 'file')} ({show_size(size)}) still to be stored", parked)
    return Drained(Outcome.PARKED if parked else Outcome.STORED, "", parked)


def report_parked(mount: Mount, drained: Drained) -> None:
    """Name every parked file on standard error."""
    for path, reason in drained.parked:
        complain(f"{mount.mountpoint / path} is parked: {reason}")
