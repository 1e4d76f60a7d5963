"""The mounted tree as commands name it: by paths relative to the mountpoint, known or not."""

from __future__ import annotations

import os
from dataclasses import dataclass

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.errors import NotFound
from cloudfs.types import ROOT, Inode
from cloudfs.vfs.directories import Directories

_AT_ONCE = 16
"""Listings under way at a time; a store that takes fewer calls queues them."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One entry of a directory, with all that is inside. ``mtime`` in seconds since the epoch.

    ``bytes`` are of files with one name; ``linked`` are the others: inode, bytes, and names inside.
    """

    name: bytes
    ino: Inode
    is_directory: bool
    mtime: float
    files: int
    bytes: int
    linked: tuple[tuple[int, int, int], ...]


class Tree:
    """Reads the catalogue, and has unknown directories listed where an answer needs them."""

    def __init__(self, catalog: Catalog, directories: Directories) -> None:
        self._catalog = catalog
        self._directories = directories

    async def resolve(self, path: str) -> Inode:
        """The inode of a path, ``""`` for the root. Raises `NotFound`, `NotADirectory`, `Unavailable`."""
        ino = ROOT
        for name in filter(None, os.fsencode(path).split(b"/")):
            node = await self._directories.lookup(ino, name)
            if node is None:
                raise NotFound(f"{path}: no such file or directory in the mount")
            ino = node.ino
        return ino

    async def known(self, directory: int) -> None:
        """Return once the names in a directory are in the catalogue. Raises store errors."""
        await self._directories.known(directory)

    async def explore(self, top: int) -> None:
        """Return once everything below ``top`` is in the catalogue. Raises store errors."""
        limit = trio.CapacityLimiter(_AT_ONCE)

        async def visit(ino: int) -> None:
            async with limit:
                await self._directories.known(ino)

        while unlisted := await self._catalog.links.unlisted_below(top):
            try:
                async with trio.open_nursery() as nursery:
                    for ino in unlisted:
                        nursery.start_soon(visit, ino)
            except ExceptionGroup as group:
                raise _first(group) from None

    async def branches(self, directory: int) -> list[Branch]:
        """Every entry of a directory with its size. `explore` it first."""
        found = []
        for _link, name, node in self._catalog.links.children(directory, 0, 1 << 30):
            files, size, linked = await self._catalog.links.measure(node.ino)
            found.append(Branch(name, node.ino, node.is_directory, node.mtime_ns / 1e9, files, size, linked))
            await trio.lowlevel.checkpoint()
        return found


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """One of several failures of one kind is enough."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
