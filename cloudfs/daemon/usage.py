"""How much is where: the answer to ``cloudfs usage``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.daemon.tree import Branch, Tree
from cloudfs.errors import StoreError
from cloudfs.retention import snapshot_time
from cloudfs.stores.base import Store
from cloudfs.vfs.capacity import Capacity

_PATIENCE = 10.0
"""Seconds for which the store may think about its quota; then the last known numbers have to do."""


class Sizes:
    """Sizes of the entries of a directory, with all that is inside them."""

    def __init__(self, catalog: Catalog, tree: Tree, store: Store, capacity: Capacity) -> None:
        self._catalog = catalog
        self._tree = tree
        self._store = store
        self._capacity = capacity

    async def measure(self, path: str) -> dict[str, Any]:
        """Sizes in bytes, times in seconds since the epoch. Raises `NotFound`, and store errors."""
        top = await self._tree.resolve(path)
        branches = []
        if self._catalog.nodes.get(top).is_directory:
            await self._tree.explore(top)
            branches = await self._tree.branches(top)
        files, size, linked = await self._catalog.links.measure(top)
        return {
            "path": path,
            "files": files,
            "bytes": size + self._linked(linked),
            "entries": [self._row(branch) for branch in branches],
            "store": await self._quota(),
        }

    def _row(self, branch: Branch) -> dict[str, Any]:
        name = os.fsdecode(branch.name)
        return {
            "name": name,
            "directory": branch.is_directory,
            "files": branch.files,
            "bytes": branch.bytes + self._linked(branch.linked),
            "time": snapshot_time(name, branch.mtime),
        }

    def _linked(self, linked: Iterable[tuple[int, int, int]]) -> int:
        """Hard-linked names share their bytes where the store has hard links; elsewhere each is a copy."""
        shared = self._store.capabilities.hard_links
        return sum(size * (1 if shared else names) for _ino, size, names in linked)

    async def _quota(self) -> dict[str, int | None]:
        usage = self._capacity.latest
        with trio.move_on_after(_PATIENCE):
            try:
                usage = await self._store.usage()
            except StoreError:
                usage = self._capacity.latest
        if usage is None:
            return {"used": None, "total": None, "free": None, "trash": None}
        return {"used": usage.used, "total": usage.total, "free": usage.free, "trash": usage.trash}
