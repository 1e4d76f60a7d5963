"""The bytes of Ubuntu One's files: two hashes to put them, and whole files where the server gives no parts."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import trio
from cachetools import LRUCache

from cloudfs.errors import BrokenAnswer, VersionMismatch
from cloudfs.http.message import Request
from cloudfs.http.refusals import refusal
from cloudfs.stores.base import Location, Source, Transfer
from cloudfs.stores.ubuntuone.api import UbuntuOneApi
from cloudfs.stores.ubuntuone.turns import Turns
from cloudfs.types import Extent, Version

_MAGIC = b"Ubuntu One"
_CHUNK = 4 << 20
_IN_MEMORY = 8 << 20
_FILES_KEPT = 4
"""Whole files on the disk, which were downloaded for a part of them."""


@dataclass(frozen=True, slots=True)
class Hashes:
    """``version`` names the content; ``magic`` proves that we have it, which its hash alone does not."""

    version: Version
    magic: str


async def hashes(source: Source) -> Hashes:
    """Both in one pass."""
    plain, magic = hashlib.sha1(), hashlib.sha1(_MAGIC)

    def add(chunk: bytes) -> None:
        plain.update(chunk)
        magic.update(chunk)

    for start in range(0, source.size, _CHUNK):
        chunk = await source.read(start, min(start + _CHUNK, source.size))
        await trio.to_thread.run_sync(add, chunk)
    return Hashes(Version(plain.hexdigest()), f"magic_hash:{magic.hexdigest()}")


class Upload:
    """A `cloudfs.http.message.Body` that tells how far it is; what is sent again counts once."""

    def __init__(self, source: Source, transfer: Transfer) -> None:
        self.size = source.size
        self._source = source
        self._transfer = transfer
        self._sent = 0

    @property
    def is_under_way(self) -> bool:
        """The server has got a part, so there is nothing that it could have published."""
        return 0 < self._sent < self.size

    async def read(self, start: int, stop: int) -> bytes:
        chunk = await self._source.read(start, stop)
        self.reached(stop)
        return chunk

    def reached(self, stop: int) -> None:
        if stop > self._sent:
            self._transfer.advance(stop - self._sent)
            self._sent = stop


class Stored:
    """A `Source` whose bytes are a stored file's; for copies that the server does not want to make."""

    def __init__(self, reader: Reader, path: str, location: Location, version: Version, size: int) -> None:
        self.size = size
        self._reader = reader
        self._path = path
        self._location = location
        self._version = version

    def extents(self) -> Sequence[Extent]:
        return [Extent(0, self.size)] if self.size else []

    async def read(self, start: int, stop: int) -> bytes:
        return await self._reader.read(self._path, self._location, self._version, start, stop)


class _Download:
    """What arrives, in a file without a name once it is large, and its hash."""

    def __init__(self) -> None:
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by its owner
        self.size = 0
        self._hash = hashlib.sha1()

    def extend(self, data: bytes) -> None:
        self.file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def version(self) -> Version:
        return Version(self._hash.hexdigest())

    def read(self, start: int, stop: int) -> bytes:
        self.file.seek(start)
        return self.file.read(stop - start)


class _Kept(LRUCache[tuple[str, Version], _Download]):
    def popitem(self) -> tuple[tuple[str, Version], _Download]:
        key, download = super().popitem()
        download.file.close()
        return key, download


class Reader:
    """Parts of files. Nobody knows whether the content server has ranges, so the first answer tells."""

    def __init__(self, api: UbuntuOneApi) -> None:
        self._api = api
        self._has_ranges = False
        self._kept: _Kept = _Kept(_FILES_KEPT)
        self._turns = Turns()

    async def read(self, path: str, location: Location, version: Version, start: int, stop: int) -> bytes:
        """As `cloudfs.stores.base.Store.read`."""
        if start == stop:
            await self._check(path, location, version)
            return b""
        if self._has_ranges:
            return await self._fetch(path, location, version, start, stop)
        async with self._turns.of(path):
            kept = self._kept.get((path, version))
            return kept.read(start, stop) if kept else await self._fetch(path, location, version, start, stop)

    def close(self) -> None:
        while self._kept:
            self._kept.popitem()

    async def _fetch(self, path: str, location: Location, version: Version, start: int, stop: int) -> bytes:
        download = _Download()
        try:
            return await self._received(download, path, location, version, start, stop)
        finally:
            if self._kept.get((path, version)) is not download:
                download.file.close()

    async def _received(
        self, download: _Download, path: str, location: Location, version: Version, start: int, stop: int
    ) -> bytes:
        answer = await self._api.download(path, start, stop, download)
        if answer.status == 206:
            self._has_ranges = True
            return await self._part(download, path, location, version, start, stop)
        if answer.status == 200:
            return await self._whole(download, path, location, version, start, stop)
        if answer.status in (404, 416):
            await self._check(path, location, version)
        raise refusal(Request("GET", "", what=str(location)), answer)

    async def _part(
        self, download: _Download, path: str, location: Location, version: Version, start: int, stop: int
    ) -> bytes:
        # A part does not tell what it is a part of, unless it is all of it.
        if start or download.version != version:
            await self._check(path, location, version)
        if download.size != stop - start:
            raise BrokenAnswer(f"{location}: {download.size} bytes came where {stop - start} were asked for")
        return download.read(0, stop - start)

    async def _whole(
        self, download: _Download, path: str, location: Location, version: Version, start: int, stop: int
    ) -> bytes:
        if download.version != version:
            await self._check(path, location, version)
            raise BrokenAnswer(f"{location}: what came is not what is stored")
        self._kept[path, version] = download
        return download.read(start, stop)

    async def _check(self, path: str, location: Location, version: Version) -> None:
        node = await self._api.node(path)
        if node.is_directory or node.version != version:
            raise VersionMismatch(f"{location}: the content is another by now")
