"""What the planner has to know of one name: read from the catalogue, and from who has which file open."""

from __future__ import annotations

from collections.abc import Callable

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.writeback.plan import Facts


class FactFinder:
    """``quiet(link)`` says for how many seconds a name should be left alone because its file is in use."""

    def __init__(self, catalog: Catalog, quiet: Callable[[Link], float]) -> None:
        self._catalog = catalog
        self._quiet = quiet

    def find(self, link: Link) -> Facts:
        """All but whether names wait for each other in a ring."""
        links = self._catalog.links
        node = self._catalog.nodes.get(link.ino)
        parent = links.directory(link.parent) if link.parent else None
        inside = self._inside(link.ino) if link.doomed and node.is_directory else None
        occupant = None
        if link.parent is not None and link.name is not None and not link.in_place:
            occupant = links.at_place(link.parent, link.name, link.id)
        return Facts(
            link=link,
            is_directory=node.is_directory,
            content=node.content,
            attrs=node.attrs,
            parent=parent,
            below=self._below(link) if node.is_directory and link.stored and not link.in_place else None,
            occupant=occupant,
            twin=None if node.is_directory or link.doomed else links.holder(link.ino, node.content, link.id),
            inside=inside,
            heir=self._heir(link) if link.doomed else None,
            occupant_heir=self._heir(occupant) if occupant is not None and occupant.doomed else None,
            successor=self._successor(link) if link.doomed and node.is_directory and inside is None else None,
            in_use=link.doomed and self._quiet(link) > 0,
            occupant_in_use=occupant is not None and occupant.doomed and self._quiet(occupant) > 0,
            in_doubt=self._catalog.doubts.get(link.id) is not None,
        )

    def _below(self, link: Link) -> Link | None:
        """What has to get out of a directory before that can get where it is to be: it would be moved into itself."""
        links = self._catalog.links
        above = list(links.actual_ancestors(link.parent or 0))
        if link.ino not in above:
            return None
        between = (links.directory(ino) for ino in above[: above.index(link.ino)])
        return next((directory for directory in between if not directory.in_place), None)

    def _inside(self, directory: int) -> Link | None:
        """What is in a directory's actual place, or may be."""
        doubted = self._catalog.doubts.inside(directory)
        return self._catalog.links.holds_objects(directory) or (doubted and self._catalog.links.get(doubted)) or None

    def _successor(self, doomed: Link) -> Link | None:
        """A new directory that takes over a doomed one as soon as it is asked: wanted there, and nothing holds it up.

        One that is failing may be so for ever: it gets its place made anew when its time comes.
        """
        links = self._catalog.links
        if doomed.at_parent is None or doomed.at_name is None:
            return None
        wanted = links.find(doomed.at_parent, doomed.at_name)
        if wanted is None or wanted.stored or wanted.attempts or wanted.parked:
            return None
        occupant = links.at_place(doomed.at_parent, doomed.at_name, wanted.id)
        if (
            occupant is None
            or occupant.id != doomed.id
            or doomed.version
            or not self._catalog.nodes.get(wanted.ino).is_directory
        ):
            return None
        return wanted

    def _heir(self, doomed: Link) -> Link | None:
        """A name of the same file that needs the object of a doomed name, because nothing else holds its bytes."""
        node = self._catalog.nodes.get(doomed.ino)
        staged = self._catalog.stagings.get(doomed.ino)
        needed = node.content if staged is None else staged.base
        if node.is_directory or node.nlink == 0 or doomed.at_content != needed:
            return None
        other = self._catalog.links.wanted_name(doomed.ino, needed)
        return other if other is None or not other.stored or other.at_content != needed else None
