"""How POSIX attributes ride on a Swift object. Pure. The format is documented in docs/reference/swift.md.

The attributes are parameters of the ``Content-Type``, because that is the only thing of an object's own that a listing
shows. Directories are the exception: rclone takes an object for a directory only if its type is exactly
``application/directory``, so theirs are in ``X-Object-Meta-Cloudfs-0`` and following. ``X-Object-Meta-Mtime`` is set
as well, for the clients that read it.
"""

from __future__ import annotations

import mimetypes
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote_from_bytes, unquote_to_bytes

from cloudfs.errors import AccessDenied
from cloudfs.stores.base import Location
from cloudfs.types import Attributes

DIRECTORY = "application/directory"
DIRECTORIES = frozenset({DIRECTORY, "text/directory", "httpd/unix-directory", "inode/directory"})
"""Media types that mark a directory, whoever made it."""

_PLAIN = "application/octet-stream"
_SPECIAL = {
    stat.S_IFLNK: "inode/symlink",
    stat.S_IFIFO: "inode/fifo",
    stat.S_IFSOCK: "inode/socket",
    stat.S_IFBLK: "inode/blockdevice",
    stat.S_IFCHR: "inode/chardevice",
}
_MARK = "cloudfs"
_MTIME = "x-object-meta-mtime"
_META = "x-object-meta-cloudfs-"
_VALUE = 256
"""Bytes of one header of metadata that Swift takes."""
_IN_TYPE = 6000
_IN_METADATA = 3600
"""Bytes: Swift takes 4096 for all metadata of an object, with the names."""
_PARAMETER = re.compile(r";\s*([a-z-]+)=([^;\s]*)")
_SECONDS = re.compile(r"(-?)(\d+)(?:\.(\d{1,9})\d*)?")
_MEDIA = mimetypes.MimeTypes()


def media_type(path: bytes) -> str:
    """What other clients may take the content of a file for, going by its name."""
    kind, encoding = _MEDIA.guess_type(path.rpartition(b"/")[2].decode("utf-8", "replace"), strict=True)
    return kind if kind and not encoding and kind not in DIRECTORIES else _PLAIN


def object_headers(
    location: Location, attributes: Attributes, media: str = "", *, unlisted: bool = False
) -> dict[str, str]:
    """Content-Type and metadata for an object with these attributes. ``media`` is the type it should keep, if any.

    ``unlisted``: what a listing says of the object is wrong, as dynamic large objects are listed as empty; so it does
    not tell the attributes either, and whoever lists it asks for it by name. `AccessDenied` if they do not fit.
    """
    headers = {"X-Object-Meta-Mtime": seconds(attributes.mtime_ns)}
    text = _encode(attributes)
    if attributes.is_directory:
        headers["Content-Type"] = DIRECTORY
        headers.update(_chunks(location, text))
        return headers
    kind = _SPECIAL.get(stat.S_IFMT(attributes.mode)) or media or media_type(location.path)
    if unlisted or len(text) > _IN_TYPE:
        headers.update(_chunks(location, text))
        text = f";{_MARK}=more"
    headers["Content-Type"] = kind + text
    return headers


def _chunks(location: Location, text: str) -> dict[str, str]:
    if len(text) > _IN_METADATA:
        raise AccessDenied(f"{location}: its extended attributes do not fit into the metadata of a Swift object")
    pieces = [text[at : at + _VALUE] for at in range(0, len(text), _VALUE)]
    return {f"X-Object-Meta-Cloudfs-{number}": piece for number, piece in enumerate(pieces)}


def split_type(content_type: str) -> tuple[str, dict[str, str]]:
    """The media type and our parameters; those of others stay with the media type."""
    media, mark, rest = content_type.partition(f";{_MARK}=")
    return media, dict(_PARAMETER.findall(f";{_MARK}={rest}")) if mark else {}


