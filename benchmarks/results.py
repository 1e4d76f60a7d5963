"""What was measured, the medians, and the table; no measuring here."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of
from statistics import median

import cloudfs

FLOOR = "floor"
LOOPS = "bare loops"
SUBJECT = "cloudfs"
NOT_PEERS = (FLOOR, LOOPS, SUBJECT, "cloudfs-local", "disk")

_COLUMNS = (
    *("line", "work", "system", "× floor", "× floor, CPU", "× best peer", "× best peer, stored", "× bare loops"),
    *("seconds", "until stored", "requests", "MB sent", "driver CPU, s", "until stored", "driver peak, MiB", "runs"),
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One work, done once by one system. Without a driver, ``cpu_seconds`` and ``peak_bytes`` are 0."""

    line: str
    """To the server."""
    work: str
    system: str
    seconds: float
    """Until the tool returned."""
    stored_seconds: float
    """From then until everything was stored."""
    requests: int
    """Until everything was stored, as all below."""
    sent_bytes: int
    """Of bodies, to the server."""
    cpu_seconds: float
    """Of the driver."""
    cpu_returned_seconds: float
    """The part of it until the tool returned."""
    peak_bytes: int
    """The driver's largest resident size."""
    failure: str = ""
    """Why it is not the whole of it; the figures are of what was done."""
    runs: int = 1

    @property
    def total(self) -> float:
        """Seconds until everything was stored."""
        return self.seconds + self.stored_seconds


class Table:
    """The median `Measurement` of every line, work and system."""

    def __init__(self, measured: Iterable[Measurement]) -> None:
        runs: dict[tuple[str, str], dict[str, list[Measurement]]] = {}
        for each in measured:
            runs.setdefault((each.line, each.work), {}).setdefault(each.system, []).append(each)
        self.medians: Mapping[tuple[str, str], Mapping[str, Measurement]] = {
            key: {system: median_of(found) for system, found in systems.items()} for key, systems in runs.items()
        }

    def find(self, line: str, work: str, system: str) -> Measurement | None:
        """None if it took no part, or failed."""
        found = self.medians.get((line, work), {}).get(system)
        return None if found is None or found.failure else found

    def best_peer(self, line: str, work: str, *, stored: bool) -> float | None:
        """Seconds of the fastest peer until its tool returned, or until everything was stored."""
        peers = (each for each in self.medians.get((line, work), {}).values() if each.system not in NOT_PEERS)
        return min((each.total if stored else each.seconds for each in peers if not each.failure), default=None)

    def summary(self) -> str:
        """A row for each work: seconds until the tool returned, and how many more until everything was stored."""
        systems = list(dict.fromkeys(system for medians in self.medians.values() for system in medians))
        lines = [f"| line | work, s | {' | '.join(systems)} |", f"|---|---|{'--:|' * len(systems)}"]
        for (line, work), medians in self.medians.items():
            cells = [_seconds(medians[system]) if system in medians else "" for system in systems]
            lines.append(f"| {line} | {work} | {' | '.join(cells)} |")
        return "\n".join(lines)

    def markdown(self) -> str:
        """Everything. Ratios first: they travel between machines, seconds do not."""
        lines = [f"| {' | '.join(_COLUMNS)} |", f"|---|---|---|{'--:|' * (len(_COLUMNS) - 3)}"]
        lines += [self._row(each) for systems in self.medians.values() for each in systems.values()]
        return "\n".join(lines)

    def _row(self, each: Measurement) -> str:
        here = each.line, each.work
        floor, loops = self.find(*here, FLOOR), self.find(*here, LOOPS)
        ratios = [
            (each.seconds, floor and floor.seconds),
            (each.cpu_returned_seconds, floor and floor.cpu_returned_seconds),
            (each.seconds, self.best_peer(*here, stored=False)),
            (each.total, self.best_peer(*here, stored=True)),
            (each.total, loops and loops.total),
        ]
        cells = [
            *(*here, each.system),
            *("" if each.failure or not other else f"{mine / other:.2f}" for mine, other in ratios),
            each.failure or f"{each.seconds:.2f}",
            f"+{each.stored_seconds:.2f}",
            f"{each.requests:,}",
            f"{each.sent_bytes / 1e6:.1f}",
            f"{each.cpu_returned_seconds:.2f}",
            f"{each.cpu_seconds:.2f}",
            f"{each.peak_bytes / 2**20:.0f}",
            str(each.runs),
        ]
        return f"| {' | '.join(cells)} |"


def _seconds(each: Measurement) -> str:
    if each.failure:
        return f"({each.failure})"
    return f"{each.seconds:.2f}" + (f" + {each.stored_seconds:.2f}" if each.stored_seconds >= 0.005 else "")


def median_of(runs: Sequence[Measurement]) -> Measurement:
    """The median of each figure by itself, over what one system did; failures count only if there is nothing else."""
    whole = [each for each in runs if not each.failure] or runs
    first = whole[0]
    return Measurement(
        first.line,
        first.work,
        first.system,
        median(each.seconds for each in whole),
        median(each.stored_seconds for each in whole),
        round(median(each.requests for each in whole)),
        round(median(each.sent_bytes for each in whole)),
        median(each.cpu_seconds for each in whole),
        median(each.cpu_returned_seconds for each in whole),
        round(median(each.peak_bytes for each in whole)),
        first.failure,
        len(whole),
    )


def machine() -> dict[str, str | int | float | None]:
    """What the seconds depend on; ``load`` is what else the machine had to do in the last minute."""
    return {
        "kernel": platform.release(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "pyfuse3": version_of("pyfuse3"),
        "cloudfs": cloudfs.__version__,
    }
