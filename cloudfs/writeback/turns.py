"""Which names may be worked on at the same time: no two that could step on each other at the store."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cloudfs.catalog.links import Link, Links
from cloudfs.types import LinkId

Place = tuple[int, bytes]
"""A directory's inode and a name in it, at the store."""

Thing = TypeVar("Thing", bound=Hashable)


@dataclass(frozen=True, slots=True)
class _Turn:
    ino: int
    places: frozenset[Place]
    directories: frozenset[int]
    """Every directory on the way to these places: none of them may be rearranged meanwhile."""
    rearranged: frozenset[int]
    """Directories that get another place, other entries all at once, or are deleted."""


class _Users(Generic[Thing]):
    """Who uses what, in the order in which they began. Hundreds of turns are taken at a time: nobody looks at all."""

    def __init__(self) -> None:
        self._users: dict[Thing, dict[LinkId, None]] = {}

    def of(self, things: Iterable[Thing]) -> LinkId | None:
        """One who uses some of these things."""
        return next((next(iter(users)) for thing in things if (users := self._users.get(thing))), None)

    def add(self, link: LinkId, things: Iterable[Thing]) -> None:
        for thing in things:
            self._users.setdefault(thing, {})[link] = None

    def remove(self, link: LinkId, things: Iterable[Thing]) -> None:
        for thing in things:
            users = self._users[thing]
            del users[link]
            if not users:
                del self._users[thing]


class Turns:
    """The names that are being worked on.

    Two of them never share a place. The names of one file take turns: the first is uploaded, then the others are
    links to it or copies of it. While a directory is rearranged (moved, split, taken over, deleted), nothing happens
    inside it, because paths through it change.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self._taken: dict[LinkId, _Turn] = {}
        self._inodes = _Users[int]()
        self._places = _Users[Place]()
        self._directories = _Users[int]()
        self._rearranged = _Users[int]()

    def take(self, link: Link, rearranged: Iterable[int], also: Iterable[Place] = ()) -> LinkId | None:
        """Take the turn of ``link``, unless it has to wait for the one that is returned.

        It needs the place where it is, the one where it is to be, and those of ``also``.
        """
        turn = self._turn(link, rearranged, also)
        other = self._in_the_way(turn)
        if other is not None:
            return other
        self._taken[link.id] = turn
        self._inodes.add(link.id, [turn.ino])
        self._places.add(link.id, turn.places)
        self._directories.add(link.id, turn.directories)
        self._rearranged.add(link.id, turn.rearranged)
        return None

    def give_back(self, link: Link) -> frozenset[Place]:
        """Done; returns the places that may have changed."""
        turn = self._taken.pop(link.id)
        self._inodes.remove(link.id, [turn.ino])
        self._places.remove(link.id, turn.places)
        self._directories.remove(link.id, turn.directories)
        self._rearranged.remove(link.id, turn.rearranged)
        return turn.places

    def _in_the_way(self, turn: _Turn) -> LinkId | None:
        for users, things in (
            (self._inodes, [turn.ino]),
            (self._rearranged, turn.directories),
            (self._directories, turn.rearranged),
        ):
            if (other := users.of(things)) is not None:
                return other
        return self._places.of(turn.places)

    def _turn(self, link: Link, rearranged: Iterable[int], also: Iterable[Place]) -> _Turn:
        halves = ((link.at_parent, link.at_name), (link.parent, link.name), *also)
        places = frozenset((parent, name) for parent, name in halves if parent is not None and name is not None)
        directories = frozenset(ino for parent, _name in places for ino in self._links.actual_ancestors(parent))
        return _Turn(link.ino, places, directories, frozenset(rearranged))
