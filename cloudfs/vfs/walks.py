"""Whole trees, listed in the background as soon as somebody begins to look into one.

Most stores list a tree in far fewer requests than its directories one by one. So when a directory with subdirectories
was listed for the first time, a walk through all that is below it begins; that through the root even as soon as
somebody asks for the root's own listing. Whoever needs a directory below waits a moment for the walk to come by, rather
than asking by himself: as long as that has turned out to be worth it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.survey import STEP
from cloudfs.errors import DISK_ERRORS, CloudfsError, NotFound
from cloudfs.stores.base import Listing, Walker
from cloudfs.types import Inode
from cloudfs.vfs.surveyor import Surveyor

_log = logging.getLogger(__name__)
PATIENCE_AT_FIRST = 2.0
"""Seconds for which somebody waits for the first that a walk brings: a page of names, and what is asked about them."""
PATIENCE = 0.5
"""Seconds for which somebody waits for more. Half of it after each time in vain."""
_LEAST_PATIENCE = 0.02
AT_ONCE = 4
"""Walks under way."""
ADVANCE = 20_000
"""Names that a walk may bring before somebody has to be interested in them."""
_INTEREST_SECONDS = 10.0
_GLANCE_SECONDS = 0.25
_MOST_WAITING = 50_000
"""Names that wait in memory until the directory above theirs is known."""


class Waiting:
    """Listings of directories that the catalogue does not know yet, because the one above comes later in the walk."""

    def __init__(self) -> None:
        self._by_parent: dict[bytes, list[Listing]] = {}
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._size > _MOST_WAITING

    def add(self, listing: Listing) -> None:
        self._by_parent.setdefault(listing.directory.parent_path, []).append(listing)
        self._size += 1 + len(listing.entries)

    def has_below(self, path: bytes) -> bool:
        return path in self._by_parent

    def below(self, path: bytes) -> list[Listing]:
        """Take those whose parent is at ``path``."""
        found = self._by_parent.pop(path, [])
        self._size -= sum(1 + len(listing.entries) for listing in found)
        return found

    def parents(self) -> list[bytes]:
        return sorted(self._by_parent)


class Walk:
    """One walk: the tree under ``root``, which the store had at ``path`` when it began, at `Links.tick` ``since``.

    ``users`` wait for it; ``revealed`` are paths that somebody else has listed meanwhile.
    """

    def __init__(self, root: Inode, path: bytes, since: int) -> None:
        self.root = root
        self.path = path
        self.since = since
        self.patience = PATIENCE_AT_FIRST
        self.has_brought = False
        self.waiting = Waiting()
        self.revealed: list[bytes] = []
        self.users = 0
        self.scope = trio.CancelScope()
        self.over = False
        self._moved_on = trio.Event()

    def move_on(self, *, over: bool = False) -> None:
        """Something was merged, or the walk is over."""
        if not self.has_brought:
            self.has_brought = True
            self.patience = PATIENCE
        self.over = over
        self._moved_on.set()
        self._moved_on = trio.Event()

    async def moved_on(self) -> None:
        await self._moved_on.wait()


class Walks:
    """The walks of one mount. Owns no task: `run` is run by the mount."""

    def __init__(
        self,
        catalog: Catalog,
        walker: Walker,
        surveyor: Surveyor,
        list_directly: Callable[[Inode], Awaitable[None]],
        last_used: Callable[[], tuple[int, float]],
    ) -> None:
        """``list_directly(ino)`` raises store errors.

        ``last_used()`` is the directory that somebody looked into last, and when that was (s, monotonic).
        """
        self._catalog = catalog
        self._walker = walker
        self._surveyor = surveyor
        self._list_directly = list_directly
        self._last_used = last_used
        self._walks: list[Walk] = []
        self._wanted: list[Walk] = []
        self._wake = trio.Event()

    async def run(self) -> None:
        """Walk where `listed` says, for ever."""
        async with trio.open_nursery() as nursery:
            while True:
                await self._wake.wait()
                self._wake = trio.Event()
                wanted, self._wanted = self._wanted, []
                for walk in wanted:
                    nursery.start_soon(self._carry_out, walk)

    def listed(self, root: Inode) -> None:
        """Somebody listed this directory himself, for the first time, and may go on to those that are in it."""
        links = self._catalog.links
        path = links.location(links.directory(root)).path
        if not any(self._helps(walk, root, path) for walk in self._walks):
            self.begin(root)

    def begin(self, root: Inode) -> None:
        """Walk through a directory, if nobody does."""
        if any(walk.root == root for walk in self._walks):
            return
        links = self._catalog.links
        path = links.location(links.directory(root)).path
        for walk in self._walks[: len(self._walks) + 1 - AT_ONCE]:
            walk.scope.cancel()
        walk = Walk(root, path, links.tick)
        self._walks.append(walk)
        self._wanted.append(walk)
        self._wake.set()

    def give_up(self, root: Inode) -> None:
        """There is nothing to walk through."""
        for walk in self._walks:
            if walk.root == root:
                walk.scope.cancel()

    def _helps(self, walk: Walk, ino: Inode, path: bytes) -> bool:
        """Whether a walk began here; or has been here already, and brings what it found as soon as it can; or has only
        just begun."""
        helps = self._covers(walk, ino) and (not walk.has_brought or walk.waiting.has_below(path))
        if not helps and walk.root != ino:
            return False
        walk.revealed.append(path)
        return True

    async def brings(self, ino: int) -> bool:
        """Wait for a walk to list a directory that is not known yet; False if none does so soon."""
        walk = next((walk for walk in reversed(self._walks) if self._covers(walk, ino)), None)
        if walk is None:
            return False
        walk.users += 1
        try:
            with trio.move_on_after(walk.patience):
                while not walk.over:
                    await walk.moved_on()
                    if self._is_known(ino):
                        walk.patience = min(walk.patience * 2, PATIENCE)
                        return True
        finally:
            walk.users -= 1
        walk.patience = max(min(walk.patience, PATIENCE) / 2, _LEAST_PATIENCE)
        return self._is_known(ino)

    def _covers(self, walk: Walk, ino: int) -> bool:
        return walk.root != ino and self._catalog.links.is_inside(ino, walk.root)

    def _is_known(self, ino: int) -> bool:
        try:
            return self._catalog.nodes.get(ino).listed_ns is not None
        except NotFound:
            return False

    # --- one walk ----------------------------------------------------------------------------------------------------

    async def _carry_out(self, walk: Walk) -> None:
        try:
            with walk.scope:
                await self._walk(walk)
        except (CloudfsError, *DISK_ERRORS) as error:
            _log.debug("could not walk through a tree: %s", error)
        finally:
            self._walks.remove(walk)
            walk.move_on(over=True)

    async def _walk(self, walk: Walk) -> None:
        links = self._catalog.links
        batch: list[Listing] = []
        size = taken = 0
        async with aclosing(self._walker.walk(links.location(links.directory(walk.root)))) as listings:
            async for listing in listings:
                batch.append(listing)
                size += 1 + len(listing.entries)
                if size >= STEP:
                    await self._merge(walk, batch)
                    batch, taken, size = [], taken + size, 0
                if taken > ADVANCE:
                    if not await self._is_of_interest(walk):
                        return
                    taken = 0
        await self._merge(walk, batch)
        await self._reveal(walk)

    async def _is_of_interest(self, walk: Walk) -> bool:
        """Whether somebody looks around in the tree, now or within some seconds."""
        with trio.move_on_after(_INTEREST_SECONDS):
            while not walk.users:
                ino, when = self._last_used()
                if time.monotonic() - when < _INTEREST_SECONDS / 10 and self._catalog.links.is_inside(ino, walk.root):
                    break
                await trio.sleep(_GLANCE_SECONDS)
            return True
        return False

    async def _merge(self, walk: Walk, listings: list[Listing]) -> None:
        """Merge what can be merged, with what waited for it; the rest waits."""
        stack = listings[::-1]
        while stack or walk.revealed:
            while walk.revealed:
                stack += walk.waiting.below(walk.revealed.pop())
            slow = self._merge_some(walk, stack)
            walk.move_on()
            await trio.lowlevel.checkpoint()
            if slow is not None:
                ino, listing = slow
                await self._surveyor.take(ino, listing.entries, walk.since)
                stack += walk.waiting.below(listing.directory.path)
        if walk.waiting.is_full:
            await self._reveal(walk)

    def _merge_some(self, walk: Walk, stack: list[Listing]) -> tuple[Inode, Listing] | None:
        """Some of them in one transaction. Returns one that has to be merged slowly, and was taken off the stack."""
        done = 0
        with self._catalog:
            while stack and done < STEP:
                listing = stack.pop()
                ino = self._inode(walk, listing.directory.path)
                if ino is None:
                    walk.waiting.add(listing)
                    continue
                if not self._is_known(ino):
                    done += 1 + len(listing.entries)
                    if len(listing.entries) > STEP or not self._surveyor.take_nowait(ino, listing.entries, walk.since):
                        return ino, listing
                stack += walk.waiting.below(listing.directory.path)
        return None

    def _inode(self, walk: Walk, path: bytes) -> Inode | None:
        """The directory that the store had at ``path`` when the walk began; None if it is not known yet."""
        ino = self._catalog.links.directory_at(walk.root, path[len(walk.path) :].lstrip(b"/"))
        return None if ino is None else Inode(ino)

    async def _reveal(self, walk: Walk) -> None:
        """List the directories above those that wait, so that they need not wait any longer."""
        for path in walk.waiting.parents():
            for above in _steps(path, walk.path):
                ino = self._inode(walk, above)
                if ino is None:
                    break
                if not self._is_known(ino):
                    await self._list_directly(ino)
            for listing in walk.waiting.below(path):
                ino = self._inode(walk, listing.directory.path)
                if ino is not None and not self._is_known(ino):
                    await self._surveyor.take(ino, listing.entries, walk.since)
            walk.move_on()


def _steps(path: bytes, root: bytes) -> list[bytes]:
    """The paths from the one below ``root`` down to ``path``, itself included."""
    names = path.split(b"/")
    return [b"/".join(names[: count + 1]) for count in range(root.count(b"/") + bool(root), len(names))]
