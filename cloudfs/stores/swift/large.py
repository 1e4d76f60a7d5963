"""Objects larger than a segment: put together from what is sent, what was sent before, and what the old version had.

A static large object where the provider has them, else a dynamic one (DLO), whose segments are all objects under a
prefix. The new version is published by its manifest, whole or not at all; what only the old one used is deleted
afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import trio

from cloudfs.errors import BrokenAnswer, NotFound, StoreError, Unavailable
from cloudfs.stores.base import Known, Location, Piece, Source, Transfer
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.account import Offer
from cloudfs.stores.swift.composition import Composition, container_name
from cloudfs.stores.swift.container import Head, SwiftContainer
from cloudfs.stores.swift.leftovers import leftover_groups
from cloudfs.stores.swift.locks import Locks
from cloudfs.stores.swift.manifest import (
    Part,
    Segment,
    cut,
    joined,
    manifest_etag,
    plan_parts,
    write_manifest,
)
from cloudfs.stores.swift.names import Names, quoted
from cloudfs.stores.swift.rows import etag_in
from cloudfs.stores.swift.segments import (
    SEGMENTS,
    SwiftSegments,
    copy_name,
    group_of,
    groups_of,
    new_group,
    original_of,
    segment_of,
)
from cloudfs.types import Extent

_log = logging.getLogger(__name__)
_TRIALS = "cloudfs-trial"
"""Where manifests of dynamic large objects are tried before they get their names."""
_AT_ONCE = 4
"""Segments of one file that are sent at the same time."""
_CLEANING = 60.0
"""Seconds to delete what is not needed, also when nobody waits any more."""
_WORTH_KEEPING = 8 << 20
"""Bytes: to send fewer again is cheaper than to have the server copy the rest."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A content in segments. ``manifest`` lists them, or lists of them; ``all`` is without such lists.

    Those of ``group`` were sent for this, the others were there.
    """

    manifest: Sequence[Segment]
    all: Sequence[Segment]
    group: str

    @property
    def etag(self) -> str:
        return manifest_etag(self.manifest)


class LargeObjects:
    """Those of ``container``. ``delete`` removes many names of the segments' container."""

    def __init__(
        self,
        container: SwiftContainer,
        names: Names,
        segments: SwiftSegments,
        offer: Offer,
        delete: Callable[[SwiftContainer, Sequence[str]], Awaitable[None]],
    ) -> None:
        self._container = container
        self._names = names
        self._segments = segments
        self._offer = offer
        self._delete = delete
        self._composition = Composition(container.account)
        self._locks = Locks()

    @property
    def makes_dynamic(self) -> bool:
        """Whether what is made here is listed as an empty object."""
        return not self._offer.static_large_objects

    def is_wanted(self, size: int, known: Known) -> bool:
        """Whether a content should be stored in segments."""
        if size <= self._segments.size and not known.pieces:
            return self._offer.static_large_objects and sum(map(len, known.kept)) >= _WORTH_KEEPING
        return True

    async def assemble(self, group: str, source: Source, known: Known, transfer: Transfer) -> Assembly:
        """Have everything at the store that the new content is made of, and nothing of it visible.

        What has to be sent becomes the ``group``.
        """
        base = await self._base(known, group) if self._offer.static_large_objects else []
        kept = known.kept if base else ()
        most = self._offer.max_segments * 9 // 10
        longest = max(self._segments.size, -(-source.size // (most * most)))
        parts = plan_parts(source.size, kept, known.pieces, longest, max(most, source.size // longest))

        async def provide(part: Part) -> list[Segment]:
            if isinstance(part, Piece):
                return [segment_of(part)]  # whoever sent it has said so
            if isinstance(part, Extent):
                provided = cut(base, part.start, part.stop)
            else:
                provided = [await self._segments.send(group, source, part.start, part.stop)]
            transfer.advance(part.stop - part.start)
            return provided

        provided = await in_parallel(provide, parts, at_once=_AT_ONCE)
        segments = joined(segment for each in provided for segment in each)
        nested = await self._nested(segments) if self._offer.static_large_objects else segments
        return Assembly(nested, segments, group)

    @contextmanager
    def sending(self) -> Iterator[str]:
        """A group of segments, for as long as it takes to send them and to publish what they make."""
        group = new_group()
        with self._segments.sending(group):
            yield group

    async def leftovers(self, known: Callable[[], Iterable[Piece]]) -> Sequence[str]:
        """As `cloudfs.stores.base.Leftovers`."""
        return await leftover_groups(self._segments, self._composition, known)

    async def publish(self, location: Location, assembly: Assembly, headers: Mapping[str, str], exclusive: bool) -> str:
        """Give the assembled content its name; the etag. `VersionMismatch` if ``exclusive`` and the name is taken."""
        name = self._names.of(location)
        user = f"{self._container.name}/{name}"
        await in_parallel(lambda group: self._segments.refer(group, user), sorted(groups_of(assembly.all)))
        if self._offer.static_large_objects:
            etag = await self._publish_static(name, assembly, headers, exclusive)
        else:
            etag = await self._publish_dynamic(name, assembly, headers, exclusive)
        self._segments.finish(location)
        return etag

    async def discard(self, location: Location, assembly: Assembly) -> None:
        """It is not needed after all. Pieces stay, because the caller knows them, and so does what is in use there."""
        try:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _CLEANING):
                await self._discard(self._names.of(location), assembly)
        except StoreError as error:
            _log.warning("%s: segments that are not needed could not be deleted: %s", location, error)

    async def _discard(self, name: str, assembly: Assembly) -> None:
        user = f"{self._container.name}/{name}"
        used = await self._composition.used_by([user])
        sent = {segment.path for segment in assembly.all if group_of(segment.path) == assembly.group}
        await self._delete_paths(sent - used - {original_of(path) for path in used})
        for group in groups_of(assembly.all) - {group_of(path) for path in used}:
            await self._segments.forget(group, user)

    async def copy(self, name: str, head: Head, target: str, headers: Mapping[str, str]) -> str:
        """Another object of the same segments; the etag. `NotFound`."""
        shared = await self._composition.unfolded(await self.segments(name, head))
        groups = groups_of(shared)
        users = [f"{self._container.name}/{each}" for each in (name, target)]
        async with self._locks.hold(groups):
            await in_parallel(
                lambda pair: self._segments.refer(*pair), [(group, user) for group in sorted(groups) for user in users]
            )
            etag = await self._container.copy(name, target, headers, manifest=True)
        if head.is_dynamic:
            copied = await self._container.head(target)
            return copied.etag if copied is not None else ""
        return etag

    async def forget(self, name: str, target: str) -> None:
        """``name`` is gone, and ``target`` has its segments: take its references away."""
        head = await self._container.head(target)
        if head is None:
            return
        shared = await self._composition.unfolded(await self.segments(target, head))
        user = f"{self._container.name}/{name}"
        await in_parallel(lambda group: self._segments.forget(group, user), sorted(groups_of(shared)))

    async def segments(self, name: str, head: Head) -> list[Segment]:
        """What a large object is made of; empty if that cannot be told."""
        return await self._composition.segments(f"/{self._container.name}/{name}", head)

    async def release(self, name: str, old: Sequence[Segment], new: Sequence[Segment] = ()) -> None:
        """Delete what ``old`` was made of, except what ``new`` or another name uses.

        What cannot be deleted now is left: it is in nobody's way, and ``cloudfs verify`` finds it.
        """
        if not old:
            return
        try:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _CLEANING):
                await self._release(name, old, new)
        except StoreError as error:
            _log.warning("%s: replaced segments could not be deleted: %s", name, error)

    # --- putting together ------------------------------------------------------------------------------------------

    async def _base(self, known: Known, group: str) -> list[Segment]:
        """The version that parts are kept of, as segments; empty if it is gone, or not worth it."""
        if known.location is None or known.version is None or sum(map(len, known.kept)) < _WORTH_KEEPING:
            return []
        name, etag = self._names.of(known.location), etag_in(known.version)
        head = await self._container.head(name)
        if head is None or head.etag != etag or head.is_dynamic:
            return []
        if head.is_static:
            segments = await self.segments(name, head)
            return segments if manifest_etag(segments) == etag else []
        try:
            return [await self._segments.take(group, self._container, name, etag, head.size)]
        except (NotFound, BrokenAnswer):
            return []

    # --- publishing ------------------------------------------------------------------------------------------------

    async def _publish_static(self, name: str, assembly: Assembly, headers: Mapping[str, str], exclusive: bool) -> str:
        expected = assembly.etag
        query = {"multipart-manifest": "put"}
        etag = await self._container.put(
            name, write_manifest(assembly.manifest), headers, md5=expected, exclusive=exclusive, query=query
        )
        if etag != expected:
            raise Unavailable(f"{name}: the provider made something else of the segments than was sent")
        return etag

    async def _nested(self, segments: Sequence[Segment]) -> Sequence[Segment]:
        """No more segments than one manifest may have: if need be, manifests of manifests."""
        most = self._offer.max_segments
        if len(segments) <= most:
            return segments
        group = new_group()

        async def nest(number: int) -> Segment:
            part = segments[number * most : (number + 1) * most]
            inner = f"{SEGMENTS}/{group}/{number:016x}-manifest"
            headers = {"Content-Type": "application/octet-stream"}
            etag = await self._segments.container.put(
                inner, write_manifest(part), headers, md5=manifest_etag(part), query={"multipart-manifest": "put"}
            )
            size = sum(map(len, part))
            return replace(Segment.whole(f"/{self._segments.container.name}/{inner}", etag, size), nested=True)

        return await in_parallel(nest, range(-(-len(segments) // most)), at_once=_AT_ONCE)

    async def _publish_dynamic(self, name: str, assembly: Assembly, headers: Mapping[str, str], exclusive: bool) -> str:
        """The segments have to be alone under their prefix, in order; and listed, before the manifest counts on it.

        So they are copied. What was sent as a piece leads to its copy from now on: whoever does not get to know of this
        still needs it.
        """
        group, container = new_group(), self._segments.container
        prefix = f"{SEGMENTS}/{group}/"

        async def place(pair: tuple[int, Segment]) -> str:
            number, segment = pair
            origin, source = container_name(segment.path)
            copy = copy_name(group, number, segment.path)
            try:
                await container.copy(source, copy, {}, container=origin)
            except NotFound as error:
                raise BrokenAnswer(str(error)) from None
            return copy

        copies = await in_parallel(place, list(enumerate(assembly.all)), at_once=_AT_ONCE)
        await self._segments.refer(group, f"{self._container.name}/{name}")
        if [row["hash"] for row in await container.all_rows(prefix)] != [segment.etag for segment in assembly.all]:
            raise BrokenAnswer(f"{name}: the provider does not list the segments yet")
        manifest = {"X-Object-Manifest": quoted(f"{container.name}/{prefix}")}
        await self._try_manifest(name, f"{_TRIALS}/{group}", manifest, assembly.etag)
        await self._container.put(name, b"", {**headers, **manifest}, exclusive=exclusive)
        head = await self._container.head(name)
        if head is None or head.etag != assembly.etag:
            raise Unavailable(f"{name}: the provider made something else of the segments than was sent")

        async def replace_by(pair: tuple[Segment, str]) -> None:
            segment, copy = pair
            if group_of(segment.path) == assembly.group:
                await container.delete(container_name(segment.path)[1])
            else:
                await self._segments.lead(segment.path, f"{container.name}/{copy}")

        await in_parallel(replace_by, list(zip(assembly.all, copies, strict=True)), at_once=_AT_ONCE)
        for old in groups_of(assembly.all):
            await self._segments.forget(old, f"{self._container.name}/{name}")
        return head.etag

    async def _try_manifest(self, name: str, trial: str, manifest: Mapping[str, str], etag: str) -> None:
        """Store it aside. `Unavailable` if the provider takes it for an empty file: under its name that would replace
        what is there."""
        container = self._segments.container
        await container.put(trial, b"", {"Content-Type": "application/octet-stream", **manifest})
        head = await container.head(trial)
        await container.delete(trial)
        if head is None or head.etag != etag:
            raise Unavailable(f"{name}: the provider made something else of the segments than was sent")

    # --- releasing -------------------------------------------------------------------------------------------------

    async def _release(self, name: str, old: Sequence[Segment], new: Sequence[Segment]) -> None:
        user = f"{self._container.name}/{name}"
        old = await self._composition.unfolded(old)
        staying = {segment.path for segment in await self._composition.unfolded(new)}
        groups, groups_staying = groups_of(old), {group_of(path) for path in staying}
        async with self._locks.hold(groups):
            for group in sorted(groups):
                gone = {each.path for each in old if group_of(each.path) == group} - staying
                others = await self._segments.users(group) - {user}
                gone -= await self._composition.used_by(others)
                gone |= {original for path in gone if (original := original_of(path)) is not None} - staying
                await self._delete_paths(path for path in gone if self._segments.owns(path))
                if group not in groups_staying:
                    await self._segments.forget(group, user)

    async def _delete_paths(self, paths: Iterable[str]) -> None:
        by_container: dict[str, list[str]] = {}
        for path in paths:
            container, name = container_name(path)
            by_container.setdefault(container, []).append(name)
        for container, names in by_container.items():
            await self._delete(SwiftContainer(self._container.account, container), names)
