"""The segments of large objects: where they are, how they are sent, and which names use them.

Segments are in the container ``NAME_segments``, as those of every Swift client; ours are
``cloudfs/GROUP/START-UNIQUE``, with a group for each upload. Since several names may use one segment (hard links,
renames, patches), each name that uses a group has a reference ``cloudfs-refs/GROUP/HASH`` whose content is
``container/name``. A segment is deleted with the last name that uses it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import trio

from cloudfs.errors import BrokenAnswer, NotFound, VersionMismatch
from cloudfs.stores.base import Location, Piece, Source
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.container import Row, SwiftContainer, md5_of
from cloudfs.stores.swift.manifest import Segment, manifest_etag
from cloudfs.stores.swift.names import quoted

SEGMENTS = "cloudfs"
REFERENCES = "cloudfs-refs"
_IN_THREAD = 256 << 10
"""Bytes; hashing so many takes longer than changing to a thread and back."""
_COPY = re.compile(r"(/[^/]+/cloudfs)/[0-9a-f]{32}/[0-9a-f]{16}-([0-9a-f]{32})-([^/]+)")
_OTHERS = "_segments"
"""How the containers end in which every client keeps nothing but segments."""


class SwiftSegments:
    """Of the objects of one container. Implements `cloudfs.stores.base.Pieces`."""

    def __init__(self, container: SwiftContainer, size: int) -> None:
        """``container`` is the one for segments; ``size`` is in bytes."""
        self.size = size
        self.container = container
        self._sending: Counter[str] = Counter()
        self._groups: dict[bytes, str] = {}

    # --- pieces ----------------------------------------------------------------------------------------------------

    async def put(self, location: Location, source: Source, start: int, stop: int) -> Piece:
        group = self._groups.setdefault(location.path, new_group())
        with self.sending(group):
            segment = await self.send(group, source, start, stop)
        return Piece(start, stop, json.dumps([segment.path, segment.etag]))

    async def read(self, piece: Piece, start: int, stop: int) -> bytes:
        if start == stop:
            return b""
        segment = segment_of(piece)
        name, first, last = self._name(segment.path), start - piece.start, stop - piece.start
        try:
            content, _ = await self.container.get(name, segment.etag, first, last)
        except VersionMismatch:
            content, _ = await self.container.get(name, manifest_etag([segment]), first, last)  # it leads to its copy
        return content

    async def drop(self, piece: Piece) -> None:
        await self.container.delete(self._name(segment_of(piece).path))

    def finish(self, location: Location) -> None:
        """The pieces of a file have become an object, and the next ones belong to another upload."""
        self._groups.pop(location.path, None)

    @contextmanager
    def sending(self, group: str) -> Iterator[None]:
        """Segments of the group are on their way, or their object is about to appear."""
        self._sending[group] += 1
        try:
            yield
        finally:
            self._sending[group] -= 1
            if not self._sending[group]:
                del self._sending[group]

    def being_sent(self) -> set[str]:
        """The groups of which that is so now."""
        return set(self._sending)

    # --- segments --------------------------------------------------------------------------------------------------

    async def send(self, group: str, source: Source, start: int, stop: int) -> Segment:
        """Bytes of ``source`` as a segment. `BrokenAnswer` if the checksum of what arrived disagrees."""
        name = f"{SEGMENTS}/{group}/{start:016x}-{secrets.token_hex(4)}"
        body = HashedRange(source, start, stop)
        etag = await self.container.put(name, body, {"Content-Type": "application/octet-stream"})
        if etag != body.md5():
            await self.container.delete(name)
            raise BrokenAnswer(f"bytes {start} to {stop}: what arrived is not what was sent")
        return Segment.whole(f"/{self.container.name}/{name}", etag, stop - start)

    async def take(self, group: str, origin: SwiftContainer, name: str, etag: str, size: int) -> Segment:
        """A plain object as a segment, copied by the server. `NotFound`, `BrokenAnswer` if it is another by now."""
        target = f"{SEGMENTS}/{group}/{0:016x}-{secrets.token_hex(4)}"
        try:
            copied = await self.container.copy(name, target, {}, container=origin.name)
        except NotFound:
            # Swift says the same if the container for segments is missing.
            await self.container.create()
            copied = await self.container.copy(name, target, {}, container=origin.name)
        if copied != etag:
            await self.container.delete(target)
            raise BrokenAnswer(f"{name}: the content is another by now")
        return Segment.whole(f"/{self.container.name}/{target}", etag, size)

    async def lead(self, path: str, copy: str) -> None:
        """The segment at ``path`` is no longer needed itself, but whoever knows it shall find its ``copy``."""
        headers = {"Content-Type": "application/octet-stream", "X-Object-Manifest": quoted(copy.lstrip("/"))}
        await self.container.put(self._name(path), b"", headers)

    def owns(self, path: str) -> bool:
        """Whether it is a segment, and nothing that somebody stored for its own sake."""
        container = path.lstrip("/").partition("/")[0]
        return container.endswith(_OTHERS)

    # --- references ------------------------------------------------------------------------------------------------

    async def refer(self, group: str, user: str) -> None:
        """Note that ``user``, a ``container/name``, uses segments of the group."""
        await self.container.put(_reference(group, user), user.encode(), {"Content-Type": "text/plain"})

    async def forget(self, group: str, user: str) -> None:
        await self.container.delete(_reference(group, user))

    async def users(self, group: str) -> set[str]:
        """Every name that is noted as a user of the group."""
        return await self._users(f"{REFERENCES}/{group}/")

    async def all_users(self) -> set[str]:
        """Every name that uses segments of ours, as far as noted."""
        return await self._users(f"{REFERENCES}/")

    async def _users(self, prefix: str) -> set[str]:
        async def user(row: Row) -> str:
            with suppress(NotFound):
                return (await self.container.get_text(str(row["name"]))).body.decode("utf-8", "replace")
            return ""

        with suppress(NotFound):
            return set(await in_parallel(user, await self.container.all_rows(prefix))) - {""}
        return set()

    def _name(self, path: str) -> str:
        return path.removeprefix(f"/{self.container.name}/")


class HashedRange:
    """A `cloudfs.http.message.Body`: bytes of a source, whose checksum is known when it has been sent."""

    def __init__(self, source: Source, start: int, stop: int) -> None:
        self.size = stop - start
        self._source = source
        self._start = start
        self._digest = hashlib.md5(usedforsecurity=False)
        self._hashed = 0

    async def read(self, start: int, stop: int) -> bytes:
        data = await self._source.read(self._start + start, self._start + stop)
        if start == 0:
            self._digest, self._hashed = hashlib.md5(usedforsecurity=False), 0
        if start == self._hashed:
            if len(data) >= _IN_THREAD:
                await trio.to_thread.run_sync(self._digest.update, data)
            else:
                self._digest.update(data)
            self._hashed = stop
        return data

    def md5(self) -> str:
        assert self._hashed == self.size
        return self._digest.hexdigest()


def new_group() -> str:
    return secrets.token_hex(16)


def segment_of(piece: Piece) -> Segment:
    path, etag = json.loads(piece.token)
    return Segment.whole(path, etag, piece.stop - piece.start)


def group_of(path: str) -> str:
    """Of a segment. What other clients made is grouped by the prefix that it shares."""
    parts = path.lstrip("/").split("/")
    if len(parts) == 4 and parts[1] == SEGMENTS:
        return parts[2]
    return "x" + md5_of(path.rpartition("/")[0].encode())


def copy_name(group: str, number: int, path: str) -> str:
    """For a copy of the segment at ``path``, which makes it part ``number`` of a dynamic large object."""
    return f"{SEGMENTS}/{group}/{number:016x}-{group_of(path)}-{path.rpartition('/')[2]}"


def original_of(path: str) -> str | None:
    """The path of what a segment is such a copy of; None if it is none."""
    match = _COPY.fullmatch(path)
    return f"{match[1]}/{match[2]}/{match[3]}" if match else None


def groups_of(segments: Iterable[Segment]) -> set[str]:
    return {group_of(segment.path) for segment in segments}


def _reference(group: str, user: str) -> str:
    return f"{REFERENCES}/{group}/{md5_of(user.encode())}"
