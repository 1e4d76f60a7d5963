"""What was measured, the medians, and the table; no measuring here."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of
from statistics import median

import cloudfs

FLOOR = "floor"
SUBJECT = "cloudfs"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One command in one fresh mount. Without a driver, ``cpu_seconds`` and ``peak_bytes`` are 0."""

    system: str
    seconds: float
    """Until the tool returned."""
    stored_seconds: float
    """From then until everything was stored."""
    cpu_seconds: float
    """Of the driver, until the tool returned."""
    peak_bytes: int
    """The driver's largest resident size, until everything was stored."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of work: the median `Measurement` of every system, in the order they took part.

    ``limit`` is how many times the floor's seconds cloudfs may take.
    """

    work: str
    limit: float
    medians: Sequence[Measurement]

    def ratio(self, system: str) -> float | None:
        """Seconds in floors; None if the floor or the system took no part."""
        seconds = {each.system: each.seconds for each in self.medians}
        return seconds[system] / seconds[FLOOR] if {system, FLOOR} <= seconds.keys() else None

    @property
    def within_limit(self) -> bool:
        ratio = self.ratio(SUBJECT)
        return ratio is None or ratio <= self.limit


def median_of(rounds: Sequence[Measurement]) -> Measurement:
    """The median of each figure by itself, over measurements of one system."""
    return Measurement(
        rounds[0].system,
        median(each.seconds for each in rounds),
        median(each.stored_seconds for each in rounds),
        median(each.cpu_seconds for each in rounds),
        round(median(each.peak_bytes for each in rounds)),
    )


def markdown(comparisons: Iterable[Comparison]) -> str:
    """Ratios first: they travel between machines, seconds do not."""
    lines = [
        "| work | system | × floor | limit | seconds | until stored | driver CPU, s | driver peak, MiB |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_row(comparison, each) for comparison in comparisons for each in comparison.medians]
    return "\n".join(lines)


def _row(comparison: Comparison, each: Measurement) -> str:
    ratio = comparison.ratio(each.system)
    cells = [
        comparison.work,
        each.system,
        "" if ratio is None else f"{ratio:.2f}",
        f"{comparison.limit:.2f}" if each.system == SUBJECT else "",
        f"{each.seconds:.2f}",
        f"+{each.stored_seconds:.2f}",
        f"{each.cpu_seconds:.2f}",
        f"{each.peak_bytes / 2**20:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def machine() -> dict[str, str | int | None]:
    """What the seconds depend on."""
    return {
        "kernel": platform.release(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "pyfuse3": version_of("pyfuse3"),
        "cloudfs": cloudfs.__version__,
    }
