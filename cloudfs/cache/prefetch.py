"""Which of the next files to fetch before somebody reads them, and how many. Pure.

Programs that read trees (tar, cp, rsync) open one small file after the other, in the order in which directories are
listed, and wait a round trip for each. A `Trail` follows one such reader: it keeps some files ahead of him, twice as
many every time that he catches up with what is still on its way, and gives up when he reads something else.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_FILES = 4
FIRST_BYTES = 512 << 10
MOST_FILES = 256
MOST_BYTES = 64 << 20
"""Of files that nobody has read yet."""
AT_ONCE = 48
BYTES_AT_ONCE = 8 << 20
"""On their way; one file always may be."""
WHOLE = 4 << 20
"""Of a larger file only the first `FIRST_BYTES` are fetched: its reader reads ahead by himself."""
_CREDIT = 3
_MOST_CREDIT = 16


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A file that comes next: generation ``content`` of inode ``ino``."""

    ino: int
    content: int
    size: int

    @property
    def fetched(self) -> int:
        """How many bytes of it are worth fetching."""
        return self.size if self.size <= WHOLE else FIRST_BYTES


@dataclass(frozen=True, slots=True)
class Pace:
    """How much may be ahead of a reader."""

    files: int = FIRST_FILES
    bytes: int = FIRST_BYTES

    def faster(self, most_bytes: int) -> Pace:
        return Pace(min(self.files * 2, MOST_FILES), min(self.bytes * 2, MOST_BYTES, most_bytes))


class Trail:
    """What is ahead of one reader, who has just read inode ``last``.

    While it `is_hungry`, `offer` the file that comes next. Take what is to be fetched now from `take`, and say with
    `landed` when that is over. Once it `is_lost`, forget it.
    """

    def __init__(self, last: int, most_bytes: int, pace: Pace | None = None) -> None:
        """At most ``most_bytes`` are ahead, however fast the reader is."""
        self.last = last
        self.pace = pace or Pace()
        self._offered: Upcoming | None = None
        self._most_bytes = most_bytes
        self._ahead: dict[int, Upcoming] = {}
        self._passed: set[int] = set()
        self._on_their_way: dict[int, int] = {}
        self._bytes = 0
        self._credit = _CREDIT

    @property
    def is_lost(self) -> bool:
        """Whether the reader reads too little of what was fetched for him."""
        return self._credit <= 0

    @property
    def is_hungry(self) -> bool:
        return self._offered is None

    def offer(self, file: Upcoming) -> None:
        self._offered = file

    def expects(self, ino: int) -> bool:
        return ino in self._ahead or ino in self._passed or self._is_offered(ino)

    def _is_offered(self, ino: int) -> bool:
        return self._offered is not None and self._offered.ino == ino

    def read(self, ino: int) -> None:
        """The reader reads a file that is expected."""
        if ino in self._passed:
            self._passed.discard(ino)
            self._credit += 1
            return
        caught_up = ino in self._on_their_way or self._is_offered(ino)
        if self._is_offered(ino):
            self._offered = None
        for other in list(self._ahead):
            self._bytes -= self._ahead.pop(other).fetched
            if other == ino:
                break
            self._passed.add(other)
            self._credit -= 1
        self._credit = min(self._credit + 1, _MOST_CREDIT)
        self.last = ino
        if caught_up:
            self.pace = self.pace.faster(self._most_bytes)
        if len(self._passed) > MOST_FILES:
            self._passed.clear()

    def take(self) -> Upcoming | None:
        """The file that was offered, if it is to be fetched now."""
        file = self._offered
        if file is None or len(self._ahead) >= self.pace.files or len(self._on_their_way) >= AT_ONCE:
            return None
        crowded = self._on_their_way and sum(self._on_their_way.values()) + file.fetched > BYTES_AT_ONCE
        if self._ahead and (crowded or self._bytes + file.fetched > self.pace.bytes):
            return None
        self._offered = None
        self._ahead[file.ino] = file
        self._on_their_way[file.ino] = file.fetched
        self._bytes += file.fetched
        return file

    def landed(self, file: Upcoming) -> None:
        """It is here, or will not come."""
        self._on_their_way.pop(file.ino, None)
