"""OneDrive: personal, business, and libraries of SharePoint, by Microsoft Graph.

Objects are known by their id. A file's version is its content tag, so attributes and names may change without a new
one. Every change of something that exists names the eTag it was decided upon; upload sessions cannot, and look right
before the last fragment instead. Attributes are not OneDrive's business but for the time of the last change, in
seconds: `cloudfs.stores.attributes.store` keeps the rest.
"""

from __future__ import annotations

from dataclasses import replace

from cloudfs.errors import AccessDenied, DirectoryNotEmpty, NameRefused, NotFound, TooLarge, VersionMismatch
from cloudfs.stores.base import (
    NOTHING_KNOWN,
    Capabilities,
    Entry,
    Feed,
    Known,
    Location,
    Page,
    Pieces,
    Source,
    Transfer,
    Usage,
    Walker,
    valid_name,
)
from cloudfs.stores.onedrive.download import Downloads
from cloudfs.stores.onedrive.drive import Drive, variants
from cloudfs.stores.onedrive.feed import DriveFeed
from cloudfs.stores.onedrive.graph import Ask, Conflict, Json, with_match
from cloudfs.stores.onedrive.items import Item, file_system_info
from cloudfs.stores.onedrive.listing import Listings
from cloudfs.stores.onedrive.names import NAME_LIMIT, PATH_LIMIT, encode, encode_path
from cloudfs.stores.onedrive.quickxor import ALGORITHM, digest
from cloudfs.stores.onedrive.session import FRAGMENT
from cloudfs.stores.onedrive.upload import BEHAVIOUR, Uploads
from cloudfs.stores.unbroken import unbroken
from cloudfs.types import Attributes, Version

MAX_SIZE = 250 << 30
"""Bytes of one file."""
_ATTEMPTS = 4
_CONCURRENCY = 64
"""Calls that are worth having in flight: most of them share requests."""

CAPABILITIES = Capabilities(
    stable_identities=True,
    directory_move=True,
    case_sensitive=True,
    max_name=NAME_LIMIT,
    max_path=PATH_LIMIT,
    max_size=MAX_SIZE,
    time_unit_ns=1_000_000_000,
    checksum=ALGORITHM,
    concurrency=_CONCURRENCY,
    round_trip=0.1,
)
"""Names that differ in case only can both be there, because one of them is encoded."""


