"""Which blocks of one content to give up first. Pure."""

from __future__ import annotations

from cloudfs.cache.runs import Run, Runs


def victims(present: Runs, position: int, count: int) -> list[Run]:
    """At least ``min(count, present.total)`` blocks, no more than ``count``, for a reader at block ``position``.

    First what lies behind the reader, from the beginning; then what is farthest ahead. A content nobody reads has its
    reader at 0, and so loses its end.
    """
    behind = present.overlap(0, position)
    ahead = present.overlap(position, present.end)
    chosen: list[Run] = []
    for start, stop in behind:
        chosen.append((start, min(stop, start + count)))
        count -= chosen[-1][1] - start
        if not count:
            return chosen
    for start, stop in reversed(ahead):
        chosen.append((max(start, stop - count), stop))
        count -= stop - chosen[-1][0]
        if not count:
            break
    return chosen
