"""New content: small files in one request, others by session, and none believed before the checksum agrees.

A simple upload cannot say when the file was changed, so a second request does. In business drives and SharePoint that
would make a second version, which counts against the quota: there even small files go by session, which can.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import trio

from cloudfs.errors import BrokenAnswer, NotFound, VersionMismatch
from cloudfs.stores.base import Location, Source, Transfer
from cloudfs.stores.onedrive.download import Downloads
from cloudfs.stores.onedrive.drive import Drive, variants
from cloudfs.stores.onedrive.graph import Ask, Conflict, Json, settled, with_match
from cloudfs.stores.onedrive.items import Item, file_system_info, same_second
from cloudfs.stores.onedrive.names import encode
from cloudfs.stores.onedrive.quickxor import digest, digest_of
from cloudfs.stores.onedrive.session import SessionLost, SessionUpload
from cloudfs.stores.unbroken import unbroken

_log = logging.getLogger(__name__)
BEHAVIOUR = "@microsoft.graph.conflictBehavior"
SMALL = 4 << 20
"""Bytes that still go in one request."""
_LIGHT = 256 << 10
_HEAVY_AT_ONCE = 8
"""Files larger than light that are in memory at a time."""
_ATTEMPTS = 4
_DOCUMENTS = (
    *(".doc", ".docm", ".docx", ".dot", ".dotm", ".dotx", ".odt", ".pdf", ".one", ".pub"),
    *(".xls", ".xlsb", ".xlsm", ".xlsx", ".xlt", ".xltx", ".ods", ".vsd", ".vsdx"),
    *(".pot", ".potx", ".pps", ".ppsx", ".ppt", ".pptm", ".pptx", ".odp"),
    *(".htm", ".html", ".mht", ".xml"),
)
"""Of which SharePoint makes something else as they arrive."""
_HASH_PAUSES = (0.5, 1.0, 2.0)
"""Seconds to wait for a checksum that OneDrive has not made yet."""


class Uploads:
    """Publishes files; ``fragment`` is the size of a part of a large one."""

    def __init__(self, drive: Drive, downloads: Downloads, fragment: int) -> None:
        self._drive = drive
        self._downloads = downloads
        self._fragment = fragment
        self._heavy = trio.CapacityLimiter(_HEAVY_AT_ONCE)

    async def create(self, location: Location, source: Source, mtime_ns: int, transfer: Transfer) -> Item:
        """A new file. `VersionMismatch` if the name is taken by anything but the same bytes."""
        for variant in variants(location):
            try:
                return await self._create(location, variant, source, mtime_ns, transfer)
            except Conflict:
                there = await self._drive.taken(location, variant)
            if there is not None:
                return await self.adopt(location, there, source, mtime_ns, sent=False)
        raise VersionMismatch(f"{location}: the name is taken")

    async def replace(self, location: Location, old: Item, source: Source, mtime_ns: int, transfer: Transfer) -> Item:
        """Other bytes for a file that has to be what ``old`` says, else `VersionMismatch`."""
        if not self._is_small(source):
            return await self._replace_by_session(location, old, source, mtime_ns, transfer)
        for attempt in range(_ATTEMPTS):
            try:
                return await self._replace_small(location, old, source, mtime_ns, transfer)
            except VersionMismatch:
                # The tag is another one by now; the content need not be.
                old = await self._same_content(location, old)
                if attempt:
                    await trio.sleep(0.25 * 2**attempt)
        raise VersionMismatch(f"{location}: it keeps changing")

    async def set_time(self, item: Item, mtime_ns: int, what: str) -> Item:
        """Tell OneDrive when the content was changed, unless it has that second already."""
        for _ in range(_ATTEMPTS):
            if same_second(item, mtime_ns):
                return item
            body: Json = {"fileSystemInfo": file_system_info(mtime_ns)}
            ask = with_match(Ask("PATCH", self._drive.by_id(item.id), body, what=what), item.etag)
            try:
                return self._drive.learn(await self._drive.ask(ask))
            except VersionMismatch:
                now = await self._drive.look(item.id, what)
                if now.version != item.version:
                    raise
                item = now
        raise VersionMismatch(f"{what}: it keeps changing")

    async def adopt(self, location: Location, there: Item, source: Source, mtime_ns: int, *, sent: bool) -> Item:
        """An earlier attempt, whose answer was lost, may have made this: then it is ours. Else `VersionMismatch`.

        ``sent``: all of it may have been on its way. Then a document that SharePoint has rewritten is told by the time
        that came with it, as there is nothing else to tell it by; else that would be somebody else's of the same time.
        """
        if there.is_folder or there.is_hidden:
            raise VersionMismatch(f"{location}: something else is there")
        if sent and self._is_rewritten(there.name) and same_second(there, mtime_ns):
            return there
        if there.size != source.size:
            raise VersionMismatch(f"{location}: something else is there")
        there = await self._with_hash(there, str(location))
        if await self._hash_of(there) != await digest(source):
            raise VersionMismatch(f"{location}: something else is there")
        return await self.set_time(there, mtime_ns, str(location))

    # --- in one request ----------------------------------------------------------------------------------------------

    def _is_small(self, source: Source) -> bool:
        # A session without bytes is refused.
        return source.size == 0 or (self._drive.facts.kind == "personal" and source.size <= SMALL)

    async def _create(
        self, location: Location, variant: int, source: Source, mtime_ns: int, transfer: Transfer
    ) -> Item:
        if self._is_small(source):
            address = self._drive.by_name(location, variant, f"content?{BEHAVIOUR}=fail")
            ask = Ask("PUT", address, what=str(location), naming=True)
            return await self._put(location, ask, None, source, mtime_ns, transfer)
        address = self._drive.by_name(location, variant, "createUploadSession")

        async def nothing() -> None:
            """A name that is taken meanwhile is a conflict, which OneDrive finds by itself."""

        async def there() -> Item:
            return (await self._drive.find_name(location))[0]

        return await self._send(location, address, "fail", None, source, mtime_ns, transfer, nothing, there)

    async def _replace_small(
        self, location: Location, old: Item, source: Source, mtime_ns: int, transfer: Transfer
    ) -> Item:
        ask = with_match(Ask("PUT", self._drive.by_id(old.id, "content"), what=str(location)), old.etag)
        return await self._put(location, ask, old, source, mtime_ns, transfer)

    async def _put(
        self, location: Location, ask: Ask, old: Item | None, source: Source, mtime_ns: int, transfer: Transfer
    ) -> Item:
        if source.size <= _LIGHT:
            return await self._put_whole(location, ask, old, source, mtime_ns, transfer)
        async with self._heavy:
            return await self._put_whole(location, ask, old, source, mtime_ns, transfer)

    async def _put_whole(
        self, location: Location, ask: Ask, old: Item | None, source: Source, mtime_ns: int, transfer: Transfer
    ) -> Item:
        data = await source.read(0, source.size) if source.size else b""
        ours = await digest_of(data)

        async def publish() -> Item:
            item = self._drive.learn(settled(ask, await self._drive.graph.send(ask, data)))
            item = await self._checked(location, item, old, ours, len(data))
            return await self.set_time(item, mtime_ns, str(location))

        item = await unbroken(publish)
        transfer.advance(len(data))
        return item

    async def _same_content(self, location: Location, old: Item, *, inside: bool = False) -> Item:
        try:
            now = await self._drive.look(old.id, str(location), inside=inside)
        except NotFound:
            raise VersionMismatch(f"{location}: it is gone") from None
        if now.version != old.version or (now.parent, now.name) != (old.parent, old.name):
            raise VersionMismatch(f"{location}: it is something else by now")
        return now

    # --- by session --------------------------------------------------------------------------------------------------

    async def _replace_by_session(
        self, location: Location, old: Item, source: Source, mtime_ns: int, transfer: Transfer
    ) -> Item:
        async def unchanged() -> None:
            await self._same_content(location, old, inside=True)

        async def there() -> Item:
            return await self._drive.look(old.id, str(location))

        address = self._drive.by_id(old.id, "createUploadSession")
        return await self._send(location, address, "replace", old, source, mtime_ns, transfer, unchanged, there)

    async def _send(
        self,
        location: Location,
        address: str,
        behaviour: str,
        old: Item | None,
        source: Source,
        mtime_ns: int,
        transfer: Transfer,
        before_last: Callable[[], Awaitable[None]],
        there: Callable[[], Awaitable[Item]],
    ) -> Item:
        what = str(location)
        body: Json = {"item": {BEHAVIOUR: behaviour, "fileSystemInfo": file_system_info(mtime_ns)}}
        ask = Ask("POST", address, body, what=what, naming=True)

        async def begin() -> Json:
            return settled(ask, await self._drive.graph.send(ask))

        lost, told = False, 0
        while True:
            upload = SessionUpload(
                self._drive.graph.calls,
                source,
                transfer,
                address,
                begin,
                before_last,
                self._fragment,
                told,
                note_end=old is None and self._is_rewritten(encode(location.name)),
            )
            try:
                row = await upload.run()
                item = self._drive.learn(row) if row.get("id") else await there()
            except SessionLost:
                found = await self._found(location, there, old, source, mtime_ns)
                if found is not None:
                    return found
                upload.forget()
                if lost:
                    raise BrokenAnswer(f"{location}: OneDrive lost the upload") from None
                lost, told = True, upload.told
                continue
            item = await self._checked(location, item, old, await upload.digest(), source.size)
            return await self.set_time(item, mtime_ns, what)

    async def _found(
        self,
        location: Location,
        there: Callable[[], Awaitable[Item]],
        old: Item | None,
        source: Source,
        mtime_ns: int,
    ) -> Item | None:
        """All was sent and nobody said what became of it: the file if it is there, None if it is not."""
        try:
            found = await there()
            if old is not None and found.version == old.version:
                return None  # It is still the old one, although the new one may have the same time.
            return await self.adopt(location, found, source, mtime_ns, sent=True)
        except (NotFound, VersionMismatch):
            # The session may be gone because the directory is.
            await self._require_parent(location)
            return None

    async def _require_parent(self, location: Location) -> None:
        parent = await self._drive.parent_id(location)
        if not (await self._drive.look(parent, str(location))).is_folder:
            raise NotFound(f"{location}: there is no such directory")

    # --- what OneDrive says it has -----------------------------------------------------------------------------------

    async def _checked(self, location: Location, item: Item, old: Item | None, ours: str, size: int) -> Item:
        """The item, once its checksum agrees; if it does not, what was there before is there again."""
        item = await self._with_hash(item, str(location))
        if item.size == size and await self._hash_of(item) == ours:
            return item
        if self._is_rewritten(item.name) or (item.size != size and self._drive.facts.kind == "documentLibrary"):
            _log.info("%s: SharePoint has changed the file; it has %d bytes there", location, item.size)
            return item
        await self._undo(item, old, str(location))
        raise BrokenAnswer(f"{location}: OneDrive received something else than was sent")

    def _is_rewritten(self, name: str) -> bool:
        """Whether SharePoint writes its own properties into such documents as they arrive."""
        return self._drive.facts.kind == "documentLibrary" and name.lower().endswith(_DOCUMENTS)

    async def _with_hash(self, item: Item, what: str) -> Item:
        """The item with its checksum, which is late sometimes; also with its tag, which is not in every answer."""
        for pause in (0.0, *_HASH_PAUSES):
            if item.ctag and (item.hash or item.size == 0):
                break
            await trio.sleep(pause)
            item = await self._drive.look(item.id, what)
        return item

    async def _hash_of(self, item: Item) -> str:
        """What OneDrive says, or else what it has: then the file is read back."""
        if item.hash:
            return item.hash
        return await digest(self._downloads.source(item))

    async def _undo(self, item: Item, old: Item | None, what: str) -> None:
        if old is None:
            await self._drive.ask(with_match(Ask("DELETE", self._drive.by_id(item.id), what=what), item.etag))
            return
        found = await self._drive.ask(Ask("GET", self._drive.by_id(item.id, "versions"), what=what))
        for version in found.get("value", [])[1:2]:
            action = f"versions/{version['id']}/restoreVersion"
            await self._drive.ask(Ask("POST", self._drive.by_id(item.id, action), what=what))
        self._drive.forget(item.id)
