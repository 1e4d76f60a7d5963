"""Sets of integers that come in long runs: which blocks are here, which bytes are covered. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise

Run = tuple[int, int]
"""A half-open range ``start, stop`` with ``start < stop``."""


class Runs:
    """A set of integers >= 0, kept as ordered, disjoint, non-adjacent runs; ``total`` is how many integers.

    Costs 16 bytes a run, whatever its length, and a lookup is a bisection: a whole file is one run.
    """

    __slots__ = ("_starts", "_stops", "total")

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self.total = 0
        for start, stop in runs:
            self.add(start, stop)

    def __iter__(self) -> Iterator[Run]:
        return zip(self._starts, self._stops, strict=True)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runs) and self._starts == other._starts and self._stops == other._stops

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Runs({list(self)})"

    @property
    def end(self) -> int:
        """Where the last run stops; 0 if there is none."""
        return self._stops[-1] if self._stops else 0

    def copy(self) -> Runs:
        twin = Runs()
        twin._starts, twin._stops, twin.total = self._starts[:], self._stops[:], self.total
        return twin

    def covers(self, start: int, stop: int) -> bool:
        """Whether every integer of ``[start, stop)`` is in the set."""
        at = bisect_right(self._starts, start) - 1
        return (at >= 0 and stop <= self._stops[at]) or start >= stop

    def overlap(self, start: int, stop: int) -> list[Run]:
        """What of ``[start, stop)`` is in the set."""
        at, end = bisect_right(self._stops, start), bisect_left(self._starts, stop)
        return [(max(self._starts[i], start), min(self._stops[i], stop)) for i in range(at, end)]

    def gaps(self, start: int, stop: int) -> list[Run]:
        """What of ``[start, stop)`` is not."""
        gaps = []
        for first, last in self.overlap(start, stop):
            if start < first:
                gaps.append((start, first))
            start = last
        if start < stop:
            gaps.append((start, stop))
        return gaps

    def add(self, start: int, stop: int) -> None:
        if start >= stop:
            return
        at, end = bisect_left(self._stops, start), bisect_right(self._starts, stop)
        if at < end:
            start, stop = min(start, self._starts[at]), max(stop, self._stops[end - 1])
        self._replace(at, end, [(start, stop)])

    def remove(self, start: int, stop: int) -> None:
        if start >= stop:
            return
        at, end = bisect_right(self._stops, start), bisect_left(self._starts, stop)
        if at >= end:
            return
        left, right = (self._starts[at], start), (stop, self._stops[end - 1])
        self._replace(at, end, [run for run in (left, right) if run[0] < run[1]])

    def clear(self) -> None:
        self._replace(0, len(self._starts), [])

    def _replace(self, at: int, end: int, runs: list[Run]) -> None:
        self.total -= sum(self._stops[at:end]) - sum(self._starts[at:end])
        self.total += sum(stop - start for start, stop in runs)
        self._starts[at:end] = [start for start, _ in runs]
        self._stops[at:end] = [stop for _, stop in runs]

    def pack(self) -> bytes:
        """For a file that never leaves this machine: native order, 16 bytes a run."""
        return array("q", [edge for run in self for edge in run]).tobytes()

    @classmethod
    def unpack(cls, packed: bytes) -> Runs:
        """The reverse of `pack`. ``ValueError`` for what no `pack` has returned."""
        edges = array("q")
        edges.frombytes(packed)
        if len(edges) % 2 or any(a >= b for a, b in pairwise(edges)) or (edges and edges[0] < 0):
            raise ValueError("not a packed set of runs")
        runs = cls()
        runs._starts, runs._stops = edges[0::2].tolist(), edges[1::2].tolist()
        runs.total = sum(runs._stops) - sum(runs._starts)
        return runs
