"""Reads large objects. Swift looks the manifest up again for every part that is asked for; here it is read once, and
then each part comes straight from its segment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from cachetools import LRUCache

from cloudfs.errors import StoreError, Unavailable
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.composition import Composition, container_name
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.manifest import Segment, manifest_etag

_REMEMBERED = 16_384
"""Segments of all objects together, about 5 MB of memory."""
_LONGEST = _REMEMBERED // 4


@dataclass(frozen=True, slots=True)
class _Layout:
    """``stops`` says where in the object each segment ends."""

    segments: Sequence[Segment]
    stops: Sequence[int]

    def __len__(self) -> int:
        return len(self.segments) + 1

    def find(self, start: int, stop: int) -> Segment | None:
        """The part of one segment that is ``[start, stop)`` of the object; None if it takes more than one."""
        number = bisect_right(self.stops, start)
        if number == len(self.stops) or stop > self.stops[number]:
            return None
        segment = self.segments[number]
        shift = segment.start - (self.stops[number] - len(segment))
        return replace(segment, start=start + shift, stop=stop + shift)


_UNKNOWN = _Layout((), ())
"""A large object of which the manifest was not asked for yet: not everybody who reads a part comes back."""
_UNUSABLE = _Layout((), ())


class LayoutReader:
    """Reads objects of ``container``.

    What an etag stands for never changes: it is made of the etags of the segments, each of which is asked for by its
    own. When a segment is gone, because the object was replaced, Swift is asked for the object again.
    """

    def __init__(self, container: SwiftContainer) -> None:
        self._container = container
        self._composition = Composition(container.account)
        self._layouts: LRUCache[str, _Layout] = LRUCache(_REMEMBERED, getsizeof=len)

    async def read(self, name: str, etag: str, start: int, stop: int) -> bytes:
        """Bytes ``[start, stop)``, not none, of the content that has this etag. Raises as `SwiftContainer.get`."""
        layout = self._layouts.get(etag)
        if layout is _UNKNOWN:
            return await self._read_and_learn(name, etag, start, stop)
        if layout is not None and (part := layout.find(start, stop)) is not None:
            try:
                return await self._read_segment(part)
            except Unavailable:
                raise
            except StoreError:
                self._layouts[etag] = _UNUSABLE
        content, is_static = await self._container.get(name, etag, start, stop)
        if layout is None and is_static:
            self._layouts.setdefault(etag, _UNKNOWN)
        return content

    async def _read_segment(self, part: Segment) -> bytes:
        container, name = container_name(part.path)
        owner = SwiftContainer(self._container.account, container)
        content, _ = await owner.get(name, part.etag, part.start, part.stop)
        return content

    async def _read_and_learn(self, name: str, etag: str, start: int, stop: int) -> bytes:
        found: list[bytes] = []

        async def read() -> None:
            content, _ = await self._container.get(name, etag, start, stop)
            found.append(content)

        async def learn() -> None:
            self._layouts[etag] = _UNUSABLE  # for those who come meanwhile
            learned = _UNKNOWN
            try:
                learned = await self._ask_for_layout(name, etag)
            finally:
                self._layouts[etag] = learned

        await in_parallel(lambda call: call(), [read, learn])
        return found[0]

    async def _ask_for_layout(self, name: str, etag: str) -> _Layout:
        try:
            segments = await self._composition.static(f"/{self._container.name}/{name}")
        except Unavailable:
            return _UNKNOWN
        except StoreError:
            return _UNUSABLE
        if len(segments) > _LONGEST or manifest_etag(segments) != etag or any(each.nested for each in segments):
            return _UNUSABLE
        return _Layout(segments, list(accumulate(map(len, segments))))
