"""What the markers of many directories say, in one object that is kept beside the segments. Pure.

A row of a listing tells when an object was last changed, to the microsecond, also after a ``POST``; a ``HEAD`` tells
the same moment as ``X-Timestamp``. So what was once read of a marker is still true as long as its row has that stamp,
whoever wrote the summary, and whatever became of it: a summary that is old, lost or damaged costs time and nothing
else. The format is documented in docs/reference/swift.md.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudfs.errors import BrokenAnswer
from cloudfs.stores.swift.attributes import marker_text
from cloudfs.stores.swift.container import Head
from cloudfs.stores.swift.rows import entry_from_head

_FORMAT = "cloudfs-directories"
_VERSION = 1
_LARGEST = 128 << 20
"""Bytes, unpacked."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What a marker said when it was asked. ``stamp`` is that moment, as a row of a listing shows it."""

    stamp: str
    text: str


def noted_from(head: Head) -> Noted | None:
    """None if it will expire, or if it is not told more precisely than to the second when it was changed."""
    whole, _, fraction = head.headers.get("x-timestamp", "").partition(".")
    if not (whole.isdecimal() and fraction.isdecimal() and fraction.strip("0")) or "x-delete-at" in head.headers:
        return None
    try:
        second = datetime.fromtimestamp(int(whole), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    entry = entry_from_head(b"", head)
    stamp = f"{second:%Y-%m-%dT%H:%M:%S}.{fraction[:6]:0<6}"
    return Noted(stamp, marker_text(entry.attributes, entry.mtime_ns))


def write_summary(root: str, directories: Mapping[str, Noted]) -> bytes:
    """``root`` is the ``container/prefix`` in which the names are."""
    told = {name: [noted.stamp, noted.text] for name, noted in sorted(directories.items())}
    document = {_FORMAT: _VERSION, "root": root, "directories": told}
    return gzip.compress(json.dumps(document, indent=0).encode(), mtime=0)


def read_summary(root: str, body: bytes) -> dict[str, Noted]:
    """Raises `BrokenAnswer` if it is no summary of that root."""
    document = _unpacked(body)
    if not isinstance(document, dict) or document.get(_FORMAT) != _VERSION or document.get("root") != root:
        raise BrokenAnswer("a summary of directories is of another format, or another place")
    try:
        directories = {name: Noted(stamp, text) for name, (stamp, text) in document["directories"].items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        raise BrokenAnswer("a summary of directories makes no sense") from None
    if not all(isinstance(noted.stamp, str) and isinstance(noted.text, str) for noted in directories.values()):
        raise BrokenAnswer("a summary of directories makes no sense")
    return directories


def _unpacked(body: bytes) -> Any:
    unpacking = zlib.decompressobj(wbits=31)  # of gzip
    try:
        data = unpacking.decompress(body, _LARGEST)
        return json.loads(data) if unpacking.eof else None
    except (zlib.error, ValueError, RecursionError):
        return None
