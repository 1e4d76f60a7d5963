"""Paths of the mount and names of Swift objects. Pure.

An object's name is UTF-8, at most 1024 bytes, and may not contain NUL; everything else, dots and slashes too, is
literal. A path is any bytes. What is not UTF-8 is written like rclone does: ``‛`` (U+201B) and two hexadecimal digits
for each byte; a ``‛`` that could be mistaken for that is doubled.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from cloudfs.errors import NameRefused
from cloudfs.stores.base import Location, valid_name

MAX_NAME = 1024
"""Bytes of an object's name, where ``/info`` does not say otherwise."""

_QUOTE = "\u201b"
_AMBIGUOUS = re.compile(f"{_QUOTE}(?={_QUOTE}|[89A-F][0-9A-F])")
_ESCAPED = re.compile(f"{_QUOTE}(?:({_QUOTE})|([89A-F][0-9A-F]))")
_INVALID = re.compile("[\udc80-\udcff]")


def escape(path: bytes) -> str:
    """The object name for a path, or a part of one."""
    text = path.decode("utf-8", "surrogateescape")
    if _QUOTE not in text and not _INVALID.search(text):
        return text
    # From the end, since whether a quote is ambiguous depends on what follows it.
    name = ""
    for letter in reversed(text):
        if "\udc80" <= letter <= "\udcff":
            name = f"{_QUOTE}{ord(letter) - 0xDC00:02X}{name}"
        elif letter == _QUOTE and _AMBIGUOUS.match(_QUOTE + name):
            name = f"{_QUOTE}{_QUOTE}{name}"
        else:
            name = letter + name
    return name


def unescape(name: str) -> bytes:
    """The path for an object name."""
    if _QUOTE not in name:
        return name.encode("utf-8")
    return _ESCAPED.sub(_original, name).encode("utf-8", "surrogateescape")


def _original(match: re.Match[str]) -> str:
    return _QUOTE if match[1] else chr(0xDC00 + int(match[2], 16))


class Names:
    """Of the objects in a container below ``prefix``, which has no slash at its ends and may be empty."""

    def __init__(self, prefix: str, longest: int = MAX_NAME) -> None:
        self._prefix = prefix
        self._longest = longest

    @property
    def longest_path(self) -> int:
        """Bytes of a path that needs no escapes."""
        return self._longest - len(self.inside(Location(b"")).encode())

    def of(self, location: Location) -> str:
        """The object for a location, ``""`` for the root of a container. Raises `NameRefused`."""
        if not location.path:
            return self._prefix
        if not all(valid_name(part) for part in location.path.split(b"/")):
            raise NameRefused(f"{location}: no object can have this name")
        inside = escape(location.path)
        name = f"{self._prefix}/{inside}" if self._prefix else inside
        if len(name.encode()) > self._longest:
            raise NameRefused(f"{location}: Swift takes no name of more than {self._longest} bytes")
        return name

    def inside(self, directory: Location) -> str:
        """How the names of everything in a directory begin."""
        name = self.of(directory)
        return f"{name}/" if name else ""

    def path(self, name: str) -> bytes | None:
        """The path of an object; None if nothing in the mount can have it."""
        start = f"{self._prefix}/" if self._prefix else ""
        if not name.startswith(start):
            return None
        path = unescape(name[len(start) :])
        if not all(valid_name(part) for part in path.split(b"/")):
            return None
        return path if escape(path) == name[len(start) :] else None


def quoted(name: str) -> str:
    """A name as a part of an address."""
    return quote(name, safe="/~")
