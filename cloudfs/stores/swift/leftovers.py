"""Segments that nothing is made of: of uploads that were given up, and of answers that got lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cloudfs.errors import NotFound
from cloudfs.quantities import show_size
from cloudfs.stores.base import Piece
from cloudfs.stores.swift.composition import Composition
from cloudfs.stores.swift.container import Row
from cloudfs.stores.swift.segments import SEGMENTS, SwiftSegments, group_of, original_of, segment_of


async def leftover_groups(
    segments: SwiftSegments, composition: Composition, known: Callable[[], Iterable[Piece]]
) -> Sequence[str]:
    """A line for each group of segments of which some are in no object, and not ``known`` to be still wanted.

    Nobody asks other machines, which may be sending to the same container at this moment.
    """
    try:
        rows = await segments.container.all_rows(f"{SEGMENTS}/")
    except NotFound:
        return ()
    # In one go: what arrived before it was listed is known by now, or under way, or in an object.
    wanted, sending = {segment_of(piece).path for piece in known()}, segments.being_sent()
    wanted |= await composition.used_by(await segments.all_users())
    wanted |= {original for path in wanted if (original := original_of(path)) is not None}
    groups: dict[str, list[Row]] = {}
    for row in rows:
        path = f"/{segments.container.name}/{row['name']}"
        if path not in wanted and (group := group_of(path)) not in sending:
            groups.setdefault(group, []).append(row)
    return [_line(segments.container.name, group, left) for group, left in sorted(groups.items())]


def _line(container: str, group: str, rows: Sequence[Row]) -> str:
    size = sum(int(row["bytes"]) for row in rows)
    last = max(str(row["last_modified"]) for row in rows)[:19]
    count = "1 segment" if len(rows) == 1 else f"{len(rows)} segments"
    return f"{container}/{SEGMENTS}/{group}/: {count} of no file, {show_size(size)}, the last one of {last} UTC"
