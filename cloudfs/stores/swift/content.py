"""What is sent of a new object: bytes in memory if they are few, else a source, with the checksum that Swift checks."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudfs.http.message import Body
from cloudfs.stores.base import Location, Source
from cloudfs.stores.swift.attributes import object_headers
from cloudfs.stores.swift.container import md5_of
from cloudfs.stores.swift.segments import HashedRange
from cloudfs.types import Attributes

_IN_MEMORY = 1 << 20
_STEP = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """``body`` is bytes if it is small."""

    body: bytes | Body = field(repr=False)
    md5: str
    size: int
    headers: Mapping[str, str] = field(repr=False)


async def prepare(location: Location, source: Source, attributes: Attributes) -> Content:
    """Read ``source`` once, for its checksum. A symbolic link's content is where it leads."""
    headers = object_headers(location, attributes)
    if stat.S_ISLNK(attributes.mode):
        return Content(attributes.target, md5_of(attributes.target), len(attributes.target), headers)
    if source.size <= _IN_MEMORY:
        data = await source.read(0, source.size) if source.size else b""
        return Content(data, md5_of(data), source.size, headers)
    return Content(source, await md5_of_range(source, 0, source.size), source.size, headers)


async def md5_of_range(source: Source, start: int, stop: int) -> str:
    """The checksum of bytes ``[start, stop)``."""
    body = HashedRange(source, start, stop)
    for at in range(0, body.size, _STEP):
        await body.read(at, min(at + _STEP, body.size))
    return body.md5()