class OneDriveStore:
    """One folder of one drive. Owns the connections of the drive's `Graph`."""

    pieces: Pieces | None = None

    def __init__(self, drive: Drive, *, fragment: int = FRAGMENT, page: int = 1000) -> None:
        """``fragment`` bytes go into one request of an upload session, ``page`` entries into one of a listing."""
        self.capabilities = CAPABILITIES
        self.feed: Feed | None = DriveFeed(drive)
        self._drive = drive
        self._listings = Listings(drive, page)
        self.walker: Walker | None = self._listings
        self._downloads = Downloads(drive)
        self._uploads = Uploads(drive, self._downloads, fragment)

    # --- asking --------------------------------------------------------------------------------------------------

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        return await self._listings.page_of(directory, cursor)

    async def stat(self, location: Location) -> Entry:
        await self._drive.ready()
        return self._entry(await self._drive.find(location))

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        await self._drive.ready()
        return await self._downloads.read(location, version, start, stop)

    async def checksum(self, location: Location, version: Version) -> str:
        await self._drive.ready()
        item = await self._drive.find(location)
        if item.is_folder or item.version != version:
            raise VersionMismatch(f"{location}: the content is another by now")
        return item.hash

    async def digest(self, source: Source) -> str:
        return await digest(source)

    async def usage(self) -> Usage:
        """As the account counts it; what is in the recycle bin takes room as well."""
        await self._drive.ready()
        quota = (await self._drive.graph.get(self._drive.path, "the quota")).get("quota") or {}
        total = int(quota.get("total") or 0)
        if not total:  # not told, in some libraries
            return Usage(used=int(quota.get("used") or 0))
        used, free, trash = (int(quota.get(key) or 0) for key in ("used", "remaining", "deleted"))
        return Usage(used, total, free, trash)

    async def aclose(self) -> None:
        await self._drive.graph.aclose()

    # --- changing ------------------------------------------------------------------------------------------------

    async def put(
        self,
        location: Location,
        source: Source,
        attributes: Attributes,
        *,
        replaces: Version | None,
        transfer: Transfer,
        known: Known = NOTHING_KNOWN,
    ) -> Entry:
        if source.size > MAX_SIZE:
            raise TooLarge(f"{location}: OneDrive takes files up to 250 GiB")
        if not attributes.is_regular:
            raise AccessDenied(f"{location}: OneDrive has ordinary files only, and the option attributes is off")
        await self._drive.ready()
        self._check_name(location)
        mtime_ns = attributes.mtime_ns
        if replaces is None:
            location = replace(location, identity="")
            return self._entry(await self._uploads.create(location, source, mtime_ns, transfer))
        try:
            old = await self._drive.claim(location, replaces)
        except VersionMismatch:
            return self._entry(await self._already(location, source, mtime_ns))
        try:
            return self._entry(await self._uploads.replace(location, old, source, mtime_ns, transfer))
        except VersionMismatch:
            return self._entry(await self._already(location, source, mtime_ns))

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        await self._drive.ready()
        if not location.path:
            return self._entry(await self._set_time(await self._drive.find(location), attributes, location))
        self._check_name(location)
        return self._entry(await unbroken(lambda: self._make_directory(location, attributes)))

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        await self._drive.ready()
        item = await self._drive.find(location)
        if item.version != version:
            raise VersionMismatch(f"{location}: the content is another by now")
        return self._entry(await unbroken(lambda: self._set_time(item, attributes, location)))

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        await self._drive.ready()
        self._check_name(target)
        return self._entry(await unbroken(lambda: self._move(source, target, replaces)))

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        raise NotImplementedError("copies at OneDrive take minutes, lose the time, and cannot replace")

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        raise NotImplementedError("OneDrive has no second names")

    async def delete(self, location: Location, version: Version | None) -> None:
        await self._drive.ready()
        await unbroken(lambda: self._delete(location, version))

    # --- steps of changes ----------------------------------------------------------------------------------------

    async def _already(self, location: Location, source: Source, mtime_ns: int) -> Item:
        """What is at the name, if it is what we were about to put there; else `VersionMismatch`."""
        try:
            there = (await self._drive.find_name(location))[0]
        except NotFound:
            raise VersionMismatch(f"{location}: it is gone") from None
        return await self._uploads.adopt(location, there, source, mtime_ns, sent=True)

    async def _make_directory(self, location: Location, attributes: Attributes) -> Item:
        parent = self._drive.by_id(await self._drive.parent_id(location), "children")
        for variant in variants(location):
            body: Json = {"name": encode(location.name, variant), "folder": {}, BEHAVIOUR: "fail"}
            ask = Ask("POST", parent, body, what=str(location), naming=True)
            try:
                item = self._drive.learn(await self._drive.ask(ask))
            except Conflict:
                there = await self._drive.taken(location, variant)
                if there is None:
                    continue
                if not there.is_folder:
                    raise VersionMismatch(f"{location}: there is something else than a directory") from None
                item = there
            return await self._set_time(item, attributes, location)
        raise VersionMismatch(f"{location}: the name is taken")

    async def _set_time(self, item: Item, attributes: Attributes, location: Location) -> Item:
        return await self._uploads.set_time(item, attributes.mtime_ns, str(location))

    async def _move(self, source: Location, target: Location, replaces: Version | None) -> Item:
        item = await self._drive.find(source)
        parent = await self._drive.parent_id(target)
        if item.is_folder and replaces is not None:
            raise VersionMismatch(f"{target}: a directory replaces nothing")
        if replaces is not None and not (item.parent == parent and item.decoded == target.name):
            variant = await self._replaceable(item, target, replaces)
            return await self._rename(item, parent, target, variant, "replace")
        for variant in variants(target):
            try:
                return await self._rename(item, parent, target, variant, "fail")
            except Conflict:
                there = await self._drive.taken(target, variant)
                if there is not None and there.id != item.id:
                    raise VersionMismatch(f"{target}: the name is taken") from None
        raise VersionMismatch(f"{target}: the name is taken")

    async def _replaceable(self, item: Item, target: Location, version: Version) -> int:
        """The variant of the name under which the file that may be replaced is."""
        try:
            there, variant = await self._drive.find_name(target)
        except NotFound:
            raise VersionMismatch(f"{target}: what was to be replaced is gone") from None
        if there.id != item.id and (there.is_folder or there.version != version):
            raise VersionMismatch(f"{target}: something else is there than was known")
        return variant

    async def _rename(self, item: Item, parent: str, target: Location, variant: int, behaviour: str) -> Item:
        name = encode(target.name, variant)
        for _ in range(_ATTEMPTS):
            if (item.parent, item.name) == (parent, name):
                return item
            # Without a time the file would be as new as its name.
            body: Json = {"name": name, BEHAVIOUR: behaviour, "fileSystemInfo": file_system_info(item.mtime_ns)}
            if item.parent != parent:
                body["parentReference"] = {"id": parent}
            ask = Ask("PATCH", self._drive.by_id(item.id), body, what=str(target), naming=True)
            try:
                row = await self._drive.ask(with_match(ask, item.etag))
                moved = self._drive.learn(row) if row.get("id") else await self._drive.look(item.id, str(target))
            except Conflict:
                raise
            except VersionMismatch:
                item = await self._drive.look(item.id, str(target))
                continue
            if moved.ctag:
                return moved
            return await self._drive.look(item.id, str(target))
        raise VersionMismatch(f"{target}: it keeps changing")

    async def _delete(self, location: Location, version: Version | None) -> None:
        try:
            item = self._drive.known(location.identity)
            if version is None or item is None or item.version != version:
                item = await self._drive.find(location)
            for _ in range(_ATTEMPTS):
                await self._check_deletable(item, location, version)
                ask = with_match(Ask("DELETE", self._drive.by_id(item.id), what=str(location)), item.etag)
                try:
                    await self._drive.ask(ask)
                except VersionMismatch:
                    item = await self._drive.look(item.id, str(location))
                    continue
                self._drive.forget(item.id)
                return
        except NotFound:
            return
        raise VersionMismatch(f"{location}: it keeps changing")

    async def _check_deletable(self, item: Item, location: Location, version: Version | None) -> None:
        if item.id == self._drive.facts.root:
            raise AccessDenied("the root of a store stays what and where it is")
        if item.is_folder != (version is None) or item.version != (version or ""):
            raise VersionMismatch(f"{location}: it is something else by now")
        if not item.is_folder:
            return
        # OneDrive would delete everything in it as well. The count may be late, so the folder itself is asked.
        children = await self._drive.ask(
            Ask("GET", f"{self._drive.by_id(item.id, 'children')}?$top=1&$select=id", what=str(location))
        )
        if children.get("value"):
            raise DirectoryNotEmpty(f"{location}: the directory has entries")

    # --- saying --------------------------------------------------------------------------------------------------

    def _check_name(self, location: Location) -> None:
        """Raises `NameRefused`, before anything is sent."""
        if not all(valid_name(name) for name in location.path.split(b"/")):
            raise NameRefused(f"{location}: this cannot be a name")
        encode_path(location, self._drive.facts.base)

    def _entry(self, item: Item) -> Entry:
        """The root has no name, whatever its folder is called."""
        entry = item.entry()
        return replace(entry, name=b"") if item.id == self._drive.facts.root else entry
