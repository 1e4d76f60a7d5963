"""What a listing of the store changes in the catalogue: new, changed and vanished objects.

What this mount itself touches at the same time (`Links.is_claimed`, and names that are pending) is left alone: the
uploader finds out what is the matter with those when it gets to them. `cloudfs.catalog.survey` merges whole listings.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.nodes import Node
from cloudfs.stores.base import Entry
from cloudfs.types import ROOT, Attributes, Inode


@dataclass(frozen=True, slots=True)
class Defaults:
    """The attributes that the mount shows for what has none at the store."""

    uid: int
    gid: int
    umask: int

    def attributes(self, entry: Entry) -> Attributes:
        mode = stat.S_IFDIR | 0o777 if entry.is_directory else stat.S_IFREG | 0o666
        return Attributes(mode & ~self.umask, self.uid, self.gid, entry.mtime_ns)


@dataclass(frozen=True, slots=True)
class Stale:
    """A name that the kernel may remember wrongly."""

    parent: Inode
    name: bytes


class Merging:
    """Brings what the store said into the catalogue."""

    def __init__(self, catalog: Catalog, defaults: Defaults) -> None:
        self._catalog = catalog
        self._defaults = defaults

    def root(self, entry: Entry) -> None:
        """What the store says of the root itself, in a catalogue that has not changed it."""
        node = self._catalog.nodes.get(ROOT)
        theirs = entry.attributes
        if theirs is None or node.attrs != 1:
            return
        node.mode = stat.S_IFDIR | stat.S_IMODE(theirs.mode)
        node.uid, node.gid, node.mtime_ns = theirs.uid, theirs.gid, theirs.mtime_ns
        with self._catalog:
            self._catalog.nodes.save(node)

    def attributes(self, entry: Entry) -> Attributes:
        """Those the mount shows of an object of the store."""
        return entry.attributes or self._defaults.attributes(entry)

    def arrival(self, directory: Inode, entry: Entry) -> Sequence[Stale]:
        """One object that is not in the catalogue, under a name that is free in the desired tree."""
        self._arrive(directory, entry)
        return [Stale(directory, entry.name)]

    def row(self, directory: Inode, entry: Entry, link: Link | None, since: int) -> Sequence[Stale]:
        """One row of a listing begun at `Links.tick` ``since``; ``link`` is what is known to be in its place."""
        if link is None:
            if self._catalog.links.find(directory, entry.name) is not None:
                return ()
            return self.arrival(directory, entry)
        if link.doomed or self._catalog.links.is_claimed(link.id, since):
            return ()
        node = self._catalog.nodes.get(link.ino)
        if self.differs(link, entry):
            return self._changed(directory, entry, link, node)
        if entry.attributes is not None and link.pending_ns is None:
            return self._attributes(entry.attributes, link, node)
        return ()

    def differs(self, link: Link, entry: Entry) -> bool:
        """Whether it is another object, or has other bytes, than what is known of its place."""
        return link.version != entry.version or self._catalog.nodes.get(link.ino).is_directory != entry.is_directory

    def _changed(self, directory: Inode, entry: Entry, link: Link, node: Node) -> Sequence[Stale]:
        """Somebody else wrote the file: it gets a new inode, because the kernel owns the size of the old one."""
        if link.pending_ns is not None or not link.in_place or self._catalog.stagings.exists(node.ino):
            return ()
        if node.is_directory and not self._catalog.links.is_empty(node.ino):
            return ()
        self._unname(link, node)
        self._arrive(directory, entry)
        return [Stale(directory, entry.name)]

    def _attributes(self, theirs: Attributes, link: Link, node: Node) -> Sequence[Stale]:
        """Somebody else changed mode, owner or times; the bytes are the same."""
        same = (node.mode, node.uid, node.gid, node.mtime_ns) == (theirs.mode, theirs.uid, theirs.gid, theirs.mtime_ns)
        if same or link.at_attrs != node.attrs or stat.S_IFMT(node.mode) != stat.S_IFMT(theirs.mode):
            return ()
        node.mode, node.uid, node.gid, node.mtime_ns = theirs.mode, theirs.uid, theirs.gid, theirs.mtime_ns
        node.ctime_ns = time.time_ns()
        self._catalog.nodes.save(node)
        assert link.parent is not None and link.name is not None
        return [Stale(link.parent, link.name)]

    def vanished(self, link: Link, since: int | None = None, *, certain: bool = False) -> list[Stale]:
        """The store does not have it any more, with all that was inside; it was looked for at `Links.tick` ``since``.

        What was changed here since is kept, and stored again. ``certain``: it was the uploader that looked for it.
        """
        catalog = self._catalog
        since = catalog.links.tick if since is None else since
        if catalog.links.is_claimed(link.id, since) and not certain:
            return []
        node = catalog.nodes.get(link.ino)
        stale: list[Stale] = []
        if node.is_directory:
            for inside in catalog.links.stored_in(link.ino):
                stale += self.vanished(inside, since)
        has_new_names = node.is_directory and not catalog.links.is_empty(link.ino)
        if node.is_directory and catalog.links.holds_objects(link.ino) and not (certain and has_new_names):
            return stale  # what is inside may be on its way out, by a call that is not answered: the next listing knows
        keep = link.doomed or catalog.stagings.exists(link.ino) or not (link.in_place or node.is_directory)
        if keep or has_new_names:
            catalog.links.absent(link.id)
            if not link.doomed:
                catalog.links.touch(link.ino, time.time_ns())
            catalog.reap(link.ino)
        else:
            assert link.parent is not None and link.name is not None
            stale.append(Stale(link.parent, link.name))
            self._unname(link, node)
        return stale

    def _unname(self, link: Link, node: Node) -> None:
        """Take a name away without asking the store for anything: it did it already."""
        self._catalog.links.drop(link.id)
        if node.is_directory:
            node.nlink = 0
            assert link.parent is not None
            parent = self._catalog.nodes.get(link.parent)
            parent.nlink -= 1
            self._catalog.nodes.save(parent)
        else:
            node.nlink -= 1
        self._catalog.nodes.save(node)
        self._catalog.reap(node.ino)

    def _arrive(self, directory: Inode, entry: Entry) -> None:
        catalog = self._catalog
        attributes = self.attributes(entry)
        twin = self._twin(entry, attributes)
        if twin is not None:
            self._another_name(directory, entry, *twin)
            return
        node = catalog.nodes.insert(
            mode=attributes.mode,
            uid=attributes.uid,
            gid=attributes.gid,
            mtime_ns=attributes.mtime_ns,
            now_ns=attributes.mtime_ns,
            rdev=attributes.rdev,
            size=len(attributes.target) if stat.S_ISLNK(attributes.mode) else entry.size,
            target=attributes.target or None,
            link_group=attributes.link_group,
        )
        for name, value in attributes.xattrs:
            catalog.xattrs.set(node.ino, name, value)
        catalog.links.known_from_store(directory, entry.name, node.ino, entry, node.content, node.attrs)
        if node.is_directory:
            parent = catalog.nodes.get(directory)
            parent.nlink += 1
            catalog.nodes.save(parent)

    def _another_name(self, directory: Inode, entry: Entry, node: Node, content: int, attrs: int) -> None:
        """A hard-linked name turned up; what was changed here through another name is changed here too."""
        node.nlink += 1
        self._catalog.nodes.save(node)
        link = self._catalog.links.known_from_store(directory, entry.name, node.ino, entry, content, attrs)
        if (content, attrs) != (node.content, node.attrs):
            self._catalog.pending.start(link, time.time_ns())

    def _twin(self, entry: Entry, attributes: Attributes) -> tuple[Node, int, int] | None:
        """The inode of which this is another hard-linked name, and the generations that the object holds."""
        if not attributes.link_group or entry.is_directory:
            return None
        node = self._catalog.nodes.in_group(attributes.link_group)
        if node is None:
            return None
        for link in self._catalog.links.of_inode(node.ino):
            if link.stored and link.version == entry.version:
                return node, link.at_content, link.at_attrs
        size = len(attributes.target) if stat.S_ISLNK(attributes.mode) else entry.size
        alike = (node.size, node.mtime_ns, node.mode) == (size, attributes.mtime_ns, attributes.mode)
        if alike and not self._catalog.stagings.exists(node.ino):
            return node, node.content, node.attrs
        return None
