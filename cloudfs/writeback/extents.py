"""Sets of byte ranges: which parts of a staged file are ours. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from cloudfs.types import Extent


class Extents:
    """A set of bytes, kept as ordered, disjoint, non-touching ranges."""

    __slots__ = ("_starts", "_stops")

    def __init__(self, extents: Iterable[Extent] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for extent in extents:
            self.add(extent.start, extent.stop)

    def __iter__(self) -> Iterator[Extent]:
        return map(Extent, self._starts, self._stops)

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, start: int, stop: int) -> None:
        if start >= stop:
            return
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def remove(self, start: int, stop: int) -> None:
        """Nothing of ``[start, stop)`` is in the set any longer."""
        kept = [
            Extent(a, b)
            for e in self
            for a, b in ((e.start, min(e.stop, start)), (max(e.start, stop), e.stop))
            if a < b
        ]
        self._starts = [extent.start for extent in kept]
        self._stops = [extent.stop for extent in kept]

    def cut(self, size: int) -> None:
        """Drop everything at and after ``size``."""
        keep = bisect_left(self._starts, size)
        del self._starts[keep:]
        del self._stops[keep:]
        if self._stops and self._stops[-1] > size:
            self._stops[-1] = size

    def covers(self, start: int, stop: int) -> bool:
        if start >= stop:
            return True
        at = bisect_right(self._starts, start) - 1
        return at >= 0 and self._stops[at] >= stop

    def pieces(self, start: int, stop: int) -> Iterator[tuple[Extent, bool]]:
        """``[start, stop)`` in order, cut into what is in the set (True) and what is not (False)."""
        at = max(bisect_right(self._starts, start) - 1, 0)
        while start < stop:
            while at < len(self._stops) and self._stops[at] <= start:
                at += 1
            if at == len(self._starts) or self._starts[at] >= stop:
                yield Extent(start, stop), False
                return
            if self._starts[at] > start:
                yield Extent(start, self._starts[at]), False
                start = self._starts[at]
            end = min(self._stops[at], stop)
            yield Extent(start, end), True
            start = end
