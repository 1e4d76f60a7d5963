"""When the store is not as we thought: somebody else changed, replaced or removed what we build upon, or an answer
got lost.

Nothing of theirs or ours is lost; afterwards the catalogue knows the new facts, and the planner thinks again.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.doubts import Doubt
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Merging, Stale
from cloudfs.errors import BrokenAnswer, Incomplete, NotFound, VersionMismatch
from cloudfs.stores.base import Entry, Location, Store
from cloudfs.types import ROOT, Inode
from cloudfs.writeback.conflict import conflict_name
from cloudfs.writeback.plan import Action, Step
from cloudfs.writeback.record import Record, as_known
from cloudfs.writeback.sources import Sources


class Resolver:
    """One method an error: `VersionMismatch`, `NotFound`, `DirectoryNotEmpty`.

    While the store is asked, an application may rename or remove the name in question: what was read of it before is
    where the object is, and what is read after (`_now`) is what is wanted.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        sources: Sources,
        record: Record,
        merging: Merging,
        stale: Callable[[Stale], None],
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._sources = sources
        self._record = record
        self._merging = merging
        self._stale = stale

    async def find_out(self, link: Link, action: Action) -> None:
        """An earlier call for this name was never answered: record what it did, if it did."""
        doubt = self._catalog.doubts.get(link.id)
        if doubt is None:
            return
        entry = await self._outcome(link, doubt)
        if entry is None:
            with self._catalog:
                self._catalog.doubts.end(link.id)
                self._catalog.pieces.recall(link.ino, link.id)
            return
        there = replace(link, parent=doubt.parent, name=doubt.name)
        victim = self._catalog.links.at_place(doubt.parent, doubt.name, link.id)
        content, attrs = (link.at_content, link.at_attrs) if doubt.moves else (doubt.content, doubt.attrs)
        if not self._has_attributes(link, entry):
            attrs = 0
        await self._record.uploaded(there, Action(Step.UPLOAD, replaces=victim), entry, content, attrs)

    def _has_attributes(self, link: Link, entry: Entry) -> bool:
        """Whether an object was given its attributes too: some stores keep those apart from the bytes."""
        node, theirs = self._catalog.nodes.get(link.ino), entry.attributes
        if not self._store.capabilities.attributes:
            return True
        ours = (node.mode, node.uid, node.gid, node.mtime_ns)
        return theirs is not None and (theirs.mode, theirs.uid, theirs.gid, theirs.mtime_ns) == ours

    async def _outcome(self, link: Link, doubt: Doubt) -> Entry | None:
        """The object that a call without an answer made or moved; None if it did not."""
        if not any(directory.stored for directory in self._catalog.links.of_inode(doubt.parent)):
            return None
        place = self._catalog.links.place(doubt.parent, doubt.name)
        entry = await self._find(place)
        node = self._catalog.nodes.get(link.ino)
        if entry is None or entry.is_directory != node.is_directory:
            return None
        if doubt.moves:
            return as_known(entry, link) if await self._is_moved(link, entry, doubt) else None
        if node.is_directory or entry.version == doubt.version:
            return entry
        if link.stored and entry.version == link.version:
            return None
        alike = entry.mtime_ns == doubt.mtime_ns and entry.size == (doubt.size if node.is_regular else entry.size)
        if alike:
            return entry
        same = node.content == doubt.content and await self._is_ours(link, place, entry)
        return entry if same else None

    async def _is_moved(self, link: Link, entry: Entry, doubt: Doubt) -> bool:
        if link.identity:
            return entry.identity == link.identity
        if await self._find(self._catalog.links.location(link)) is not None:
            return False
        return entry.is_directory or entry.size == doubt.size or entry.version == link.version

    async def mismatch(self, link: Link, action: Action) -> None:
        """Somebody else changed what we were about to change, or was there first."""
        if action.step in (Step.DELETE, Step.SET_ATTRIBUTES, Step.MOVE_ASIDE):
            await self._look_again(link)
            return
        assert link.parent is not None and link.name is not None
        place = self._record.place(link, action.replaces)
        theirs = await self._find(place)
        expected = None if action.replaces is None else action.replaces.version
        if (None if theirs is None else theirs.version) == expected:
            await self._look_at_names_of(link)
            return
        if theirs is None:
            self._forget_place(link, action)
            return
        if action.step is Step.UPLOAD and await self._is_ours(link, place, theirs):
            await self._record.uploaded(link, action, theirs, self._catalog.nodes.get(link.ino).content, attrs=0)
        else:
            self._keep_both(link, action, theirs)

    async def _find(self, location: Location) -> Entry | None:
        try:
            return await self._store.stat(location)
        except NotFound:
            return None

    async def _look_at_names_of(self, link: Link) -> None:
        """The place is as we thought, so it is what was to be put there, under this name or another of the file."""
        links = self._catalog.links
        for each in links.of_inode(link.ino):
            is_ours_alone = each.id == link.id or not links.is_claimed(each.id, links.tick)
            if each.stored and is_ours_alone and not self._catalog.nodes.get(each.ino).is_directory:
                there = await self._find(links.location(each))
                if there is None or (there.name, there.version) != (each.at_name, each.version):
                    await self._look_again(each)
                    return
        raise BrokenAnswer("the store has something else than it had a moment ago")

    async def _is_ours(self, link: Link, place: Location, theirs: Entry) -> bool:
        """Whether it is what we sent, when the answer to an earlier upload was lost."""
        node = self._catalog.nodes.get(link.ino)
        if theirs.is_directory or not node.is_regular or theirs.size != node.size:
            return False
        try:
            with self._sources.open(node) as source:
                ours = await self._store.digest(source)
            return bool(ours) and ours == await self._store.checksum(place, theirs.version)
        except (NotFound, VersionMismatch, Incomplete):
            return False  # theirs has changed once more, or what ours is made of is gone

    def _forget_place(self, link: Link, action: Action) -> None:
        with self._catalog:
            if action.replaces is not None:
                self._record.gone(action.replaces)

    def _keep_both(self, link: Link, action: Action, theirs: Entry) -> None:
        """Theirs keeps the name, ours gets another one unless it has one already."""
        parent, name = link.parent, link.name
        assert parent is not None and name is not None
        with self._catalog:
            if action.replaces is not None:
                self._record.gone(action.replaces)
            current = self._now(link)
            if current is not None and (current.parent, current.name) == (parent, name):
                self._rename(link, parent, name)
            self._arrive(parent, theirs, link.id)

    def _now(self, link: Link) -> Link | None:
        return self._catalog.links.get(link.id)

    def _arrive(self, directory: int, theirs: Entry, but: int = 0) -> None:
        """The store has it there: the mount shows it, if the name is free, in both trees."""
        links = self._catalog.links
        known = links.at_place(directory, theirs.name, but) or links.find(directory, theirs.name)
        if known is None and not self._is_doomed(directory):
            self._merging.arrival(Inode(directory), theirs)
            self._stale(Stale(Inode(directory), theirs.name))

    def _is_doomed(self, directory: int) -> bool:
        return directory != ROOT and all(link.doomed for link in self._catalog.links.of_inode(directory))

    def _free_name(self, parent: int, name: bytes, now_ns: int) -> bytes:
        attempt = 0
        while True:
            candidate = conflict_name(name, socket.gethostname(), now_ns, attempt)
            if self._catalog.links.find(parent, candidate) is None:
                return candidate
            attempt += 1

    async def _look_again(self, link: Link) -> None:
        """What the store has there is not what we knew: learn what it is, so that the planner can think again."""
        location = self._catalog.links.location(link)
        theirs = await self._find(location)
        if theirs is None:
            self._record.gone(link)
            return
        current = self._now(link)
        if current is None:
            return
        if not current.doomed and self._catalog.stagings.exists(link.ino):
            self._record.gone(link)  # written to again meanwhile: the upload finds theirs, and keeps both
            return
        with self._catalog:
            self._drop(current)
            if link.at_parent is not None:
                self._arrive(link.at_parent, theirs)

    async def not_empty(self, link: Link) -> None:
        """Somebody put something into a directory that we were to delete: it comes back, with what is theirs."""
        theirs = await self._store.stat(self._catalog.links.location(link))
        directory = link.at_parent
        assert directory is not None
        with self._catalog:
            ours = self._catalog.links.find(directory, theirs.name)
            if ours is not None:
                self._rename(ours, directory, theirs.name)
            self._drop(link)
            self._arrive(directory, theirs)

    def _rename(self, link: Link, parent: Inode, name: bytes) -> None:
        """Theirs has the name, in this directory: ours gets another one (`cloudfs.writeback.conflict`)."""
        now = time.time_ns()
        ours = self._free_name(parent, name, now)
        self._catalog.links.move(link.id, parent, ours, now)
        self._stale(Stale(parent, ours))

    def _drop(self, link: Link) -> None:
        """The row as it is now, and with it a name that was not doomed."""
        self._catalog.links.drop(link.id)
        if link.parent is not None and link.name is not None:
            node = self._catalog.nodes.get(link.ino)
            node.nlink -= 1
            self._catalog.nodes.save(node)
            self._stale(Stale(link.parent, link.name))
        self._catalog.reap(link.ino)

    async def missing(self, link: Link, action: Action) -> None:
        """Something we built upon is gone from the store: find out what, and record it."""
        parent = self._catalog.links.directory(link.parent) if link.parent is not None else None
        other = self._catalog.links.get(action.other) if action.other is not None else None
        for each in (parent, other):
            if each is not None and each.stored and each.ino != ROOT and await self._is_gone(each):
                self._vanished(each)
                return
        is_gone = link.stored and await self._is_gone(link)
        current = self._now(link)
        if current is None or (current.doomed and not is_gone):
            return
        if is_gone:
            self._vanished(current)
        elif action.step is not Step.UPLOAD or self._catalog.stagings.exists(link.ino):
            raise BrokenAnswer("the store misses something that is there")
        elif current.stored:
            await self._look_again(current)
        else:
            await self._find_bytes(current)

    async def _find_bytes(self, link: Link) -> None:
        """They were at the store only, under another name if at all. Who deleted them there deleted this name too."""
        node, names = self._catalog.nodes.get(link.ino), self._catalog.links.of_inode(link.ino)
        holders = [each for each in names if each.stored and each.at_content == node.content]
        for holder in holders:
            if await self._is_gone(holder):
                self._vanished(holder)
                return
        if holders or not node.is_regular or not node.size:
            raise BrokenAnswer("the store misses something that is there")
        current = self._now(link)
        if current is not None and not self._catalog.stagings.exists(link.ino):
            with self._catalog:
                self._drop(current)

    async def _is_gone(self, link: Link) -> bool:
        return await self._find(self._catalog.links.location(link)) is None

    def _vanished(self, link: Link) -> None:
        current = self._now(link)
        if current is None:
            return
        with self._catalog:
            stale = self._merging.vanished(current, certain=True)
        for each in stale:
            self._stale(each)
