"""Bytes of a version: from pre-authenticated addresses, which expire, take no token, and serve whatever is there now.

So what was read is checked afterwards: a whole file by its checksum, a part by asking whether the content tag is still
the same. Such questions leave together, and one answers all the parts of a file that were read before it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import trio

from cloudfs.errors import BrokenAnswer, NotFound, VersionMismatch
from cloudfs.http.message import Answer, Request
from cloudfs.stores.base import Location
from cloudfs.stores.onedrive.drive import Drive
from cloudfs.stores.onedrive.graph import Ask, Reply, refusal
from cloudfs.stores.onedrive.items import Item
from cloudfs.stores.onedrive.quickxor import digest_of
from cloudfs.types import Extent, Version

_log = logging.getLogger(__name__)
_EXPIRED = frozenset({401, 403, 404, 410})
_WHOLE_LIMIT = 64 << 20
"""Bytes of a file that are taken whole from a server that ignores ranges."""


class Downloads:
    """Reads of one drive."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._asking: dict[str, _Question] = {}

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        """As `cloudfs.stores.base.Store.read`."""
        item = await self._item(location, version)
        if stop > item.size:
            raise BrokenAnswer(f"{location}: there are no bytes up to {stop}")
        if start == stop:
            return b""
        data = await self._fetch(item, start, stop, str(location))
        whole = len(data) == item.size and bool(item.hash)
        if whole and await digest_of(data) == item.hash:
            return data
        await self._confirm(item, version, str(location))
        if whole:
            raise BrokenAnswer(f"{location}: what arrived does not have the checksum that OneDrive tells")
        return data

    def source(self, item: Item) -> RemoteSource:
        """The content of an item as a `Source`."""
        return RemoteSource(self, item)

    async def _item(self, location: Location, version: Version) -> Item:
        item = self._drive.known(location.identity) if location.identity else None
        if item is None or item.version != version:
            item = await self._drive.find(location)
        if item.is_folder or item.version != version:
            raise VersionMismatch(f"{location}: the content is another by now")
        return item

    async def _fetch(self, item: Item, start: int, stop: int, what: str) -> bytes:
        url = self._drive.fresh_url(item)
        if url:
            answer = await self._get(url, item, start, stop, what)
            if answer.status not in _EXPIRED and answer.status != 416:
                return _bytes(answer, item, start, stop, what)
        return _bytes(
            await self._get(await self._new_url(item, what), item, start, stop, what), item, start, stop, what
        )

    async def _get(self, url: str, item: Item, start: int, stop: int, what: str) -> Answer:
        limit = item.size if item.size <= _WHOLE_LIMIT else stop - start
        request = Request("GET", url, {"Range": f"bytes={start}-{stop - 1}"}, what=what)
        return await self._drive.graph.calls.send(request, limit=limit + 4096)

    async def _new_url(self, item: Item, what: str) -> str:
        now = await self._drive.look(item.id, what)
        if now.version != item.version:
            raise VersionMismatch(f"{what}: the content is another by now")
        if not now.url:
            raise BrokenAnswer(f"{what}: OneDrive does not say where the content is")
        return now.url

    # --- proof -------------------------------------------------------------------------------------------------------

    async def _confirm(self, item: Item, version: Version, what: str) -> None:
        """Ask once more whether the content is that version; raises `VersionMismatch`."""
        question = self._asking.get(item.id)
        if question is None or question.begun:
            question = self._asking[item.id] = _Question()
            try:
                await trio.lowlevel.checkpoint()  # others who have just read a part of the same file join here
                question.begun = True
                question.answer = (await self._drive.look(item.id, what)).version
            except NotFound:
                question.answer = None
            finally:
                if self._asking.get(item.id) is question:
                    del self._asking[item.id]
                question.done.set()
        await question.done.wait()
        if not question.answered:
            await self._confirm(item, version, what)
        elif question.answer is None:
            raise NotFound(f"{what}: not found")
        elif question.answer != version:
            raise VersionMismatch(f"{what}: the content is another by now")


class _Question:
    """Which version an item has; None if it is gone. Without an ``answer``, whoever asked was interrupted."""

    def __init__(self) -> None:
        self.begun = False
        self.done = trio.Event()
        self.answered = False
        self._answer: Version | None = None

    @property
    def answer(self) -> Version | None:
        return self._answer

    @answer.setter
    def answer(self, version: Version | None) -> None:
        self._answer = version
        self.answered = True


class RemoteSource:
    """A stored file, read back."""

    def __init__(self, downloads: Downloads, item: Item) -> None:
        self.size = item.size
        self._downloads = downloads
        self._item = item

    def extents(self) -> Sequence[Extent]:
        return [Extent(0, self.size)] if self.size else []

    async def read(self, start: int, stop: int) -> bytes:
        return await self._downloads.read(Location(b"", self._item.id), self._item.version, start, stop)


def _bytes(answer: Answer, item: Item, start: int, stop: int, what: str) -> bytes:
    """The range that was asked for, from an answer with it or with everything."""
    if answer.status == 206:
        told = answer.headers.get("content-range", f"bytes {start}-{stop - 1}/{item.size}")
        if told != f"bytes {start}-{stop - 1}/{item.size}" or len(answer.body) != stop - start:
            raise BrokenAnswer(f"{what}: OneDrive sent another range than was asked for")
        return answer.body
    if answer.status == 200:
        if len(answer.body) != item.size:
            raise BrokenAnswer(f"{what}: OneDrive sent {len(answer.body)} bytes of a file of {item.size}")
        return answer.body[start:stop]
    if answer.status == 416:
        raise BrokenAnswer(f"{what}: OneDrive has fewer bytes than it said")
    raise refusal(Ask("GET", "", what=what), Reply(answer.status, {}))
