"""Carries out one action of the plan at the store, and records what came of it."""

from __future__ import annotations

import contextlib
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import trio

from cloudfs.cache.sums import Sums
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Merging, Stale
from cloudfs.catalog.nodes import Node
from cloudfs.catalog.stagings import StagedRow
from cloudfs.errors import DirectoryNotEmpty, Incomplete, NotFound, VersionMismatch
from cloudfs.stores.base import Entry, Location, Source, Store
from cloudfs.types import ROOT, LinkId, Version
from cloudfs.writeback.conflict import conflict_name
from cloudfs.writeback.contents import CommittedSource, Contents, EmptySource, StagedSource
from cloudfs.writeback.extents import Extents
from cloudfs.writeback.plan import Action, Step, aside_name
from cloudfs.writeback.staging import Staged, Staging


@dataclass
class Sending:
    """An upload in progress, as ``status`` shows it, and what the store remembers of it. The store's `Transfer`."""

    path: bytes
    size: int
    done: int
    _catalog: Catalog
    _link: LinkId
    _content: int

    _meter: Callable[[int], None]

    def advance(self, sent: int) -> None:
        self.done += sent
        self._meter(sent)

    def recall(self) -> bytes | None:
        return self._catalog.memos.recall(self._link, self._content)

    def remember(self, memo: bytes) -> None:
        with self._catalog:
            self._catalog.memos.remember(self._link, self._content, memo)


