"""The sidecars: one small object in each directory, read seldom, and written together with everything that changes.

A sidecar is replaced as any object is, naming the version that is expected there; if another client was first, its
records are read, ours are laid on top, and it is tried again.
"""

from __future__ import annotations

import contextlib
import logging
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import trio
from cachetools import LRUCache

from cloudfs.errors import AccessDenied, NotFound, StoreError, Unavailable, VersionMismatch
from cloudfs.stores.attributes.format import (
    SIDECAR,
    SIZE_MAX,
    ForeignSidecar,
    NewerSidecar,
    Record,
    Records,
    key,
    packed,
    unpacked,
)
from cloudfs.stores.attributes.stand_ins import Text
from cloudfs.stores.base import Entry, Location, Store
from cloudfs.types import Attributes, Version

_log = logging.getLogger(__name__)
_ATTEMPTS = 10
_LINGER = 0.25
"""Seconds that a write waits for changes which are on their way; at most twice what the last write took, if longer."""
_ENOUGH = 96
"""Changes that are not worth waiting for more."""
_LARGE = 500
"""Records that take long enough to pack for it to be done in a thread."""
_KNOWN_MAX = 512
"""Directories whose records are remembered."""


@dataclass(frozen=True, slots=True)
class Content:
    """A sidecar as it was read, or written. ``version`` is None if there is none.

    ``refusal`` says why it must not be overwritten; then it has no records either.
    """

    version: Version | None = None
    identity: str = ""
    records: Records = field(default_factory=lambda: MappingProxyType({}))
    refusal: str = ""


NO_SIDECAR = Content()


@dataclass(slots=True, eq=False)
class _Batch:
    """Changes that are written together, and what came of it."""

    changes: dict[bytes, Record] = field(default_factory=dict)
    done: bool = False
    failure: StoreError | None = None


class _Unheard:
    """A `Transfer` for what nobody watches."""

    def advance(self, sent: int) -> None: ...

    def recall(self) -> bytes | None:
        return None

    def remember(self, memo: bytes) -> None: ...


