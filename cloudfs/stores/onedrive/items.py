"""driveItems: what Graph says of one, as we need it, and as an `Entry`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudfs.errors import BrokenAnswer
from cloudfs.stores.base import Entry
from cloudfs.stores.onedrive.names import decode
from cloudfs.types import Version

DOWNLOAD_URL = "@microsoft.graph.downloadUrl"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(1601, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Item:
    """One file or folder. Tags are verbatim; ``ctag`` changes with the content of a file, ``etag`` with anything.

    ``name`` is as OneDrive has it. ``url`` is a pre-authenticated address of the content, which expires and is as good
    as a password meanwhile; empty if Graph gave none. ``hash`` is empty where OneDrive has not made it (yet).
    """

    id: str
    parent: str
    name: str
    is_folder: bool
    size: int
    etag: str
    ctag: str
    hash: str
    mtime_ns: int
    children: int = 0
    is_hidden: bool = False
    is_root: bool = False
    url: str = field(default="", repr=False)

    @property
    def version(self) -> Version:
        return Version("" if self.is_folder else self.ctag)

    @property
    def decoded(self) -> bytes:
        return decode(self.name)

    def entry(self) -> Entry:
        return Entry(
            name=b"" if self.is_root else self.decoded,
            is_directory=self.is_folder,
            size=0 if self.is_folder else self.size,
            version=self.version,
            mtime_ns=self.mtime_ns,
            identity=self.id,
        )


def parse_item(row: Mapping[str, Any]) -> Item:
    """A driveItem that is not deleted. `BrokenAnswer` if it is none.

    OneNote notebooks (``package``) and folders of other people (``remoteItem``) are neither files nor folders to us.
    """
    try:
        info = row.get("fileSystemInfo") or {}
        changed = info.get("lastModifiedDateTime") or row.get("lastModifiedDateTime")
        hashes = (row.get("file") or {}).get("hashes") or {}
        return Item(
            id=str(row["id"]),
            parent=str((row.get("parentReference") or {}).get("id", "")),
            name=str(row["name"]),
            is_folder="folder" in row or "root" in row,
            size=int(row.get("size", 0)),
            etag=str(row.get("eTag", "")),
            ctag=str(row.get("cTag", "")),
            hash=str(hashes.get("quickXorHash", "")),
            mtime_ns=parse_time(str(changed)) if changed else 0,
            children=int((row.get("folder") or {}).get("childCount", 0)),
            is_hidden="package" in row
            or "remoteItem" in row
            or not ("file" in row or "folder" in row or "root" in row),
            is_root="root" in row,
            url=str(row.get(DOWNLOAD_URL, "")),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise BrokenAnswer("OneDrive described an item in a way that makes no sense") from None


def parse_time(text: str) -> int:
    """ISO 8601 with Z, whatever the fraction, as ns since the epoch."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    since = datetime.fromisoformat(whole).replace(tzinfo=UTC) - _EPOCH
    return (since // timedelta(seconds=1)) * _SECOND + int(fraction.ljust(9, "0")[:9] or 0)


def format_time(mtime_ns: int) -> str:
    """In whole seconds, as OneDrive keeps them; within what it can hold."""
    seconds = mtime_ns // _SECOND
    try:
        moment = min(max(_EPOCH + timedelta(seconds=seconds), _FIRST), _LAST)
    except OverflowError:
        moment = _LAST if seconds > 0 else _FIRST
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20)


def file_system_info(mtime_ns: int) -> dict[str, str]:
    """What goes into a body as ``fileSystemInfo``."""
    return {"lastModifiedDateTime": format_time(mtime_ns)}


def same_second(item: Item, mtime_ns: int) -> bool:
    """Whether OneDrive has this time already, as exactly as it can."""
    return format_time(item.mtime_ns) == format_time(mtime_ns)
