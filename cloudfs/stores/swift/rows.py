"""What a row of a listing, or the headers of an object, say in the words of `cloudfs.stores.base`. Pure."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

from cloudfs.stores.base import Entry
from cloudfs.stores.swift.attributes import from_headers, from_type, is_directory_type, mtime_of
from cloudfs.stores.swift.container import Head, Row
from cloudfs.types import Attributes, Version

_EMPTY = Version("d41d8cd98f00b204e9800998ecf8427e")
_KINDS = {stat.S_IFLNK: "l", stat.S_IFIFO: "p", stat.S_IFSOCK: "s", stat.S_IFBLK: "b", stat.S_IFCHR: "c"}


@dataclass(frozen=True, slots=True)
class Found:
    """One name in a directory, as a listing shows it: ``row`` is its object's, None if only names below it exist.

    ``marker`` is the row of an object ``name/``. ``whole``: if there were one, it would have been listed.
    """

    name: bytes
    row: Row | None
    has_inside: bool = False
    marker: Row | None = None
    whole: bool = False


def version_of(etag: str, attributes: Attributes | None) -> Version:
    """The etag; of what is no regular file, also what it is, because that is all there is to it.

    Attributes otherwise do not count, so that changing them does not make another content.
    """
    kind = _KINDS.get(stat.S_IFMT(attributes.mode)) if attributes is not None else None
    if attributes is None or kind is None:
        return Version(etag)
    return Version(f"{etag}-{kind}{attributes.rdev or ''}")


def etag_in(version: Version) -> str:
    return version.partition("-")[0]


def directory_entry(name: bytes, attributes: Attributes | None, mtime_ns: int = 0) -> Entry:
    mtime_ns = attributes.mtime_ns if attributes is not None else mtime_ns
    return Entry(name, is_directory=True, size=0, version=Version(""), mtime_ns=mtime_ns, attributes=attributes)


def file_entry(name: bytes, etag: str, size: int, attributes: Attributes | None, mtime_ns: int = 0) -> Entry:
    mtime_ns = attributes.mtime_ns if attributes is not None else mtime_ns
    size = size if attributes is None or attributes.is_regular else 0
    version = version_of(etag, attributes)
    return Entry(name, is_directory=False, size=size, version=version, mtime_ns=mtime_ns, attributes=attributes)


def may_be_directory(row: Row) -> bool:
    """Whether the row is one of an object that marks a directory."""
    return is_directory_type(str(row["content_type"]))


def entry_from_row(found: Found) -> Entry | None:
    """None if the row does not say enough: marked directories, and everything that other programs stored."""
    row = found.row
    if row is None and found.whole and found.marker is None:
        return directory_entry(found.name, None)
    # The row of a static link of Swift's has the type of what it leads to, but no size.
    if row is None or found.has_inside or may_be_directory(row) or "symlink_path" in row:
        return None
    attributes = from_type(row["content_type"])
    if attributes is None or attributes.is_directory:
        return None
    etag = str(row.get("slo_etag") or row["hash"]).strip('"')
    return file_entry(found.name, etag, int(row["bytes"]), attributes)


def may_be_manifest(entry: Entry) -> bool:
    """Of an entry from a row: the manifest of a dynamic large object is listed as an empty file."""
    return entry.version == _EMPTY


def entry_from_head(name: bytes, head: Head, *, has_inside: bool = False) -> Entry:
    """Of an object that was asked for by name. An empty object with names below it is a directory."""
    attributes = from_headers(head.headers)
    is_directory = is_directory_type(head.headers.get("content-type", ""))
    mtime_ns = mtime_of(head.headers)
    if mtime_ns is None:
        mtime_ns = _stored_ns(head)
    if is_directory or (has_inside and head.size == 0 and attributes is None):
        return directory_entry(name, attributes, mtime_ns)
    return file_entry(name, head.etag, head.size, attributes, mtime_ns)


def _stored_ns(head: Head) -> int:
    """When the object was stored, for those of which nobody has said more."""
    timestamp = head.headers.get("x-timestamp", "")
    try:
        whole, _, fraction = timestamp.partition(".")
        return int(whole) * 10**9 + int(fraction[:9].ljust(9, "0"))
    except ValueError:
        pass
    try:
        moment: datetime = parsedate_to_datetime(head.headers.get("last-modified", ""))
    except ValueError:
        return 0
    return int(moment.timestamp()) * 10**9
