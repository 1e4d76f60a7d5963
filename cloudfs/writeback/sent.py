"""What the store has of one staged file already, and how the rest of it is being written. No I/O."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from cloudfs.catalog.pieces import SentPiece
from cloudfs.types import Extent


class Sent:
    """The pieces of one staged file, in order. Those that are *punched* have left a hole in it."""

    __slots__ = ("_pieces", "_stops")

    def __init__(self, pieces: Iterable[SentPiece] = ()) -> None:
        self._pieces = list(pieces)
        self._stops = [sent.stop for sent in self._pieces]

    def __iter__(self) -> Iterator[SentPiece]:
        return iter(list(self._pieces))

    def __len__(self) -> int:
        return len(self._pieces)

    def put(self, sent: SentPiece) -> None:
        """Add a piece, or what is known of it by now."""
        at = bisect_left(self._stops, sent.stop)
        if at < len(self._stops) and self._stops[at] == sent.stop:
            self._pieces[at] = sent
        else:
            self._pieces.insert(at, sent)
            self._stops.insert(at, sent.stop)

    def remove(self, sent: SentPiece) -> None:
        at = bisect_left(self._stops, sent.stop)
        if at < len(self._stops) and self._pieces[at].id == sent.id:
            del self._pieces[at], self._stops[at]

    def __contains__(self, sent: SentPiece) -> bool:
        at = bisect_left(self._stops, sent.stop)
        return at < len(self._stops) and self._pieces[at].id == sent.id

    def overlapping(self, start: int, stop: int) -> list[SentPiece]:
        """Those with bytes of ``[start, stop)``."""
        found: list[SentPiece] = []
        for at in range(bisect_left(self._stops, start + 1), len(self._stops)):
            if self._pieces[at].start >= stop:
                break
            found.append(self._pieces[at])
        return found

    def punched(self, start: int, stop: int) -> list[SentPiece]:
        """Those of whose bytes in ``[start, stop)`` the store has the only copy."""
        return [sent for sent in self.overlapping(start, stop) if sent.punched]

    def split(self, start: int, stop: int) -> Iterator[tuple[Extent, SentPiece | None]]:
        """``[start, stop)`` in order, cut into what is punched, with its piece, and what is not."""
        for sent in self.punched(start, stop):
            if sent.start > start:
                yield Extent(start, sent.start), None
            yield Extent(max(start, sent.start), min(stop, sent.stop)), sent
            start = min(stop, sent.stop)
        if start < stop:
            yield Extent(start, stop), None


class Rhythm:
    """When each part of ``size`` bytes of a large file was written last, and which of them more than once.

    What was written before the file was large counts as written long ago.
    """

    __slots__ = ("_again", "_cut_from", "_cut_ns", "_written", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._written: dict[int, int] = {}
        self._again: set[int] = set()
        self._cut_from = 0
        self._cut_ns = 0

    def note(self, start: int, stop: int, length: int, now_ns: int) -> None:
        """``[start, stop)`` was written in a file that had ``length`` bytes before."""
        frontier = length // self.size - 1
        for part in range(start // self.size, (stop - 1) // self.size + 1):
            self._written[part] = now_ns
            if part < frontier:
                self._again.add(part)

    def stamp(self, part: int) -> int:
        """Another number after each time the part was written."""
        return self._written.get(part, self._cut_ns if part >= self._cut_from else 0)

    def is_restless(self, part: int) -> bool:
        """Whether an application came back to it, so that it may do so again."""
        return part in self._again

    def cut(self, size: int, now_ns: int) -> None:
        """The file ends at ``size`` now: what comes after it is new, and the part in which it ends has changed."""
        last = size // self.size
        self._again = {part for part in self._again if part < last}
        self._written = {part: at for part, at in self._written.items() if part < last}
        self._cut_from = min(last, self._cut_from) if self._cut_ns else last
        self._cut_ns = now_ns
