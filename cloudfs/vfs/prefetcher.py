"""Fetches the next files of a tree that somebody reads, so that a restore does not wait a round trip for each."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice

import trio

from cloudfs.cache.prefetch import Trail, Upcoming
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.nodes import Node
from cloudfs.errors import DISK_ERRORS, CloudfsError
from cloudfs.types import Inode
from cloudfs.vfs.succession import Order, Succession
from cloudfs.writeback.contents import Contents

_log = logging.getLogger(__name__)
_READERS = 4
"""That are followed at once."""
_NEAR = 4
"""A file so many files after the last one is evidence of somebody who reads them in order."""
_GLANCE = 64
"""Files looked at in one go."""
_PART_OF_CACHE = 8
"""Only this part of the cache is filled with what nobody has read yet."""


class _Follower:
    """One reader: his trail through the ``nodes`` that come next in some order, and what is being done for him."""

    def __init__(self, trail: Trail, order: Order, nodes: Iterator[Node]) -> None:
        self.trail = trail
        self.order = order
        self.nodes = nodes
        self.learning = False
        self.dropped = False
        self.scopes: set[trio.CancelScope] = set()


class Prefetcher:
    """Follows those who read trees. Owns no task: `run` is run by the mount.

    Whoever opened a file tells `reading`, when its first bytes are asked for, and `missed` if they are not here.
    """

    def __init__(self, catalog: Catalog, contents: Contents, known: Callable[[int], Awaitable[None]]) -> None:
        """``known(ino)`` returns when the names in a directory are known; raises store errors."""
        self._catalog = catalog
        self._contents = contents
        self._known = known
        self._most_bytes = contents.cache.limit // _PART_OF_CACHE
        self._followers: list[_Follower] = []
        self._last_missed: list[int] = []
        self._expected = 0
        self._news = trio.Event()

    def reading(self, ino: int) -> None:
        """Somebody reads a file from its beginning. Costs nothing where nobody is followed."""
        for follower in self._followers:
            if follower.trail.expects(ino):
                self._expected = ino
                follower.trail.read(ino)
                if follower.trail.is_lost:
                    self._drop(follower)
                self._news.set()
                return

    def missed(self, ino: int) -> None:
        """After `reading`: its bytes have to be fetched."""
        if not self._most_bytes or ino == self._expected:
            return
        for follower in self._followers:
            order = self._order_from(follower.trail.last, ino, follower.order)
            if order is not None:
                self._followers.remove(follower)
                self._follow(ino, order, follower.trail)
                return
        for last in self._last_missed:
            order = self._order_from(last, ino, Order.AS_LISTED)
            if order is not None:
                self._last_missed.remove(last)
                self._follow(ino, order, None)
                return
        self._last_missed = [ino, *self._last_missed[: _READERS - 1]]

    async def run(self) -> None:
        """Fetch, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._news.wait()
                self._news = trio.Event()
                for follower in list(self._followers):
                    try:
                        self._fetch_more(follower, nursery)
                    except CloudfsError as error:
                        _log.debug("there is nothing more to read ahead of: %s", error)
                        if follower in self._followers:
                            self._drop(follower)
                await trio.lowlevel.checkpoint()

    # --- whom to follow ----------------------------------------------------------------------------------------------

    def _order_from(self, last: int, ino: int, likely: Order) -> Order | None:
        """The order in which one file comes soon after another; None if there is none."""
        link = self._link(last)
        if link is None:
            return None
        for order in sorted(Order, key=lambda order: order is not likely):
            following = islice(Succession(self._catalog, order).after(link), _GLANCE)
            if any(node.ino == ino for node in islice(filter(self._is_missing, following), _NEAR)):
                return order
        return None

    def _follow(self, ino: int, order: Order, before: Trail | None) -> None:
        link = self._link(ino)
        if link is None:
            return
        trail = Trail(ino, self._most_bytes, before.pace if before is not None else None)
        for oldest in self._followers[: len(self._followers) + 1 - _READERS]:
            self._drop(oldest)
        self._followers.append(_Follower(trail, order, Succession(self._catalog, order).after(link)))
        self._news.set()

    def _drop(self, follower: _Follower) -> None:
        """Whatever is on its way for him is given up."""
        self._followers.remove(follower)
        follower.dropped = True
        for scope in follower.scopes:
            scope.cancel()

    def _link(self, ino: int) -> Link | None:
        links = self._catalog.links.of_inode(ino)
        return next((link for link in links if not link.doomed), None)

    # --- what to fetch -----------------------------------------------------------------------------------------------

    def _fetch_more(self, follower: _Follower, nursery: trio.Nursery) -> None:
        """Start everything that may be under way now."""
        for _ in range(_GLANCE):
            if follower.learning:
                return
            if follower.trail.is_hungry and not self._offer(follower, nursery):
                continue
            file = follower.trail.take()
            if file is None:
                return
            nursery.start_soon(self._fetch, follower, file)
        self._news.set()

    def _offer(self, follower: _Follower, nursery: trio.Nursery) -> bool:
        """Look at what comes next; whether it is a file to be fetched, or there is nothing more."""
        node = next(follower.nodes, None)
        if node is None:
            return True
        if node.is_directory:
            follower.learning = True
            nursery.start_soon(self._learn, follower, node.ino)
            return False
        if not self._is_missing(node):
            return False
        follower.trail.offer(Upcoming(node.ino, node.content, node.size))
        return True

    def _is_missing(self, node: Node) -> bool:
        """Whether it is a file of which not all is here."""
        if not (node.is_regular and node.size) or self._catalog.stagings.exists(node.ino):
            return False
        return not self._contents.cache.has(self._contents.key(node.ino, node.content, node.size), node.size)

    async def _learn(self, follower: _Follower, directory: int) -> None:
        with self._scope(follower):
            try:
                await self._known(directory)
            except (CloudfsError, *DISK_ERRORS) as error:
                _log.debug("could not look into the next directory: %s", error)
        follower.learning = False
        self._news.set()

    async def _fetch(self, follower: _Follower, file: Upcoming) -> None:
        content = self._contents.open(Inode(file.ino), file.content, file.size)
        try:
            with self._scope(follower):
                await content.bring(0, file.fetched)
        except CloudfsError as error:
            _log.debug("could not fetch a file in advance: %s", error)
            if follower in self._followers:
                self._drop(follower)
        finally:
            content.close()
            follower.trail.landed(file)
            self._news.set()

    @contextlib.contextmanager
    def _scope(self, follower: _Follower) -> Iterator[None]:
        """What is done inside ends when the reader is not followed any more."""
        with trio.CancelScope() as scope:
            if follower.dropped:
                scope.cancel()
            follower.scopes.add(scope)
            try:
                yield
            finally:
                follower.scopes.discard(scope)
