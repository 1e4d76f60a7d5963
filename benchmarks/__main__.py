"""The same work through cloudfs, through its peers and without a file system, on one machine and one Swift server.

    python -m benchmarks                                    everything, in less than 15 minutes
    python -m benchmarks --quick                            the same with less to do, in less than 4
    python -m benchmarks --parts loopback --systems floor cloudfs --works 'big*' 'rsync*' --rounds 5

The systems take turns until each has had its rounds, or the time is over; the table has the medians. What a system
does not finish in time is given up. Prints Markdown: docs/explanation/performance.md says how to read it.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import growth, targets
from benchmarks.entrants import DEFAULT, ENTRANTS
from benchmarks.page import with_tables
from benchmarks.results import SUBJECT, Measurement, Table, machine
from benchmarks.sources import Sizes
from benchmarks.tournament import Rules, compete, tracks, turns
from benchmarks.works import chosen


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done: ``minutes`` for everything, seconds of ``patience`` for one work, sizes on each line."""

    minutes: float
    patience: float
    near: Sizes
    far: Sizes
    growth: Sequence[int]

    def describe(self) -> str:
        big, far = self.near.big >> 20, self.far.big >> 20
        return (
            f"The tree has {self.near.tree:,} files, the large directory {self.near.names:,} names, and the big file"
            f" {big} MiB ({far} MiB on the far line)."
        )


WHOLE = Scale(14.0, 45.0, Sizes(512 << 20, 2_450, 100_000), Sizes(256 << 20, 2_450, 0), growth.SIZES)
QUICK = Scale(3.5, 15.0, Sizes(128 << 20, 490, 10_000), Sizes(64 << 20, 490, 0), growth.SIZES[:2])
PARTS = ("growth", "loopback", "far")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="smaller files, fewer names")
    add("--parts", nargs="+", choices=PARTS, default=PARTS, help="which tables")
    add("--systems", nargs="+", choices=ENTRANTS, default=DEFAULT, help="who takes part")
    add("--works", nargs="+", metavar="PATTERN", default=["*"], help="which works, such as 'rsync*'")
    add("--rounds", type=int, default=3, metavar="N", help="how often each system runs, if there is time (3)")
    add("--minutes", type=float, metavar="N", help="how long all of it may take (14; quick: 3.5)")
    add("--patience", type=float, metavar="SECONDS", help="how long one work may take (45; quick: 15)")
    add("--place", type=Path, metavar="DIRECTORY", help="where 5 GB are free (TMPDIR)")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured there")
    add("--page", type=Path, metavar="FILE", help="put the tables into this page, between the comments that name them")
    add("--svg", type=Path, metavar="FILE", help="draw it there")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    # Whoever ends this early gets what was measured so far, and everything unmounted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    scale = QUICK if options.quick else WHOLE
    deadline = time.monotonic() + 60 * (options.minutes or scale.minutes)
    try:
        rules = Rules(chosen(options.works), options.rounds, deadline, options.patience or scale.patience)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    before = machine()
    sizes: list[growth.Growth] = []
    measured: list[Measurement] = []
    with contextlib.suppress(KeyboardInterrupt):
        measure(options, scale, rules, sizes, measured)
    found = tables(Table(measured), sizes, scale, before | {"load at the end": machine()["load"]})
    print("\n\n".join(found.values()))
    if options.json:
        result = {"machine": before, "measured": [asdict(each) for each in measured]}
        options.json.write_text(json.dumps(result | {"growth": [asdict(each) for each in sizes]}, indent=1) + "\n")
    if options.page:
        options.page.write_text(with_tables(options.page.read_text(), found))
    if options.svg:
        from benchmarks.plot import draw  # matplotlib, which nothing else needs

        draw(Table(measured), options.svg)
    return 0


def measure(
    options: argparse.Namespace,
    scale: Scale,
    rules: Rules,
    sizes: list[growth.Growth],
    measured: list[Measurement],
) -> None:
    """Add to the lists what was measured, as soon as it is."""
    with tempfile.TemporaryDirectory(prefix="cloudfs-bench-", dir=options.place and options.place.resolve()) as own:
        place = Path(own)
        if "growth" in options.parts:
            sizes += growth.measure_all(scale.growth, place)
        lines = {line: size for line, part, size in _lines(scale) if part in options.parts}
        if lines:
            with tracks(lines, place) as found:
                measured += compete(turns(list(lines), options.systems), found, rules, place)


def _lines(scale: Scale) -> Sequence[tuple[str, str, Sizes]]:
    return [(targets.NEAR, "loopback", scale.near), (targets.FAR, "far", scale.far)]


def tables(table: Table, sizes: Sequence[growth.Growth], scale: Scale, before: Mapping[str, object]) -> dict[str, str]:
    """All there is to say, in Markdown, by what it is about. ``before``: the machine when it began."""
    where = ", ".join(f"{key} {value}" for key, value in before.items())
    measured = f"Measured on {datetime.date.today()}: {where}."
    found = {}
    if table.medians:
        ours = [medians[SUBJECT].peak_bytes for medians in table.medians.values() if SUBJECT in medians]
        peak = max([*ours, *(size.peak_bytes for size in sizes)], default=0)
        judged = targets.markdown(targets.judge(table, scale.far.big), peak)
        found["results"] = "\n\n".join([measured, scale.describe(), judged, table.summary(), table.markdown()])
    if sizes:
        found["growth"] = f"{measured}\n\n{growth.markdown(sizes)}"
    return found


if __name__ == "__main__":
    sys.exit(main())
