"""Large objects as lists of ranges of segments, and how a new version reuses those of the old one. Pure.

A static large object (SLO) is a JSON list of segments, of which each may be used in part. Its etag is the MD5 of the
segments' etags in one string, with ``:FIRST-LAST;`` after those that are used in part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cloudfs.stores.base import Piece
from cloudfs.types import Extent

_GAP = 64 << 10
"""Bytes between two changes: fewer are sent again, because another segment would cost more."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes ``[start, stop)`` of an object of ``size`` bytes. ``path`` is ``/container/object``, not quoted."""

    path: str
    etag: str
    size: int
    start: int
    stop: int
    nested: bool = False
    """It is a large object itself."""

    @classmethod
    def whole(cls, path: str, etag: str, size: int) -> Segment:
        return cls(path, etag, size, 0, size)

    @property
    def is_whole(self) -> bool:
        return (self.start, self.stop) == (0, self.size)

    def __len__(self) -> int:
        return self.stop - self.start


def read_manifest(body: bytes) -> list[Segment] | None:
    """From the answer to ``?multipart-manifest=get``; None if it has parts that we cannot use again."""
    try:
        return [_read_segment(row) for row in json.loads(body)]
    except (ValueError, KeyError, TypeError):
        return None


def _read_segment(row: dict[str, object]) -> Segment:
    segment = Segment.whole(str(row["name"]), str(row["hash"]).strip('"'), int(str(row["bytes"])))
    if row.get("sub_slo"):
        segment = replace(segment, nested=True)
    if used := row.get("range"):
        first, _, last = str(used).partition("-")
        return replace(segment, start=int(first), stop=int(last) + 1)
    return segment


def write_manifest(segments: Iterable[Segment]) -> bytes:
    """The body of a ``?multipart-manifest=put``."""
    return json.dumps([_write_segment(segment) for segment in segments]).encode()


def _write_segment(segment: Segment) -> dict[str, object]:
    row: dict[str, object] = {"path": segment.path, "etag": segment.etag, "size_bytes": segment.size}
    if not segment.is_whole:
        row["range"] = f"{segment.start}-{segment.stop - 1}"
    return row


def manifest_etag(segments: Iterable[Segment]) -> str:
    """What Swift will call the object."""
    digest = hashlib.md5(usedforsecurity=False)
    for segment in segments:
        used = "" if segment.is_whole else f":{segment.start}-{segment.stop - 1};"
        digest.update(f"{segment.etag}{used}".encode())
    return digest.hexdigest()


def cut(segments: Iterable[Segment], start: int, stop: int) -> list[Segment]:
    """The same bytes as ``[start, stop)`` of what ``segments`` make up."""
    found: list[Segment] = []
    at = 0
    for segment in segments:
        first, last = max(start, at), min(stop, at + len(segment))
        if first < last:
            found.append(replace(segment, start=segment.start + first - at, stop=segment.start + last - at))
        at += len(segment)
    return found


def joined(segments: Iterable[Segment]) -> list[Segment]:
    """Neighbours of which one goes on where the other ends become one."""
    result: list[Segment] = []
    for segment in segments:
        last = result[-1] if result else None
        if last is not None and (last.path, last.stop) == (segment.path, segment.start) and last.etag == segment.etag:
            result[-1] = replace(last, stop=segment.stop)
        else:
            result.append(segment)
    return result


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes of the new content that the store does not have."""

    start: int
    stop: int


Part = Send | Piece | Extent
"""What a range of the new content comes from: the source, a piece that was sent, or (an extent) the old version."""


def plan_parts(size: int, kept: Iterable[Extent], pieces: Iterable[Piece], longest: int, most: int) -> list[Part]:
    """How to put ``size`` bytes together: parts in order, without gaps, ranges to send at most ``longest`` long.

    Kept ranges are given up, the shortest ones first, until no more than about ``most`` parts are left.
    """
    kept = [extent for extent in kept if len(extent)]
    pieces = list(pieces)
    shortest = _GAP
    while True:
        parts = _fill(size, [*pieces, *(extent for extent in kept if len(extent) >= shortest)], longest)
        if len(parts) <= most or shortest > size:
            return parts
        shortest *= 2


def _fill(size: int, known: Sequence[Piece | Extent], longest: int) -> list[Part]:
    parts: list[Part] = []
    at = 0
    for part in sorted(known, key=lambda part: part.start):
        parts += _send(at, part.start, longest)
        parts.append(part)
        at = part.stop
    return parts + _send(at, size, longest)


def _send(start: int, stop: int, longest: int) -> list[Send]:
    return [Send(at, min(at + longest, stop)) for at in range(start, stop, longest)]
