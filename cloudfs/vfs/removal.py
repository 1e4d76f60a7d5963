"""Removing a directory with all that is inside in one step: it is there whole, or not at all, also after a crash."""

from __future__ import annotations

from collections.abc import Callable

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Stale
from cloudfs.errors import NotFound, StoreReadOnly
from cloudfs.types import ROOT
from cloudfs.vfs.clock import now_ns
from cloudfs.writeback.health import Health


class Removal:
    """``rm -r`` without the steps between. The uploader deletes at the store what was there, as always."""

    def __init__(
        self,
        catalog: Catalog,
        health: Health,
        changed: Callable[[int], None],
        stale: Callable[[Stale], None],
        discard: Callable[[int], None],
    ) -> None:
        """``changed(due_ns)``: there is work for the uploader; ``stale``: the kernel should forget a name.

        ``discard(ino)``: nobody wants its staged bytes any longer.
        """
        self._discard = discard
        self._catalog = catalog
        self._links = catalog.links
        self._nodes = catalog.nodes
        self._health = health
        self._changed = changed
        self._stale = stale

    def remove(self, parent: int, name: bytes) -> None:
        """Take a name, and everything below, out of the desired tree. All of it is known (`Directories.known`).

        What is open stays readable until it is closed. Raises `NotFound`, `StoreReadOnly`.
        """
        if self._health.read_only:
            raise StoreReadOnly("the store is read-only")
        top = self._links.find(parent, name)
        if top is None:
            raise NotFound("no such name")
        now = now_ns()
        with self._catalog:
            gone = self._doom(top, now)
            self._touch(parent, now, was_directory=gone[0][1])
            for ino, _is_directory in gone:
                if self._nodes.get(ino).nlink == 0 and not self._catalog.is_held(ino):
                    self._discard(ino)
                self._catalog.reap(ino)
        self._stale(Stale(self._nodes.get(parent).ino, name))
        self._changed(now)

    def _doom(self, top: Link, now: int) -> list[tuple[int, bool]]:
        """(inode, is a directory) of each name that went, the uppermost first."""
        gone: list[tuple[int, bool]] = []
        waiting = [top]
        while waiting:
            link = waiting.pop()
            node = self._nodes.get(link.ino)
            if node.is_directory:
                waiting += self._links.names_in(link.ino)
            self._links.doom(link, now)
            node.nlink = 0 if node.is_directory else node.nlink - 1
            node.ctime_ns = now
            self._nodes.save(node)
            gone.append((link.ino, node.is_directory))
        return gone

    def _touch(self, parent: int, now: int, *, was_directory: bool) -> None:
        directory = self._nodes.get(parent)
        directory.nlink -= was_directory
        directory.mtime_ns = directory.ctime_ns = now
        directory.attrs += 1
        self._nodes.save(directory)
        if parent != ROOT or self._links.directory(ROOT).stored:
            self._links.touch_idle(parent, now)
