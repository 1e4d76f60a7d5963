"""The picture for the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import FLOOR, LOOPS, SUBJECT, Measurement, Table

_COLOURS = {SUBJECT: "#2a6fb5", FLOOR: "#9a9a9a", LOOPS: "#bdbdbd"}
_PEER = "#e08a3c"
_COLUMNS = 4
_WIDTH, _HEIGHT = 3.4, 1.8
"""Inches of one work."""
_ROOM = 1.5
"""The width of a picture, in units of its longest bar: there has to be room for the figures."""


def draw(table: Table, file: Path) -> None:
    """Seconds of every work: the dark part until the tool returned, the light one until everything was stored."""
    works = list(table.medians.items())
    rows = -(-len(works) // _COLUMNS)
    # Text stays text, and the same figures give the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cloudfs", "font.size": 8}):
        figure = Figure(figsize=(_WIDTH * _COLUMNS, _HEIGHT * rows), layout="constrained")
        for (key, systems), axes in zip(works, figure.subplots(rows, _COLUMNS, squeeze=False).flat, strict=False):
            _draw(axes, key, systems)
        for axes in figure.axes[len(works) :]:
            axes.set_visible(False)
        figure.savefig(file, metadata={"Date": None})


def _draw(axes: Axes, key: tuple[str, str], systems: Mapping[str, Measurement]) -> None:
    """Who was given up gets a pale bar to the edge: nobody knows how long it would have been."""
    line, work = key
    names = list(reversed(list(systems)))
    edge = _ROOM * max((each.total for each in systems.values() if not each.failure), default=1.0)
    for position, name in enumerate(names):
        each, colour = systems[name], _COLOURS.get(name, _PEER)
        if each.failure:
            axes.barh(position, edge, color=colour, alpha=0.15)
            axes.annotate(f" {each.failure}", (0, position), verticalalignment="center")
            continue
        axes.barh(position, each.seconds, color=colour)
        axes.barh(position, each.stored_seconds, left=each.seconds, color=colour, alpha=0.4)
        stored = f" + {each.stored_seconds:.1f}" if each.stored_seconds >= 0.05 else ""
        axes.annotate(f" {each.seconds:.2f}{stored}", (each.total, position), verticalalignment="center")
    axes.set_xlim(0, edge)
    axes.set_yticks(range(len(names)), names)
    axes.set_title(f"{work}, s\n{line}", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
