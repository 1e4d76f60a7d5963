"""The cache on the local disk."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import trio

from cloudfs.cache.blocks import blocks_of
from cloudfs.cache.boot import boot_id
from cloudfs.cache.content import Content
from cloudfs.cache.contract import CachedContent, ContentKey, Fetch
from cloudfs.cache.ledger import Ledger
from cloudfs.cache.loan import borrow
from cloudfs.cache.readahead import WIDEST
from cloudfs.cache.reader import Reader
from cloudfs.cache.runs import Runs
from cloudfs.cache.sparse import data_runs
from cloudfs.cache.sums import Sums
from cloudfs.types import Extent

log = logging.getLogger(__name__)

SAVE_EVERY = 2.0
"""Seconds of news that a crash may make the cache forget."""

T = TypeVar("T")


class DiskCache:
    """Implements `Cache` in ``directory``, for one process at a time; `StateInUse` if another has it.

    ``nursery`` runs what reads ahead and keeps house until `aclose`. ``boot`` is for tests. A ``limit`` of 0 caches
    nothing. Everything is for the trio thread but `adopt_patch`, which may also be called in a worker thread, and
    should be if there is much to copy.
    """

    def __init__(self, directory: Path, limit: int, nursery: trio.Nursery, *, boot: bytes | None = None) -> None:
        self.limit = limit
        self._ledger = Ledger(directory, limit, boot_id() if boot is None else boot)
        self._contents: dict[ContentKey, Content] = {}
        self._forgotten: set[ContentKey] = set()
        self._nursery = nursery
        self._token = trio.lowlevel.current_trio_token()
        self._house = trio.CancelScope()
        nursery.start_soon(self._keep_house)

    @property
    def used(self) -> int:
        return self._ledger.used

    def open(self, key: ContentKey, size: int, fetch: Fetch) -> CachedContent:
        content = self._contents.get(key)
        if content is None:
            content = self._contents[key] = Content(key, size, self._ledger, self._retire)
        if content.size != size:
            raise ValueError(f"{key} is open with {content.size} bytes, not {size}")
        return Reader(content, fetch, self._nursery, min(WIDEST, self.limit // 4))

    def has(self, key: ContentKey, size: int) -> bool:
        content = self._contents.get(key)
        return content.shelf.blocks.whole if content is not None else self._ledger.is_whole(key, size)

    def adopt(self, key: ContentKey, size: int, staged: Path, sums: Sums | None = None) -> None:
        try:
            status = os.stat(staged)
            if status.st_size == size and size and self.limit:
                if status.st_mode & 0o077:
                    os.chmod(staged, 0o600)
                present = _present(staged, status)
                self._ledger.adopt(key, size, os.fspath(staged), present, present.copy(), sums)
        except OSError:  # another file system, most likely: then it is not cached, and that is all
            pass
        finally:
            staged.unlink(missing_ok=True)

    def adopt_patch(
        self,
        old: ContentKey,
        key: ContentKey,
        size: int,
        staged: Path,
        extents: Sequence[Extent],
        sums: Sums | None = None,
    ) -> None:
        try:
            if size and self.limit:
                self._adopt_patch(old, key, size, os.fspath(staged), extents, sums)
        except OSError as error:
            log.info("%s is not cached after its upload: %s", key, error)
        finally:
            staged.unlink(missing_ok=True)

    def forget(self, key: ContentKey) -> None:
        if key in self._contents:
            self._forgotten.add(key)
        else:
            self._ledger.forget(key)

    def shrink(self, wanted: int) -> int:
        return self._ledger.shrink(wanted)

    async def aclose(self) -> None:
        """Save what is known. Readers that are still open read from the store, uncached."""
        self._house.cancel()
        try:
            await trio.lowlevel.checkpoint()
            await self._ledger.settle()
        finally:
            self._ledger.close_all()

    def _adopt_patch(
        self,
        old: ContentKey,
        key: ContentKey,
        size: int,
        staged: str,
        extents: Sequence[Extent],
        sums: Sums | None,
    ) -> None:
        loan = self._on_trio_thread(lambda: borrow(self._ledger, old, key, size, extents))
        try:
            present, unsummed = loan.apply(staged)
            self._on_trio_thread(lambda: self._ledger.adopt(key, size, loan.path, present, unsummed, sums))
        finally:
            self._on_trio_thread(loan.give_back)

    def _on_trio_thread(self, action: Callable[[], T]) -> T:
        if trio.lowlevel.in_trio_run():
            return action()
        return trio.from_thread.run_sync(action, trio_token=self._token)

    def _retire(self, key: ContentKey) -> None:
        del self._contents[key]
        self._ledger.close(key)
        if key in self._forgotten:
            self._forgotten.remove(key)
            self._ledger.forget(key)

    async def _keep_house(self) -> None:
        with self._house:
            while True:
                await self._sweep()
                self._ledger.save()
                await trio.sleep(SAVE_EVERY)

    async def _sweep(self) -> None:
        """Delete data files nobody knows: those of a lost index, and of what a crash made the index forget."""
        while (number := self._ledger.take_unswept()) is not None:
            names = await trio.to_thread.run_sync(self._ledger.files.names, number)
            if self._house.cancel_called:  # the index may be closed, and then it knows nothing any more
                return
            self._ledger.remove_strays(number, names)


def _present(staged: Path, status: os.stat_result) -> Runs:
    """The blocks of a staged file that have data. Holes are not taken over: zeros on disk would cost as much."""
    if status.st_blocks * 512 >= status.st_size:
        return Runs([blocks_of(0, status.st_size)])
    descriptor = os.open(staged, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return Runs(blocks_of(*run) for run in data_runs(descriptor, status.st_size))
    finally:
        os.close(descriptor)
