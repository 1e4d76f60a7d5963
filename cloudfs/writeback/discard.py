"""Giving up what was never sent: the mount shows again what the store has.

The opposite of the uploader: desired becomes what actual is. Nothing at the store is changed.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Mapping, Sequence

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Merging, Stale
from cloudfs.errors import NotFound, UsageError
from cloudfs.stores.base import Entry, Store
from cloudfs.types import ROOT, Inode, LinkId
from cloudfs.writeback.staging import Staging


class Discard:
    """Undoes unsent changes of names, all of those asked for or none."""

    def __init__(
        self, catalog: Catalog, store: Store, staging: Staging, merging: Merging, stale: Callable[[Stale], None]
    ) -> None:
        self._catalog = catalog
        self._links = catalog.links
        self._store = store
        self._staging = staging
        self._merging = merging
        self._stale = stale

    async def discard(self, chosen: Iterable[LinkId]) -> int:
        """Undo these pending names, and what cannot be told from them; returns how many.

        The other names of a file go with it, and a directory to be deleted comes back with what was in it. Raises
        `UsageError` for what cannot be undone by itself, and store errors if the store does not say what it has.
        """
        rows = self._belonging(chosen)
        generations = {row.ino: self._catalog.nodes.get(row.ino).content for row in rows}
        entries = {row.id: await self._entry(row) for row in rows if row.stored}
        return self._undo(rows, entries, generations)

    def _belonging(self, chosen: Iterable[LinkId]) -> list[Link]:
        """The pending rows among the chosen, and those that have to go with them."""
        found: dict[LinkId, Link] = {}
        waiting = [row for link in chosen if (row := self._links.get(link)) is not None]
        while waiting:
            row = waiting.pop()
            if row.pending_ns is None or row.id in found:
                continue
            found[row.id] = row
            if not self._catalog.nodes.get(row.ino).is_directory:
                waiting += self._links.of_inode(row.ino)
            if row.at_parent not in (None, 0):
                above = self._links.directory(row.at_parent)
                waiting += [above] if above.doomed else []
        return list(found.values())

    async def _entry(self, row: Link) -> Entry | None:
        """What the store has there; None if it has nothing."""
        try:
            return await self._store.stat(self._links.location(row))
        except NotFound:
            return None

    # --- in one transaction, without a pause -------------------------------------------------------------------------

    def _undo(
        self, seen: Sequence[Link], entries: Mapping[LinkId, Entry | None], generations: Mapping[Inode, int]
    ) -> int:
        before = {link.id: link for link in seen}
        rows = [row for link in seen if (row := self._links.get(link.id)) is not None and row.pending_ns is not None]
        for row in rows:
            if self._links.is_busy(row.id):
                raise UsageError(f"{_path(self._links.path(row))} is being stored right now")
            if _actual(row) != _actual(before[row.id]):
                raise UsageError(f"{_path(self._links.path(row))} was stored meanwhile")
            if self._catalog.nodes.get(row.ino).content != generations[row.ino]:
                raise UsageError(f"{_path(self._links.path(row))} was written to meanwhile")
        stale = [Stale(row.parent, row.name) for row in rows if row.parent and row.name]
        directories = {parent for row in rows for parent in (row.parent, row.at_parent) if parent}
        with self._catalog:
            self._take_away(rows)
            self._remove_new_directories([row for row in rows if not row.stored and self._is_directory(row)])
            kept = self._bring_back(rows, entries)
            # Last, because what memory knows of a node does not follow a transaction that fails.
            for row, entry in kept:
                self._take_attributes(row, entry)
            self._recount({row.ino for row in rows} | directories)
        stale += [Stale(row.at_parent, row.at_name) for row in rows if row.at_parent and row.at_name]
        for each in stale:
            self._stale(each)
        return len(rows)

    def _is_directory(self, row: Link) -> bool:
        return self._catalog.nodes.get(row.ino).is_directory

    def _take_away(self, rows: Sequence[Link]) -> None:
        """The desired halves, but of directories that stay where they are or have to be empty first."""
        for row in rows:
            if row.stored and not row.in_place and not row.doomed:
                self._links.detach(row.id)
            elif not row.stored and not self._is_directory(row):
                self._links.doom(row, row.pending_ns or 0)

    def _bring_back(self, rows: Sequence[Link], entries: Mapping[LinkId, Entry | None]) -> list[tuple[Link, Entry]]:
        """Every stored object to its actual place, directories first, those above before those below.

        Returns those that are the same file as before, but for their attributes.
        """
        kept: list[tuple[Link, Entry]] = []
        waiting = [row for row in rows if row.stored]
        while waiting:
            ready = [row for row in waiting if self._is_live(row.at_parent or 0)]
            if not ready:
                raise UsageError(f"{_path(self._links.path(waiting[0]))} cannot come back: its directory is gone")
            for row in [row for row in ready if self._is_directory(row)] or ready:
                entry = self._checked(row, entries[row.id])
                if self._restore(row, entry) and entry is not None:
                    kept.append((row, entry))
                waiting.remove(row)
        return kept

    def _is_live(self, directory: int) -> bool:
        return directory in (0, ROOT) or not self._links.directory(directory).doomed

    def _checked(self, row: Link, entry: Entry | None) -> Entry | None:
        """Raises `UsageError` if the object cannot get its place back."""
        is_directory = self._is_directory(row)
        occupant = self._links.find(row.at_parent, row.at_name) if row.at_parent and row.at_name else None
        if occupant is not None and occupant.id != row.id:
            raise UsageError(f"{_path(self._links.path(occupant))} has the name that another one would get back")
        if is_directory and row.at_parent and self._links.is_inside(row.at_parent, row.ino):
            raise UsageError(f"{_path(self._links.path(row))} cannot come back: it would be inside itself")
        if is_directory and (entry is None or not entry.is_directory):
            raise UsageError(f"{_path(self._links.location(row).path)} is gone from the store")
        return entry

    def _restore(self, row: Link, entry: Entry | None) -> bool:
        """Whether it is the same file as before."""
        node = self._catalog.nodes.get(row.ino)
        unchanged = entry is not None and entry.version == row.version and row.at_content == node.content
        if node.is_directory or (unchanged and not self._may_part(row)):
            self._links.attach(row, node.attrs)
            return True
        # The kernel owns the size of an inode it knows: what has another content is another inode.
        self._links.drop(row.id)
        if entry is not None and row.at_parent:
            self._merging.arrival(row.at_parent, entry)
        return False

    def _may_part(self, row: Link) -> bool:
        """Whether the store may not know yet that this is another name of the same file."""
        if self._store.capabilities.hard_links or row.at_attrs == self._catalog.nodes.get(row.ino).attrs:
            return False
        return len(self._links.of_inode(row.ino)) > 1

    def _take_attributes(self, row: Link, entry: Entry) -> None:
        node = self._catalog.nodes.get(row.ino)
        theirs = self._merging.attributes(entry)
        node.mode = stat.S_IFMT(node.mode) | stat.S_IMODE(theirs.mode)
        node.uid, node.gid, node.mtime_ns, node.link_group = theirs.uid, theirs.gid, theirs.mtime_ns, theirs.link_group
        self._catalog.nodes.save(node)
        self._catalog.xattrs.replace(node.ino, theirs.xattrs)

    def _remove_new_directories(self, rows: list[Link]) -> None:
        while rows:
            empty = [row for row in rows if self._links.is_empty(row.ino) and not self._links.holds_objects(row.ino)]
            if not empty:
                raise UsageError(f"{_path(self._links.path(rows[0]))} is new, and holds what is not to be discarded")
            for row in empty:
                self._links.doom(row, row.pending_ns or 0)
                rows.remove(row)

    def _recount(self, inodes: set[int]) -> None:
        """Link counts follow from the names; what has none is gone, with its bytes, unless it is still open."""
        for ino in inodes:
            try:
                node = self._catalog.nodes.get(ino)
            except NotFound:
                continue
            node.nlink = self._links.count_names(ino, directory=node.is_directory)
            self._catalog.nodes.save(node)
            if node.nlink == 0 and not self._catalog.is_held(ino):
                self._staging.discard(ino)
                self._catalog.reap(ino)


def _actual(row: Link) -> tuple[object, ...]:
    """What the uploader changes when it gets somewhere with a name."""
    return row.at_parent, row.at_name, row.version, row.at_attrs


def _path(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