def is_directory_type(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in DIRECTORIES


def from_type(content_type: str) -> Attributes | None:
    """The attributes that a row of a listing tells; None if it has none, or not all of them."""
    return _decode(split_type(content_type)[1])


def says_more(content_type: str) -> bool:
    """Whether the attributes are in the metadata, and so not in listings."""
    return split_type(content_type)[1].get(_MARK) == "more"


def from_headers(headers: Mapping[str, str]) -> Attributes | None:
    """The attributes of an object that was asked for by name; None if nobody has given it any."""
    attributes = from_type(headers.get("content-type", ""))
    if attributes is not None:
        return attributes
    pieces = [headers[name] for name in sorted((n for n in headers if n.startswith(_META)), key=_number)]
    return _decode(dict(_PARAMETER.findall("".join(pieces)))) if pieces else None


def _number(name: str) -> int:
    tail = name.removeprefix(_META)
    return int(tail) if tail.isdecimal() else 0


def marker_text(attributes: Attributes | None, mtime_ns: int) -> str:
    """What a directory's marker tells, in one line; without attributes, the time that it has."""
    return _encode(attributes) if attributes is not None else f";mtime={seconds(mtime_ns)}"


def from_marker_text(text: str) -> tuple[Attributes | None, int]:
    """The attributes, if it had any, and the time in nanoseconds."""
    found = dict(_PARAMETER.findall(text))
    mtime = _SECONDS.fullmatch(found.get("mtime", ""))
    return _decode(found), _nanoseconds(mtime) if mtime else 0


def mtime_of(headers: Mapping[str, str]) -> int | None:
    """The time that another client gave an object, in nanoseconds."""
    match = _SECONDS.fullmatch(headers.get(_MTIME, "").strip())
    return _nanoseconds(match) if match else None


def foreign_metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """What others have noted on an object, and a ``POST`` would drop if it were not sent again."""
    kept = ("content-encoding", "content-disposition", "x-delete-at", "x-object-manifest")
    return {
        name: value
        for name, value in headers.items()
        if name in kept or (name.startswith("x-object-meta-") and not name.startswith(_META) and name != _MTIME)
    }


def seconds(nanoseconds: int) -> str:
    """Since the epoch, with nine decimals: exact, and what rclone and swiftclient read."""
    whole, rest = divmod(abs(nanoseconds), 10**9)
    return f"{'-' if nanoseconds < 0 else ''}{whole}.{rest:09d}"


def _nanoseconds(match: re.Match[str]) -> int:
    value = int(match[2]) * 10**9 + int((match[3] or "").ljust(9, "0"))
    return -value if match[1] else value


def _encode(attributes: Attributes) -> str:
    return "".join(f";{key}={value}" for key, value in _parameters(attributes))


def _parameters(attributes: Attributes) -> Iterator[tuple[str, str]]:
    yield _MARK, "1"
    yield "mode", f"{attributes.mode:o}"
    yield "uid", f"{attributes.uid}"
    yield "gid", f"{attributes.gid}"
    yield "mtime", seconds(attributes.mtime_ns)
    if attributes.rdev:
        yield "rdev", f"{os.major(attributes.rdev)}.{os.minor(attributes.rdev)}"
    if attributes.target:
        yield "target", _quote(attributes.target)
    if attributes.link_group:
        yield "links", _quote(attributes.link_group.encode())
    if attributes.xattrs:
        yield "xattrs", "*".join(f"{_quote(name)}+{_quote(value)}" for name, value in attributes.xattrs)


def _quote(value: bytes) -> str:
    """What an HTTP token may contain: anything else ends a parameter where Swift's SLO takes the type apart."""
    return quote_from_bytes(value, safe="")


def _decode(found: Mapping[str, str]) -> Attributes | None:
    mtime = _SECONDS.fullmatch(found.get("mtime", ""))
    if found.get(_MARK) != "1" or mtime is None:
        return None
    try:
        attributes = Attributes(
            mode=int(found["mode"], 8),
            uid=int(found["uid"]),
            gid=int(found["gid"]),
            mtime_ns=_nanoseconds(mtime),
            target=unquote_to_bytes(found.get("target", "")),
            link_group=unquote_to_bytes(found.get("links", "")).decode("utf-8", "replace"),
            xattrs=_xattrs(found.get("xattrs", "")),
        )
        if rdev := found.get("rdev"):
            major, _, minor = rdev.partition(".")
            attributes = replace(attributes, rdev=os.makedev(int(major), int(minor)))
    except (KeyError, ValueError):
        return None
    return attributes


def _xattrs(text: str) -> tuple[tuple[bytes, bytes], ...]:
    pairs = (pair.partition("+") for pair in text.split("*") if pair)
    return tuple((unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs)
