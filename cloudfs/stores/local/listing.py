"""Listing a directory of a local store in pages, and clearing away what an interrupted process left in it."""

from __future__ import annotations

import bisect
import contextlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence

from cloudfs.errors import StoreError, Unavailable
from cloudfs.stores.base import Entry, Location, Page
from cloudfs.stores.local.attributes import LocalAttributes
from cloudfs.stores.local.parts import Maker, is_part
from cloudfs.stores.local.tree import LocalTree, Place, proc_path

_LISTINGS_KEPT = 4
_LEFTOVER_AFTER = 24 * 3600.0
"""Seconds. A process of another machine or container may be about to publish a younger one."""


class LocalListing:
    """Pages in the order of names, so that a name that stays appears once whatever happens around it.

    The names of long listings under way are kept, because reading the directory again for each page would cost a
    time that grows with the square of its size. Losing them costs nothing but that.
    """

    def __init__(self, tree: LocalTree, attributes: LocalAttributes, maker: Maker, page: int) -> None:
        self._tree = tree
        self._attributes = attributes
        self._maker = maker
        self._page = page
        self._kept: OrderedDict[bytes, Sequence[bytes]] = OrderedDict()
        self._lock = threading.Lock()  # over _kept, and nothing else is taken while it is held

    def page(self, directory: Location, cursor: str | None) -> Page:
        """Blocks."""
        with self._tree.open(directory.path) as fd:
            names = self._names_kept(directory.path) if cursor is not None else None
            if names is None:
                names = sorted(self._visible(fd))
            start = 0 if cursor is None else bisect.bisect_right(names, _name_in(cursor))
            wanted = names[start : start + self._page]
            entries = list(self._entries(fd, wanted))
        if start + self._page >= len(names):
            return Page(entries)
        self._keep_names(directory.path, names)
        return Page(entries, wanted[-1].hex())

    def clear_root(self) -> None:
        """Remove what interrupted processes left where they hid it, as far as that is possible."""
        with contextlib.suppress(OSError, StoreError), self._tree.open(b"") as root:
            self._visible(root)

    def clear_parts(self, directory: int) -> bool:
        """Remove what is hidden in a directory that shall be removed itself; False if somebody still needs it."""
        names = os.listdir(proc_path(directory))
        if not all(is_part(name) and self._maker.is_abandoned(name) is not False for name in names):
            return False
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)
        return True

    def _entries(self, directory: int, names: Iterable[bytes]) -> Iterator[Entry]:
        """Those that are still there."""
        for name in names:
            place = Place(directory, name)
            status = place.status()
            if status is not None:
                with contextlib.suppress(FileNotFoundError):
                    yield self._attributes.entry(place, name, status)

    def _names_kept(self, path: bytes) -> Sequence[bytes] | None:
        with self._lock:
            return self._kept.pop(path, None)

    def _keep_names(self, path: bytes, names: Sequence[bytes]) -> None:
        with self._lock:
            self._kept[path] = names
            if len(self._kept) > _LISTINGS_KEPT:
                self._kept.popitem(last=False)

    def _visible(self, fd: int) -> Sequence[bytes]:
        names = os.listdir(proc_path(fd))
        for name in filter(is_part, names):
            if self._is_leftover(Place(fd, name)):
                with contextlib.suppress(OSError), self._tree.changing(fd):
                    os.unlink(name, dir_fd=fd)
        return [name for name in names if not is_part(name)]

    def _is_leftover(self, part: Place) -> bool:
        abandoned = self._maker.is_abandoned(part.name)
        if abandoned is not None:
            return abandoned
        status = part.status()
        return status is not None and time.time() - status.st_ctime > _LEFTOVER_AFTER


def _name_in(cursor: str) -> bytes:
    try:
        return bytes.fromhex(cursor)
    except ValueError as error:
        raise Unavailable("this is no cursor of a local store") from error