class Sidecar:
    """The records of one directory: what the store has, and what is about to be written."""

    def __init__(self, inner: Store, directory: Location, slots: trio.CapacityLimiter) -> None:
        """``slots`` bounds the requests that are made at a time."""
        self.directory = directory
        self.is_news = False
        """Whether somebody else wrote what is known, and nobody has looked at the whole directory since."""
        self._inner = inner
        self._slots = slots
        self._content: Content | None = None
        self._gone: dict[bytes, Record] = {}
        """Of objects that are not there any more; they leave with the next write, which nobody makes for them."""
        self._batch = _Batch()
        self._turn = trio.Lock()
        self._arriving = 0
        self._stir = trio.Event()
        self._last_seconds = 0.0

    # --- reading -------------------------------------------------------------------------------------------------

    @property
    def records(self) -> Records:
        """As far as they are known."""
        return self._content.records if self._content is not None else {}

    @property
    def version(self) -> Version | None:
        """Of the sidecar that is known; None if there is none, or nothing is known."""
        return self._content.version if self._content is not None else None

    def find(self, entry: Entry) -> Record | None:
        """What is recorded of an object that is still the same."""
        record = self.records.get(key(entry.name, entry.identity))
        if record is None or not record.holds_for(entry) or self._gone.get(record.key) == record:
            return None
        return record

    async def look(self) -> None:
        """Know what the store has now."""
        await self.follow(await self._stat())

    async def follow(self, listed: Entry | None) -> None:
        """Know what the store has, which was just ``listed``; None if a listing had no sidecar."""
        for _ in range(_ATTEMPTS):
            if listed is None and self.version is not None:
                listed = await self._stat()
            if listed is None:
                self._content = NO_SIDECAR
                return
            if listed.version == self.version:
                return
            before = self._content
            try:
                content = await self._read(listed)
            except (NotFound, VersionMismatch):
                listed = await self._stat()
                continue
            if self._content is before:
                self._content = content
                self.is_news = True
        raise Unavailable(f"{self._place()}: changes faster than it can be read")

    async def _stat(self) -> Entry | None:
        try:
            return await self._inner.stat(self._place())
        except NotFound:
            return None

    async def _read(self, listed: Entry) -> Content:
        place = self._place(listed.identity)
        if listed.is_directory:
            return self._refused(listed, "is a directory")
        if listed.size > SIZE_MAX:
            return self._refused(listed, "is too large")
        data = await self._inner.read(place, listed.version, 0, listed.size)
        try:
            found = await trio.to_thread.run_sync(unpacked, data) if listed.size > _LARGE * 20 else unpacked(data)
        except NewerSidecar as error:
            return self._refused(listed, f"{error}, written by a later version of cloudfs")
        except ForeignSidecar as error:
            _log.warning("%s: the attributes of this directory cannot be read (%s), and are ignored", place, error)
            return Content(listed.version, listed.identity)
        return Content(listed.version, listed.identity, found)

    def _refused(self, listed: Entry, why: str) -> Content:
        _log.warning("%s: %s; attributes in this directory are neither read nor written", self._place(), why)
        return Content(listed.version, listed.identity, refusal=why)

    # --- writing -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def expecting(self) -> Iterator[None]:
        """Something is being done that will be recorded right afterwards: a write may be worth delaying for it."""
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1
            self._stirred()

    async def commit(self, *records: Record) -> None:
        """Return when they are stored. Who calls at the same time shares the request, and its failure."""
        if not records:
            return
        batch = self._batch
        for record in records:
            batch.changes[record.key] = record
            self._gone.pop(record.key, None)
        self._stirred()
        async with self._turn:
            if not batch.done:
                await self._write_all(batch)
        if batch.failure is not None:
            raise batch.failure

    def forget(self, name: bytes, identity: str = "") -> None:
        """The object is gone, or elsewhere."""
        record = self.records.get(key(name, identity))
        if record is not None:
            self.forget_exactly(record)

    def forget_exactly(self, record: Record) -> None:
        """What this record said holds no longer; a later one under the same name stays."""
        self._gone[record.key] = record

    async def remove(self, listed: Entry) -> None:
        """Delete it, if it is still the one that was just ``listed``, in a directory that has nothing else."""
        await self._inner.delete(self._place(listed.identity), listed.version)
        self._content = None

    async def _write_all(self, batch: _Batch) -> None:
        await self._linger(batch)
        if self._batch is batch:
            self._batch = _Batch()
        begun = trio.current_time()
        try:
            await self._write(batch.changes)
        except StoreError as error:
            batch.failure = error
        batch.done = True
        self._last_seconds = trio.current_time() - begun

    async def _linger(self, batch: _Batch) -> None:
        """Wait for what will be recorded soon, so that it is one write."""
        with trio.move_on_after(max(_LINGER, 2 * self._last_seconds)):
            while self._arriving and len(batch.changes) < _ENOUGH:
                self._stir = trio.Event()
                await self._stir.wait()

    def _stirred(self) -> None:
        self._stir.set()

    async def _write(self, changes: Mapping[bytes, Record]) -> None:
        for _ in range(_ATTEMPTS):
            content = self._content or NO_SIDECAR
            if content.refusal:
                raise AccessDenied(f"{self._place()} {content.refusal}")
            gone = dict(self._gone)
            records = {name: record for name, record in content.records.items() if gone.get(name) != record}
            records.update(changes)
            if self._content is not None and records == content.records:
                return
            try:
                self._content = await self._replace(content, records)
            except VersionMismatch:
                await self.look()
                continue
            for name, record in gone.items():
                if self._gone.get(name) == record:
                    del self._gone[name]
            return
        raise Unavailable(f"{self._place()}: is written too often by other clients")

    async def _replace(self, content: Content, records: Records) -> Content:
        rows = list(records.values())
        data = await trio.to_thread.run_sync(packed, rows) if len(rows) > _LARGE else packed(rows)
        attributes = Attributes(mode=stat.S_IFREG | 0o600, uid=0, gid=0, mtime_ns=time.time_ns())
        place = self._place(content.identity)
        async with self._slots:
            entry = await self._inner.put(place, Text(data), attributes, replaces=content.version, transfer=_Unheard())
        return Content(entry.version, entry.identity, records)

    def _place(self, identity: str = "") -> Location:
        path = self.directory.path + b"/" + SIDECAR if self.directory.path else SIDECAR
        return Location(path, identity, self.directory.identity)


class Sidecars:
    """Those of the directories that were in use lately."""

    def __init__(self, inner: Store, slots: trio.CapacityLimiter) -> None:
        self._inner = inner
        self._slots = slots
        self._known: LRUCache[bytes, Sidecar] = LRUCache(_KNOWN_MAX)

    def of(self, directory: Location) -> Sidecar:
        """The one in that directory."""
        name = self._name(directory)
        sidecar = self._known.get(name)
        if sidecar is None:
            sidecar = self._known[name] = Sidecar(self._inner, directory, self._slots)
        sidecar.directory = directory
        return sidecar

    def around(self, location: Location) -> Sidecar:
        """The one that describes the object at ``location``; the root describes itself."""
        return self.of(Location(location.parent_path, location.parent_identity) if location.path else location)

    def forget(self, directory: Location) -> None:
        """The directory is gone, or has another path now, with all that is in it."""
        name = self._name(directory)
        below = name + b"/"
        for known in [known for known in self._known if known == name or known.startswith(below)]:
            del self._known[known]

    def _name(self, directory: Location) -> bytes:
        if not directory.path and not directory.identity:
            return b""
        return b"/" + directory.identity.encode() if directory.identity else directory.path
