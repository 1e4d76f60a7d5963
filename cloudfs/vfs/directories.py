"""Which directories are known, and how old the knowledge is.

A directory is listed at the store once, when it is first needed; from then on the catalogue answers. Directories in
use are listed again in the background, so that what other clients changed shows up within the cache time. Only a
directory that is not known at all makes a caller wait for the store, and not for ever.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.merging import Merging, Stale
from cloudfs.catalog.news import News
from cloudfs.catalog.nodes import Node
from cloudfs.errors import DISK_ERRORS, AccessDenied, NameRefused, NotADirectory, StoreError, Unavailable
from cloudfs.stores.base import Feed, Store, Walker
from cloudfs.types import ROOT, Inode
from cloudfs.vfs.changes import ChangeFollower
from cloudfs.vfs.surveyor import Moving, Surveyor
from cloudfs.vfs.walks import Walks
from cloudfs.writeback.health import Health

_log = logging.getLogger(__name__)
_LISTING_LIMIT = 60.0
"""Seconds after which an unknown directory is given up (EIO)."""
_REFRESH_PATIENCE = 5.0
"""Seconds for which a caller waits for news of a directory that is known already."""
_ACTIVE_SECONDS = 600.0
_FOLLOWED = 512
_MOVING_SECONDS = 0.02
_WITHOUT_SUBDIRECTORIES = 2
"""Links of a directory."""


class Directories:
    """The listing side of the file system. Owns no task: `follow` is run by the mount."""

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        merging: Merging,
        health: Health,
        cache_time: float,
        stale: Callable[[Stale], None],
    ) -> None:
        """``cache_time`` in seconds; ``stale`` is told of every name that the kernel should forget."""
        self._catalog = catalog
        self._store = store
        self._merging = merging
        self._health = health
        self._cache_time = cache_time
        self._fresh_ns = int(cache_time / 2 * 1e9)
        self._interval = max(cache_time / 4, 0.1)
        self._stale = stale
        self._surveyor = Surveyor(catalog, store, merging, health, stale)
        self._changes = None if store.feed is None else self._make_follower(store, store.feed)
        self._walks = None if store.walker is None else self._make_walks(store.walker)
        self._listing: dict[int, trio.Event] = {}
        self._active: dict[int, float] = {}
        self._last_used: tuple[int, float] = (ROOT, 0.0)
        self._unexplored = trio.Event()
        self._root_is_known = self.directory(ROOT).listed_ns is not None
        self.timeout = cache_time / 2
        """Seconds for which the kernel may believe a name or its absence."""

    def _make_follower(self, store: Store, feed: Feed) -> ChangeFollower:
        news = News(self._catalog, self._merging)
        return ChangeFollower(self._catalog, store, feed, news, self._health, self._interval, self._stale)

    def _make_walks(self, walker: Walker) -> Walks:
        return Walks(self._catalog, walker, self._surveyor, self._list, lambda: self._last_used)

    def directory(self, ino: int) -> Node:
        """The node of a directory. Raises `NotFound`, `NotADirectory`."""
        node = self._catalog.nodes.get(ino)
        if not node.is_directory:
            raise NotADirectory("not a directory")
        return node

    def is_known(self, ino: int) -> bool:
        """Whether the catalogue has the directory's names. Raises `NotFound`."""
        return self.directory(ino).listed_ns is not None

    async def known(self, ino: int) -> None:
        """Return once the directory's names are in the catalogue. Raises `Unavailable`, `NotFound`."""
        while not self.is_known(ino):
            if self._walks is None or not await self._walks.brings(ino):
                await self._list_first(Inode(ino))

    async def _list_first(self, ino: Inode) -> None:
        if self._walks is None:
            await self._list(ino)
            return
        if ino == ROOT:
            self._walks.begin(ino)  # most likely there are directories, and a round trip is saved
        await self._list(ino)
        if self.directory(ino).nlink > _WITHOUT_SUBDIRECTORIES:
            self._walks.listed(ino)
        else:
            self._walks.give_up(ino)

    async def fresh(self, ino: int) -> None:
        """`known`, and as new as the cache time demands, if the store answers soon."""
        await self.known(ino)
        if not self.is_old(ino) or self._health.away:
            return
        with trio.move_on_after(_REFRESH_PATIENCE):
            try:
                if self._changes is not None:
                    await self._changes.ask()
                if self.is_old(ino):
                    await self._list(ino)
            except (StoreError, *DISK_ERRORS) as error:
                _log.debug("could not refresh a directory: %s", error)

    async def lookup(self, parent: int, name: bytes) -> Node | None:
        """The node of a name, None if there is none."""
        self._use(parent)
        await self.known(parent)
        ino = self._catalog.links.lookup(parent, name)
        if ino is None and self.is_old(parent):
            await self.fresh(parent)
            ino = self._catalog.links.lookup(parent, name)
        return None if ino is None else self._catalog.nodes.get(ino)

    async def opened(self, ino: int) -> None:
        """A listing begins: it should show the directory as it is."""
        self._use(ino)
        await self.fresh(ino)

    def _use(self, ino: int) -> None:
        now = self._active[ino] = time.monotonic()
        self._last_used = ino, now

    def is_old(self, ino: int) -> bool:
        """Whether a caller may have to wait for news of a directory, or for the first there is. Raises `NotFound`."""
        listed: int | None = self.directory(ino).listed_ns
        if listed is None:
            return True
        if self._changes is not None and self._changes.is_following(self._cache_time):
            return not self._changes.covers(listed)
        return time.time_ns() - listed > self._fresh_ns

    async def learn_root(self) -> None:
        """Take the attributes of the root from the store, the first time; without an answer the defaults stay."""
        with trio.move_on_after(_REFRESH_PATIENCE) as waiting:
            try:
                await self._ask_for_root()
            except StoreError as error:
                self._health.failed(error)
        if waiting.cancelled_caught:
            self._health.failed(Unavailable(f"the store has not answered for {_REFRESH_PATIENCE:g} s"))

    async def learn_root_later(self) -> None:
        """The same without a time limit, for a mount that began while the store was away."""
        while not self._root_is_known:
            await trio.sleep(_REFRESH_PATIENCE)
            with contextlib.suppress(StoreError, *DISK_ERRORS):
                await self._ask_for_root()

    async def _ask_for_root(self) -> None:
        if not self._root_is_known:
            link = self._catalog.links.directory(ROOT)
            self._merging.root(await self._store.stat(self._catalog.links.location(link)))
            self._root_is_known = True

    def explore(self) -> None:
        """Somebody has to know every directory: list those that were never listed, in the background."""
        self._unexplored.set()

    # --- asking the store ----------------------------------------------------------------------------------------

    async def _list(self, ino: int) -> None:
        """List a directory and merge; one request at a time for each directory, whoever asks."""
        under_way = self._listing.get(ino)
        if under_way is not None:
            await under_way.wait()
            return
        done = self._listing[ino] = trio.Event()
        try:
            with trio.fail_after(_LISTING_LIMIT):
                await self._surveyor.survey(Inode(ino))
        except trio.TooSlowError:
            raise Unavailable(f"no listing within {_LISTING_LIMIT:.0f} seconds") from None
        except Moving:
            await trio.sleep(_MOVING_SECONDS)
        except StoreError as error:
            self._health.failed(error)
            raise
        finally:
            del self._listing[ino]
            done.set()

    # --- following -----------------------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Keep the directories in use fresh, for ever."""
        while True:
            await trio.sleep(self._interval)
            for ino in self._followed():
                await self._refresh_quietly(ino)

    async def follow_changes(self) -> None:
        """Keep everything that is known fresh, for ever, where the store tells what changes."""
        if self._changes is not None:
            await self._changes.run()

    async def walk_forever(self) -> None:
        """List in advance what somebody will look into next, where the store can list trees."""
        if self._walks is not None:
            await self._walks.run()

    async def explore_forever(self) -> None:
        """Do what `explore` asks for."""
        while True:
            await self._unexplored.wait()
            self._unexplored = trio.Event()
            while unlisted := self._catalog.unlisted(_FOLLOWED):
                try:
                    for ino in unlisted:
                        await self._explore(ino)
                except (StoreError, NotADirectory, *DISK_ERRORS) as error:
                    _log.debug("could not explore a directory: %s", error)
                    break

    async def _explore(self, ino: Inode) -> None:
        try:
            await self._list(ino)
        except (AccessDenied, NameRefused) as error:
            _log.info("a directory cannot be listed, and may have other names of files with several: %s", error)
            self._catalog.refused.add(ino)

    def _followed(self) -> list[int]:
        """The directories used lately, most recent first."""
        horizon = time.monotonic() - max(_ACTIVE_SECONDS, 4 * self._interval)
        recent = sorted(((used, ino) for ino, used in self._active.items() if used > horizon), reverse=True)
        self._active = {ino: used for used, ino in recent[:_FOLLOWED]}
        return list(self._active)

    async def _refresh_quietly(self, ino: int) -> None:
        try:
            if self.is_old(ino):
                await self._list(ino)
        except DISK_ERRORS as error:
            _log.debug("could not note the news of a directory: %s", error)
        except (StoreError, NotADirectory) as error:
            self._active.pop(ino, None)
            _log.debug("could not refresh a directory: %s", error)
