"""What is written into a sidecar: the attributes of the objects in one directory. Pure; docs/reference/attributes.md.

A sidecar is gzip of lines of JSON, so that ``zcat`` and a person can read it. The first line says what it is, each
other one describes an object. Bytes that are not UTF-8 are lone surrogates in names and targets (PEP 383).
"""

from __future__ import annotations

import base64
import gzip
import json
import stat
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from cloudfs.stores.base import Entry
from cloudfs.types import Attributes, Version

SIDECAR = b".cloudfs-attributes"
ITSELF = b"."
"""The name under which a directory's own attributes are recorded; only the root has nobody else to do that."""
SIZE_MAX = 64 << 20
"""Bytes of a sidecar, and four times as many of what is packed in it; more is none of ours."""

_HEADER = "cloudfs attributes"
_FORMAT = 1
_TYPES = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFBLK, stat.S_IFCHR)


class ForeignSidecar(ValueError):
    """It is damaged, or somebody else's file of the same name."""


class NewerSidecar(ValueError):
    """A later version of cloudfs wrote it, in a way that this one does not know."""


@dataclass(frozen=True, slots=True)
class Record:
    """The attributes of one object, and what the store said of it when they held.

    ``size`` and ``version`` are those of the stored object (`cloudfs.stores.attributes.stand_ins` says when they are
    not the mount's); ``identity`` is empty in stores that name objects by path.
    """

    name: bytes
    identity: str
    size: int
    version: Version
    attributes: Attributes

    @classmethod
    def of(cls, entry: Entry, attributes: Attributes) -> Record:
        """For an object as the store itself says it."""
        return cls(entry.name, entry.identity, entry.size, entry.version, attributes)

    @property
    def key(self) -> bytes:
        return key(self.name, self.identity)

    def holds_for(self, entry: Entry) -> bool:
        """Whether the object is still the one that was described: nobody else has written it since."""
        mine = (self.attributes.is_directory, self.size, self.version)
        return mine == (entry.is_directory, entry.size, entry.version)


Records = Mapping[bytes, Record]
"""By `Record.key`."""


def key(name: bytes, identity: str) -> bytes:
    """What an object is found by: its identity, which survives renames, or else its name."""
    return b"/" + identity.encode() if identity else name


def packed(records: Iterable[Record]) -> bytes:
    """The bytes of a sidecar; the same for the same records."""
    lines = [json.dumps({_HEADER: _FORMAT})]
    lines += [json.dumps(_row(record), separators=(",", ":")) for record in records]
    return gzip.compress("\n".join((*lines, "")).encode(), compresslevel=6, mtime=0)


def unpacked(data: bytes) -> dict[bytes, Record]:
    """The records in a sidecar. Raises `ForeignSidecar` or `NewerSidecar`."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as file:
            text = file.read(4 * SIZE_MAX + 1)
        header, *rows = text.decode().removesuffix("\n").split("\n")
        written_as = json.loads(header)[_HEADER]
        if written_as != _FORMAT:
            raise NewerSidecar(f"is of format {written_as}")
        records = [_record(json.loads(row)) for row in rows]
    except NewerSidecar:
        raise
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ForeignSidecar(str(error) or type(error).__name__) from error
    return {record.key: record for record in records}


def _row(record: Record) -> dict[str, Any]:
    attributes = record.attributes
    row: dict[str, Any] = {
        "name": _decoded(record.name),
        "size": record.size,
        "version": record.version,
        "mode": f"{attributes.mode:06o}",
        "uid": attributes.uid,
        "gid": attributes.gid,
        "mtime": attributes.mtime_ns,
    }
    seldom: dict[str, Any] = {
        "id": record.identity,
        "rdev": attributes.rdev,
        "target": _decoded(attributes.target),
        "group": attributes.link_group,
        "xattrs": {_decoded(name): base64.b64encode(value).decode() for name, value in attributes.xattrs},
    }
    return row | {name: value for name, value in seldom.items() if value}


def _record(row: Mapping[str, Any]) -> Record:
    mode = int(row["mode"], 8)
    if stat.S_IFMT(mode) not in _TYPES:
        raise ValueError(f"there is no file type {mode:o}")
    xattrs = ((_encoded(name), base64.b64decode(value)) for name, value in row.get("xattrs", {}).items())
    attributes = Attributes(
        mode=mode,
        uid=_number(row["uid"], 1 << 32),
        gid=_number(row["gid"], 1 << 32),
        mtime_ns=_number(row["mtime"], 1 << 63, -(1 << 63)),
        rdev=_number(row.get("rdev", 0), 1 << 64),
        target=_encoded(row.get("target", "")),
        link_group=str(row.get("group", "")),
        xattrs=tuple(sorted(xattrs)),
    )
    size = _number(row["size"], 1 << 63)
    return Record(_encoded(row["name"]), str(row.get("id", "")), size, Version(str(row["version"])), attributes)


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _number(value: object, stop: int, start: int = 0) -> int:
    if not isinstance(value, int) or not start <= value < stop:
        raise ValueError(f"{value!r} is not a number from {start} to {stop}")
    return value
