"""What the store tells of changes, object by object, brought into the catalogue by the identities of the objects.

An object that others moved takes its inode along, and a directory all that is in it. Where the news contradict what
this mount did at the same time, or in the last minutes, they may be older than that: then the directories concerned are
listed again instead (`cloudfs.catalog.survey` finds out who is right).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Merging, Stale
from cloudfs.stores.base import Change, Entry, is_possible
from cloudfs.types import NAME_MAX, ROOT, Inode

LONG_AGO = 1
"""A directory that was listed then is to be listed again (ns since the epoch)."""


class News:
    """Applies changes. For stores with `Capabilities.stable_identities`."""

    def __init__(self, catalog: Catalog, merging: Merging) -> None:
        self._catalog = catalog
        self._links = catalog.links
        self._recent = catalog.links.recent
        self._merging = merging

    def apply(self, changes: Iterable[Change], since: int) -> list[Stale]:
        """Everything that was told in answer to one question, asked at `Links.tick` ``since``, in one transaction."""
        present: list[Change] = []
        gone_files: list[Change] = []
        gone_directories: list[Change] = []
        for change in changes:
            if change.entry is not None:
                present.append(change)
            else:
                (gone_files if self._directory(change.identity) is None else gone_directories).append(change)
        # A file is gone before others have its name. A directory is there before what was moved into it, and gone
        # after what was moved out of it.
        present.sort(key=lambda change: change.entry is not None and not change.entry.is_directory)
        stale: list[Stale] = []
        with self._catalog:
            for change in gone_files:
                stale += self._gone(change, since)
            moving = self._leave(present, since, stale)
            for change in present:
                stale += self._present(change, moving, since)
            for change in gone_directories:
                stale += self._gone(change, since)
        return stale

    # --- one object --------------------------------------------------------------------------------------------------

    def _present(self, change: Change, moving: dict[int, Link], since: int) -> Sequence[Stale]:
        entry = change.entry
        if entry is None or not is_possible(entry):
            return ()
        link, parent = self._links.by_identity(change.identity), self._directory(change.parent_identity)
        if link is None:
            return self._unknown(entry, parent, since)
        if link.id in moving:
            return self._arrive(moving[link.id], link, entry, parent, since)
        if (link.at_parent, link.at_name) != (parent, entry.name) or self._is_contradicted(link, entry, since):
            self._list_again(link.at_parent, parent)
            return ()
        assert parent is not None
        return self._merging.row(parent, entry, link, since)

    def _unknown(self, entry: Entry, parent: Inode | None, since: int) -> Sequence[Stale]:
        """An object that is not in the catalogue. In a directory that was never listed, it need not be."""
        if parent is None or self._catalog.nodes.get(parent).listed_ns is None or self._is_removed(parent):
            return ()
        if self._links.touched_since(parent, entry.name, since) or self._recent.has(parent, entry.name):
            known = self._links.at(parent, entry.name)
            if known is None or known.version != entry.version:
                self._list_again(parent)
            return ()
        return self._merging.row(parent, entry, self._links.at(parent, entry.name), since)

    def _is_contradicted(self, link: Link, entry: Entry, since: int) -> bool:
        """Whether this mount does something else with it, or did so lately."""
        return self._merging.differs(link, entry) and self._is_ours(link, since)

    def _gone(self, change: Change, since: int) -> Sequence[Stale]:
        link = self._links.by_identity(change.identity)
        if link is None or link.ino == ROOT:
            return ()
        return self._vanish(link, since)

    def _vanish(self, link: Link, since: int) -> Sequence[Stale]:
        stale = self._merging.vanished(link, since)
        left = self._links.get(link.id)
        if left is not None and left.stored:
            self._list_again(left.at_parent)  # it is being worked on, or what is inside: nobody will tell us again
        return stale

    def _is_removed(self, directory: Inode) -> bool:
        """Whether it is to be deleted: if others put something into it, the uploader finds that."""
        return bool(self._catalog.nodes.get(directory).nlink == 0)

    # --- moves -------------------------------------------------------------------------------------------------------

    def _leave(self, changes: Iterable[Change], since: int, stale: list[Stale]) -> dict[int, Link]:
        """What has another place by now gives up the one it had, so that it does not matter who moves first.

        Returns the links as they were.
        """
        moving: dict[int, Link] = {}
        for change in changes:
            link = self._links.by_identity(change.identity)
            if link is None or link.ino == ROOT or change.entry is None or self._is_ours(link, since):
                continue
            if (link.at_parent, link.at_name) == (self._directory(change.parent_identity), change.entry.name):
                continue
            moving[link.id] = link
            assert link.at_parent is not None
            if link.in_place and link.name is not None:
                stale.append(Stale(link.at_parent, link.name))
                self._links.replace(link.id, link.at_parent, _nowhere(link), both=True)
        return moving

    def _is_ours(self, link: Link, since: int) -> bool:
        """Whether this mount is working on it, or has done so lately."""
        assert link.at_parent is not None and link.at_name is not None
        return self._links.is_claimed(link.id, since) or self._recent.has(link.at_parent, link.at_name)

    def _arrive(self, old: Link, link: Link, entry: Entry, parent: Inode | None, since: int) -> Sequence[Stale]:
        """Into its new place, which was moved from where it is in ``old``."""
        if parent is None or (old.in_place and self._is_removed(parent)):
            return self._vanish(self._go_back(old), since)
        if not old.in_place:
            self._links.replace(link.id, parent, entry.name, both=False)
            return ()
        taken = self._links.find(parent, entry.name) is not None
        if taken or self._links.is_inside(parent, link.ino):
            self._go_back(old)
            self._list_again(old.at_parent, parent)
            return ()
        self._links.replace(link.id, parent, entry.name, both=True)
        self._count_directory(old, parent)
        current = self._links.get(link.id)
        assert current is not None
        return [Stale(parent, entry.name), *self._merging.row(parent, entry, current, since)]

    def _go_back(self, old: Link) -> Link:
        """To where it was, until a listing tells where it is; returns it. Another one may have come there meanwhile."""
        if not old.in_place:
            return old
        assert old.at_parent is not None and old.at_name is not None
        name = self._free_name(old.at_parent, old.at_name)
        self._links.replace(old.id, old.at_parent, name, both=True)
        return replace(old, name=name, at_name=name)

    def _free_name(self, directory: Inode, name: bytes) -> bytes:
        """The name, or one like it that nothing has in either tree."""
        if self._links.find(directory, name) is None:
            return name
        stem = name[: NAME_MAX - 40].decode(errors="ignore").encode()
        candidates = (b"%b (moved %d)" % (stem, number) for number in count(1))
        return next(each for each in candidates if not self._is_taken(directory, each))

    def _is_taken(self, directory: Inode, name: bytes) -> bool:
        return bool(self._links.find(directory, name) or self._links.at(directory, name))

    def _count_directory(self, old: Link, parent: Inode) -> None:
        if old.at_parent is None or old.at_parent == parent or not self._catalog.nodes.get(old.ino).is_directory:
            return
        for ino, change in ((old.at_parent, -1), (parent, 1)):
            node = self._catalog.nodes.get(ino)
            node.nlink += change
            self._catalog.nodes.save(node)

    # --- directories -------------------------------------------------------------------------------------------------

    def _directory(self, identity: str) -> Inode | None:
        link = self._links.by_identity(identity) if identity else None
        if link is None or not self._catalog.nodes.get(link.ino).is_directory:
            return None
        return link.ino

    def _list_again(self, *directories: int | None) -> None:
        for ino in directories:
            if ino is not None:
                node = self._catalog.nodes.get(ino)
                if node.listed_ns is not None:
                    node.listed_ns = LONG_AGO
                    self._catalog.nodes.save(node)


def _nowhere(link: Link) -> bytes:
    """No name of an entry can contain a slash, so this one is free."""
    return b"/%d" % link.id
