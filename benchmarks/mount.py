"""How far cloudfs is from the floor: ``tar`` of 512 MiB and ``rsync -a`` of 2,450 small files into a fresh mount.

    python -m benchmarks.mount                      floor and cloudfs in turn, three rounds, the medians
    python -m benchmarks.mount --systems disk floor cloudfs --rounds 5 --json result.json

Every measurement has a mount of its own, starts with a clean disk (``sync``) and sources that are in memory. Prints
Markdown; the exit status says whether cloudfs stays within the limits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.process import cpu_seconds, peak_resident_bytes
from benchmarks.results import Comparison, Measurement, machine, markdown, median_of
from benchmarks.sources import make_big_files, make_tree
from benchmarks.systems import SYSTEMS, Mounted, System

TOOL_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Work:
    """A command whose last argument is a place in the mount. ``limit`` is what cloudfs may take, in floors."""

    name: str
    command: Sequence[str]
    target: str
    limit: float


def measure(system: System, work: Work, place: Path) -> Measurement:
    """Run one command; ``place`` is empty before, and for the caller to remove after."""
    os.sync()
    with system.mounted(place) as mounted:
        before = _cpu(mounted)
        start = time.monotonic()
        subprocess.run([*work.command, str(mounted.path / work.target)], check=True, timeout=TOOL_TIMEOUT)
        returned = time.monotonic()
        used = _cpu(mounted) - before
        mounted.wait_until_stored()
        stored = time.monotonic()
        peak = peak_resident_bytes(mounted.pid) if mounted.pid else 0
    return Measurement(system.name, returned - start, stored - returned, used, peak)


def works(big_files: Path, tree: Path) -> list[Work]:
    return [
        Work("tar 512 MiB", ["tar", "--create", "--directory", str(big_files), ".", "--file"], "big.tar", 1.5),
        Work("rsync 2,450 files", ["rsync", "--archive", f"{tree}/"], "tree/", 2.0),
    ]


def compare(systems: Sequence[System], work: Work, rounds: int, place: Path) -> Comparison:
    """The systems take turns, so that a slow minute of the machine hits all of them."""
    measured: dict[str, list[Measurement]] = {system.name: [] for system in systems}
    for _ in range(rounds):
        for system in systems:
            with tempfile.TemporaryDirectory(prefix=f"{system.name}-", dir=place) as own:
                measured[system.name].append(measure(system, work, Path(own)))
            print(f"{work.name}: {measured[system.name][-1]}", file=sys.stderr)
    return Comparison(work.name, work.limit, [median_of(each) for each in measured.values()])


def _cpu(mounted: Mounted) -> float:
    return cpu_seconds(mounted.pid) if mounted.pid else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mount", description="Compare cloudfs with the floor.")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how often each is measured (3)")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["floor", "cloudfs"], help="who takes part")
    parser.add_argument("--place", type=Path, metavar="DIRECTORY", help="where 3 GB are free (TMPDIR)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there as well")
    options = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory(prefix="cloudfs-bench-", dir=options.place and options.place.resolve()) as place:
        planned = works(make_big_files(Path(place, "big")), make_tree(Path(place, "tree")))
        systems = [SYSTEMS[name] for name in options.systems]
        comparisons = [compare(systems, work, options.rounds, Path(place)) for work in planned]
    print(markdown(comparisons))
    if options.json:
        result = {"machine": machine(), "rounds": options.rounds, "works": [asdict(each) for each in comparisons]}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if all(each.within_limit for each in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
