"""Which names may be worked on at the same time: no two that could step on each other at the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cloudfs.catalog.links import Link, Links
from cloudfs.types import LinkId

Place = tuple[int, bytes]
"""A directory's inode and a name in it, at the store."""


@dataclass(frozen=True, slots=True)
class _Turn:
    ino: int
    places: frozenset[Place]
    directories: frozenset[int]
    """Every directory on the way to these places: none of them may be rearranged meanwhile."""
    rearranged: frozenset[int]
    """Directories that get another place, other entries all at once, or are deleted."""


class Turns:
    """The names that are being worked on.

    Two of them never share a place. The names of one file take turns: the first is uploaded, then the others are
    links to it or copies of it. While a directory is rearranged (moved, split, taken over, deleted), nothing happens
    inside it, because paths through it change.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self._taken: dict[LinkId, _Turn] = {}

    def take(self, link: Link, rearranged: Iterable[int], also: Iterable[Place] = ()) -> LinkId | None:
        """Take the turn of ``link``, unless it has to wait for the one that is returned.

        It needs the place where it is, the one where it is to be, and those of ``also``.
        """
        turn = self._turn(link, rearranged, also)
        for other_id, other in self._taken.items():
            if _collide(turn, other):
                return other_id
        self._taken[link.id] = turn
        return None

    def give_back(self, link: Link) -> frozenset[Place]:
        """Done; returns the places that may have changed."""
        return self._taken.pop(link.id).places

    def _turn(self, link: Link, rearranged: Iterable[int], also: Iterable[Place]) -> _Turn:
        halves = ((link.at_parent, link.at_name), (link.parent, link.name), *also)
        places = frozenset((parent, name) for parent, name in halves if parent is not None and name is not None)
        directories = frozenset(ino for parent, _name in places for ino in self._links.actual_ancestors(parent))
        return _Turn(link.ino, places, directories, frozenset(rearranged))


def _collide(one: _Turn, other: _Turn) -> bool:
    if one.ino == other.ino or not one.places.isdisjoint(other.places):
        return True
    return not (one.rearranged.isdisjoint(other.directories) and other.rearranged.isdisjoint(one.directories))
