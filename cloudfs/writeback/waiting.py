"""Which names wait for which: a file for its directory, a name for the object that is still in its place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from cloudfs.types import LinkId


class Waiting:
    """Every name waits for at most one other. Plain data: who waits is not asked again before it is woken.

    ``held_up`` are names that would wait for one that is failing, or in use: they have another look when that one has.
    """

    def __init__(self) -> None:
        self.held_up: dict[LinkId, LinkId] = {}
        self._for: dict[LinkId, LinkId] = {}
        self._waiters: defaultdict[LinkId, set[LinkId]] = defaultdict(set)

    def __contains__(self, link: LinkId) -> bool:
        return link in self._for

    def __len__(self) -> int:
        return len(self._for)

    def is_awaited(self, link: LinkId) -> bool:
        """Whether somebody waits for ``link``."""
        return bool(self._waiters.get(link))

    def begin(self, link: LinkId, other: LinkId) -> None:
        """``link`` waits for ``other`` from now on."""
        self._for[link] = other
        self._waiters[other].add(link)

    def end(self, link: LinkId) -> None:
        """``link`` may be asked again."""
        other = self._for.pop(link, None)
        if other is not None:
            self._waiters[other].discard(link)

    def wake(self, other: LinkId) -> None:
        """``other`` got somewhere: all that waited for it may be asked again."""
        for waiter in self._waiters.pop(other, ()):
            self._for.pop(waiter, None)

    def hold_up(self, other: LinkId) -> list[LinkId]:
        """All that waited for ``other`` are held up by it from now on; who that is."""
        waiters = list(self._waiters.pop(other, ()))
        for waiter in waiters:
            self._for.pop(waiter, None)
            self.held_up[waiter] = other
        return waiters

    def gone(self, links: Iterable[LinkId]) -> None:
        """Names that do not exist any more wait for nothing, and nobody waits for them."""
        for link in links:
            self.held_up.pop(link, None)
            self.end(link)
            self.wake(link)

    def ahead_of(self, link: LinkId) -> list[LinkId]:
        """What ``link`` waits for or is held up by, what that one waits for, and so on."""
        found: list[LinkId] = []
        while (other := self._for.get(link) or self.held_up.get(link)) is not None and other not in found:
            found.append(other)
            link = other
        return found

    def is_ring(self, link: LinkId, other: LinkId) -> bool:
        """Whether ``other`` waits for ``link`` or is held up by it, itself or through others."""
        return link == other or link in self.ahead_of(other)