class Performer:
    """One method a step. Each reads what it needs, awaits the store once, and records the outcome in one transaction.

    Raises what the store raises, except `VersionMismatch` and `NotFound`, which it resolves: afterwards the planner
    sees the new facts.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        contents: Contents,
        staging: Staging,
        merging: Merging,
        stale: Callable[[Stale], None],
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._contents = contents
        self._staging = staging
        self._merging = merging
        self._stale = stale
        self.sending: dict[LinkId, Sending] = {}
        self.progress = 0
        """Bytes sent since the start, of uploads finished and under way."""
        self._steps = {
            Step.MAKE_DIRECTORY: self._make_directory,
            Step.UPLOAD: self._upload,
            Step.LINK: self._link,
            Step.COPY: self._copy,
            Step.SET_ATTRIBUTES: self._set_attributes,
            Step.MOVE: self._move,
            Step.MOVE_ASIDE: self._move_aside,
            Step.DELETE: self._delete,
        }

    async def perform(self, link: Link, action: Action) -> None:
        """Do ``action`` for ``link``, a step that needs the store."""
        try:
            await self._steps[action.step](link, action)
        except VersionMismatch:
            await self._resolve_mismatch(link, action)
        except NotFound:
            await self._resolve_missing(link, action)
        except DirectoryNotEmpty:
            await self._keep_directory(link)

    def perform_here(self, link: Link, action: Action) -> None:
        """Do a step that concerns the catalogue only."""
        with self._catalog:
            if action.step is Step.SPLIT:
                self._split(link)
            elif action.step is Step.TAKE_OVER and action.other is not None:
                self._take_over(link, action.other)
            elif action.step is Step.FORGET:
                self._catalog.links.drop(link.id)
                self._catalog.reap(link.ino)
            elif action.step is Step.DONE:
                self._catalog.links.settle(link.id)

    def _count(self, sent: int) -> None:
        self.progress += sent

    # --- the steps -----------------------------------------------------------------------------------------------

    async def _make_directory(self, link: Link, action: Action) -> None:
        node = self._catalog.nodes.get(link.ino)
        attrs = node.attrs
        place = self._place(link)
        entry = await self._store.make_directory(place, node.attributes(self._catalog.xattrs.all(link.ino)))
        with self._catalog:
            self._stored(link, entry, content=1, attrs=attrs)
            self._catalog.pending.hasten_children(link.ino, time.time_ns())

    async def _upload(self, link: Link, action: Action) -> None:
        node = self._catalog.nodes.get(link.ino)
        content, attrs = node.content, node.attrs
        attributes = node.attributes(self._catalog.xattrs.all(link.ino))
        place = self._place(link, action.replaces)
        sending = Sending(self._catalog.links.path(link), node.size, 0, self._catalog, link.id, content, self._count)
        with self._source(node, link) as source:
            self.sending[link.id] = sending
            try:
                entry = await self._store.put(
                    place, source, attributes, replaces=_version(action.replaces), transfer=sending
                )
            finally:
                del self.sending[link.id]
        sums = source.sums if isinstance(source, StagedSource) else None
        await self._uploaded(link, action, entry, content, attrs, sums)

    async def _uploaded(
        self, link: Link, action: Action, entry: Entry, content: int, attrs: int, sums: Sums | None = None
    ) -> None:
        with self._catalog:
            self._replaced(link, action)
            self._catalog.memos.forget(link.id)
            self._stored(link, entry, content, attrs)
            row = self._catalog.stagings.get(link.ino)
            confirmed = row is not None and self._catalog.nodes.get(link.ino).content == content
            if confirmed:
                self._catalog.stagings.remove(link.ino)
        if row is not None and confirmed:
            await self._adopt(row, content, sums)

    async def _adopt(self, row: StagedRow, content: int, sums: Sums | None) -> None:
        """The staged file, whose bytes the store has by now, becomes a cached file."""
        cache = self._contents.cache
        size = self._catalog.nodes.get(row.ino).size
        key, path = self._contents.key(row.ino, content), self._staging.path(row.file)
        self._staging.give_up(row.ino, row.file)
        if not row.base:
            cache.adopt(key, size, path, sums)
        elif Extents(row.extents).covers(row.visible, size):
            old = self._contents.key(row.ino, row.base)
            await trio.to_thread.run_sync(cache.adopt_patch, old, key, size, path, row.extents, sums)
        else:
            # Zeros where the base had been cut off are not in the staged file: fetching is simpler than patching.
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _source(self, node: Node, link: Link) -> Iterator[Source]:
        """The bytes to send, for as long as it takes."""
        if not node.is_regular:
            yield EmptySource()
            return
        try:
            staged = self._staging.acquire(node.ino)
        except FileNotFoundError:
            raise Incomplete("the bytes that were to be stored are missing from the staging directory") from None
        if staged is None:
            content = self._contents.open(node.ino, node.content, node.size)
            try:
                yield CommittedSource(content)
            finally:
                content.close()
            return
        try:
            with self._claimed(staged, node) as source:
                yield source
        finally:
            self._staging.release(staged)

    @contextlib.contextmanager
    def _claimed(self, staged: Staged, node: Node) -> Iterator[StagedSource]:
        if staged.damaged:
            raise Incomplete(staged.damaged)
        if staged.is_short(node.size):
            raise Incomplete("the end of the file was lost in a power cut before it was synced; write it again")
        base = self._contents.open(node.ino, staged.base, staged.visible) if staged.base else None
        source = StagedSource(staged, node.size, base)
        scope = trio.CancelScope()

        def revoke() -> None:
            source.revoke()
            scope.cancel()

        with self._catalog:
            staged.writing = False
            self._staging.save(staged)
            if node.modified:
                self._catalog.nodes.save(node)
        staged.claim(revoke)
        try:
            with scope:
                yield source
            if scope.cancelled_caught:
                source.check()
        finally:
            staged.unclaim()
            if base is not None:
                base.close()

    async def _link(self, link: Link, action: Action) -> None:
        twin = self._other(action)
        place = self._place(link, action.replaces)
        entry = await self._store.link(self._catalog.links.location(twin), place, replaces=_version(action.replaces))
        with self._catalog:
            self._replaced(link, action)
            self._stored(link, entry, twin.at_content, twin.at_attrs)

    async def _copy(self, link: Link, action: Action) -> None:
        twin = self._other(action)
        node = self._catalog.nodes.get(link.ino)
        attrs = node.attrs
        entry = await self._store.copy(
            self._catalog.links.location(twin),
            twin.version,
            self._place(link, action.replaces),
            node.attributes(self._catalog.xattrs.all(link.ino)),
            replaces=_version(action.replaces),
        )
        with self._catalog:
            self._replaced(link, action)
            self._stored(link, entry, twin.at_content, attrs)

    async def _set_attributes(self, link: Link, action: Action) -> None:
        node = self._catalog.nodes.get(link.ino)
        attrs = node.attrs
        location = self._catalog.links.location(link)
        attributes = node.attributes(self._catalog.xattrs.all(link.ino))
        entry = await self._store.set_attributes(location, link.version, attributes)
        assert link.at_parent is not None and link.at_name is not None
        with self._catalog:
            self._catalog.links.stored(link.id, link.at_parent, link.at_name, entry, link.at_content, attrs)
            if self._store.capabilities.hard_links and not node.is_directory:
                self._catalog.links.same_object(link.ino, link.at_content, entry.version, attrs)

    async def _move(self, link: Link, action: Action) -> None:
        entry = await self._store.move(
            self._catalog.links.location(link), self._place(link, action.replaces), replaces=_version(action.replaces)
        )
        with self._catalog:
            self._replaced(link, action)
            self._stored(link, entry, link.at_content, link.at_attrs)

    async def _move_aside(self, link: Link, action: Action) -> None:
        name = aside_name(link.id)
        place = self._catalog.links.place(ROOT, name)
        entry = await self._store.move(self._catalog.links.location(link), place)
        with self._catalog:
            self._catalog.links.stored(link.id, ROOT, name, entry, link.at_content, link.at_attrs)

    async def _delete(self, link: Link, action: Action) -> None:
        node = self._catalog.nodes.get(link.ino)
        version = None if node.is_directory else link.version
        await self._store.delete(self._catalog.links.location(link), version)
        self._gone(link)

    def _split(self, link: Link) -> None:
        now = time.time_ns()
        ghost = self._catalog.nodes.insert(mode=stat.S_IFDIR | 0o700, uid=0, gid=0, mtime_ns=now, now_ns=now)
        ghost.nlink = 0
        self._catalog.nodes.save(ghost)
        self._catalog.links.split_off(link, ghost.ino, now)

    def _take_over(self, link: Link, other: LinkId) -> None:
        doomed = self._catalog.links.get(other)
        if doomed is not None and doomed.doomed:
            self._catalog.links.take_directory(link, doomed, time.time_ns())
            self._catalog.reap(doomed.ino)

    # --- recording -----------------------------------------------------------------------------------------------

    def _place(self, link: Link, replaces: Link | None = None) -> Location:
        """The desired place, with the identity of what is to be replaced there."""
        assert link.parent is not None and link.name is not None
        place = self._catalog.links.place(link.parent, link.name)
        return Location(place.path, replaces.identity if replaces else "", place.parent_identity)

    def _other(self, action: Action) -> Link:
        other = self._catalog.links.get(action.other) if action.other is not None else None
        if other is None or not other.stored:
            raise NotFound("the other name is gone")
        return other

    def _stored(self, link: Link, entry: Entry, content: int, attrs: int) -> None:
        assert link.parent is not None and link.name is not None
        self._catalog.links.stored(link.id, link.parent, link.name, entry, content, attrs)

    def _replaced(self, link: Link, action: Action) -> None:
        """What was in the place is gone, unless it was an older content of the same name."""
        if action.replaces is not None and action.replaces.id != link.id:
            self._gone(action.replaces)

    def _gone(self, link: Link) -> None:
        with self._catalog:
            self._catalog.links.absent(link.id)
            self._catalog.reap(link.ino)

    # --- when the store is not as we thought -------------------------------------------------------------------------

    async def _resolve_mismatch(self, link: Link, action: Action) -> None:
        """Somebody else changed what we were about to change: nothing of theirs or ours is lost."""
        if action.step in (Step.DELETE, Step.SET_ATTRIBUTES, Step.MOVE_ASIDE):
            await self._look_again(link)
            return
        place = self._place(link, action.replaces)
        try:
            theirs = await self._store.stat(place)
        except NotFound:
            self._forget_place(link, action)
            return
        if action.step is Step.UPLOAD and await self._is_ours(link, place, theirs):
            await self._uploaded(link, action, theirs, self._catalog.nodes.get(link.ino).content, attrs=0)
        else:
            self._keep_both(link, action, theirs)

    async def _is_ours(self, link: Link, place: Location, theirs: Entry) -> bool:
        """Whether it is what we sent, when the answer to an earlier upload was lost."""
        node = self._catalog.nodes.get(link.ino)
        if theirs.is_directory or not node.is_regular or theirs.size != node.size:
            return False
        with self._source(node, link) as source:
            ours = await self._store.digest(source)
        return bool(ours) and ours == await self._store.checksum(place, theirs.version)

    def _forget_place(self, link: Link, action: Action) -> None:
        with self._catalog:
            if action.replaces is not None:
                self._gone(action.replaces)

    def _keep_both(self, link: Link, action: Action, theirs: Entry) -> None:
        """Theirs keeps the name, ours gets another one (`cloudfs.writeback.conflict`)."""
        current = self._catalog.links.get(link.id)
        if current is None or current.parent is None or current.name is None:
            return
        parent, name = current.parent, current.name
        now = time.time_ns()
        with self._catalog:
            if action.replaces is not None:
                self._gone(action.replaces)
            ours = self._free_name(parent, name, now)
            self._catalog.links.move(link.id, parent, ours, now)
            if self._catalog.links.at_place(parent, name, link.id) is None:
                self._merging.arrival(parent, theirs)
        self._stale(Stale(parent, name))
        self._stale(Stale(parent, ours))

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
        try:
            theirs = await self._store.stat(location)
        except NotFound:
            self._gone(link)
            return
        with self._catalog:
            self._catalog.links.drop(link.id)
            self._drop_name(link)
            if link.at_parent is not None and self._catalog.links.find(link.at_parent, theirs.name) is None:
                self._merging.arrival(link.at_parent, theirs)
                self._stale(Stale(link.at_parent, theirs.name))
            self._catalog.reap(link.ino)

    async def _keep_directory(self, link: Link) -> None:
        """Somebody put something into a directory that we were to delete: it comes back, with what is theirs."""
        theirs = await self._store.stat(self._catalog.links.location(link))
        if link.at_parent is None or self._catalog.links.find(link.at_parent, theirs.name) is not None:
            raise DirectoryNotEmpty("the store has entries there that were made elsewhere, and the name is taken here")
        with self._catalog:
            self._catalog.links.drop(link.id)
            self._merging.arrival(link.at_parent, theirs)
            self._catalog.reap(link.ino)
        self._stale(Stale(link.at_parent, theirs.name))

    def _drop_name(self, link: Link) -> None:
        """A name that was not doomed is gone from the desired tree with its row."""
        if link.doomed or link.parent is None or link.name is None:
            return
        node = self._catalog.nodes.get(link.ino)
        node.nlink -= 1
        self._catalog.nodes.save(node)
        self._stale(Stale(link.parent, link.name))

    async def _resolve_missing(self, link: Link, action: Action) -> None:
        """Something we built upon is gone from the store: find out what, and record it."""
        parent = self._catalog.links.directory(link.parent) if link.parent is not None else None
        if parent is not None and parent.stored and parent.ino != ROOT:
            try:
                await self._store.stat(self._catalog.links.location(parent))
            except NotFound:
                self._vanished(parent)
                return
        if link.stored:
            self._vanished(link)
        elif action.step is Step.UPLOAD and not self._catalog.stagings.exists(link.ino):
            self._lost_content(link)

    def _vanished(self, link: Link) -> None:
        with self._catalog:
            stale = self._merging.vanished(link)
        for each in stale:
            self._stale(each)

    def _lost_content(self, link: Link) -> None:
        """The bytes were at the store only, and somebody deleted them there: the name goes too."""
        with self._catalog:
            self._catalog.links.drop(link.id)
            self._drop_name(link)
            self._catalog.reap(link.ino)


def _version(link: Link | None) -> Version | None:
    return None if link is None else link.version
