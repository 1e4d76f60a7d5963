"""Ordinary files that stand for what a store without attributes cannot hold: symbolic links, FIFOs, sockets, devices.

Such a file has a text that a person understands. It is there so that the store's own version changes with what the
object is: a link to somewhere else is another content.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import replace

import trio

from cloudfs.stores.base import Source
from cloudfs.types import Attributes, Extent

_NAMES = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFBLK: "block device", stat.S_IFCHR: "character device"}
_DEVICES = (stat.S_IFBLK, stat.S_IFCHR)


class Text:
    """Some bytes as a `Source`."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    def extents(self) -> Sequence[Extent]:
        return [Extent(0, self.size)] if self.size else []

    async def read(self, start: int, stop: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._data[start:stop]


def stands_in(attributes: Attributes) -> bool:
    """Whether the store has a text in place of the object, which has no bytes of its own."""
    return not attributes.is_regular and not attributes.is_directory


def stored_source(source: Source, attributes: Attributes) -> Source:
    """What the store gets to see: the file, or the text that stands for the object."""
    return Text(_text(attributes)) if stands_in(attributes) else source


def stored_attributes(attributes: Attributes) -> Attributes:
    """What the store gets to know: an ordinary file or directory, and when it was changed."""
    mode = stat.S_IFDIR | 0o755 if attributes.is_directory else stat.S_IFREG | 0o644
    return replace(attributes, mode=mode, rdev=0, target=b"", link_group="", xattrs=())


def _text(attributes: Attributes) -> bytes:
    kind = stat.S_IFMT(attributes.mode)
    if kind == stat.S_IFLNK:
        return attributes.target
    numbers = f" {os.major(attributes.rdev)}:{os.minor(attributes.rdev)}" if kind in _DEVICES else ""
    return f"{_NAMES[kind]}{numbers}\n".encode()
