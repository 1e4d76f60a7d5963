"""Carries out one action of the plan at the store, and records what came of it."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.doubts import Doubt
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Merging, Stale
from cloudfs.errors import BrokenAnswer, DirectoryNotEmpty, NotFound, StoreError, Unavailable, VersionMismatch
from cloudfs.stores.base import NOTHING_KNOWN, Entry, Known, Location, Source, Store
from cloudfs.types import ROOT, Attributes, LinkId, Version
from cloudfs.writeback.ahead import Ahead
from cloudfs.writeback.contents import Contents, Revoked, StagedSource
from cloudfs.writeback.health import Health
from cloudfs.writeback.meter import Meter
from cloudfs.writeback.plan import Action, Step, aside_name
from cloudfs.writeback.record import Record, as_known
from cloudfs.writeback.resolve import Resolver
from cloudfs.writeback.sources import Sources
from cloudfs.writeback.staging import Staging

_BUSY_NS = 50_000_000
_DOUBTFUL = (Step.MAKE_DIRECTORY, Step.UPLOAD, Step.LINK, Step.COPY, Step.MOVE, Step.MOVE_ASIDE)
"""They make something, or move it: without the answer nobody knows where it is."""


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

    Raises what the store raises, except what `Resolver` resolves: afterwards the planner sees the new facts.
    """

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        contents: Contents,
        staging: Staging,
        merging: Merging,
        stale: Callable[[Stale], None],
        health: Health,
        ahead: Ahead | None = None,
    ) -> None:
        """``ahead`` is for stores that take pieces."""
        self._health = health
        self._ahead = ahead
        self._contents = contents
        self._catalog = catalog
        self._store = store
        self._sources = Sources(catalog, contents, staging)
        self._record = Record(catalog, contents, staging)
        self._resolver = Resolver(catalog, store, self._sources, self._record, merging, stale)
        self.sending: dict[LinkId, Sending] = {}
        self.meter = Meter()
        """Bytes sent since the start, of uploads finished and under way."""
        self._steps = {
            Step.FIND_OUT: self._resolver.find_out,
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
            if action.step in _DOUBTFUL:
                self._doubt(link, action)
                await self._catalog.database.synced()
            await self._steps[action.step](link, action)
        except Unavailable:
            raise
        except StoreError as error:
            with self._catalog:
                self._catalog.doubts.end(link.id)
            await self._resolve(link, action, error)

    async def _resolve(self, link: Link, action: Action, error: StoreError) -> None:
        if isinstance(error, VersionMismatch):
            await self._resolver.mismatch(link, action)
        elif isinstance(error, NotFound):
            await self._resolver.missing(link, action)
        elif isinstance(error, DirectoryNotEmpty):
            await self._resolver.not_empty(link)
        else:
            raise error

    def _doubt(self, link: Link, action: Action) -> None:
        """Write down what the store is about to be asked for, in case that the answer never comes."""
        node = self._catalog.nodes.get(link.ino)
        twin = self._other(action) if action.other is not None else None
        aside = action.step is Step.MOVE_ASIDE
        parent, name = (ROOT, aside_name(link.id)) if aside else (link.parent, link.name)
        assert parent is not None and name is not None
        doubt = Doubt(
            link=link.id,
            parent=parent,
            name=name,
            moves=action.step in (Step.MOVE, Step.MOVE_ASIDE),
            content=twin.at_content if twin is not None else node.content,
            attrs=twin.at_attrs if twin is not None and action.step is Step.LINK else node.attrs,
            size=node.size,
            mtime_ns=node.mtime_ns,
            version=twin.version if twin is not None and action.step is Step.LINK else Version(""),
        )
        with self._catalog:
            self._catalog.doubts.begin(doubt)

    def perform_here(self, link: Link, action: Action) -> None:
        """Do a step that concerns the catalogue only."""
        with self._catalog:
            if action.step is Step.SPLIT:
                self._split(link)
            elif action.step is Step.TAKE_OVER and action.other is not None:
                self._take_over(link, action.other)
            elif action.step is Step.INHERIT and action.other is not None:
                self._inherit(link, action.other)
            elif action.step is Step.FORGET:
                self._catalog.links.drop(link.id)
                self._catalog.reap(link.ino)
            elif action.step is Step.DONE:
                self._catalog.links.settle(link.id)

    # --- the steps -----------------------------------------------------------------------------------------------

    async def _make_directory(self, link: Link, action: Action) -> None:
        node = self._catalog.nodes.get(link.ino)
        attrs = node.attrs
        place = self._record.place(link)
        entry = await self._store.make_directory(place, node.attributes(self._catalog.xattrs.all(link.ino)))
        with self._catalog:
            self._record.stored(link, entry, content=1, attrs=attrs)
            self._catalog.pending.hasten_children(link.ino, time.time_ns())

    async def _upload(self, link: Link, action: Action) -> None:
        node = self._catalog.nodes.get(link.ino)
        content, attrs = node.content, node.attrs
        doubt = self._catalog.doubts.get(link.id)
        if doubt is None or doubt.content != content:
            raise Revoked  # written to since it was written down what is to be sent
        attributes = node.attributes(self._catalog.xattrs.all(link.ino))
        place = self._record.place(link, action.replaces)
        ahead = sum(sent.stop - sent.start for sent in self._catalog.pieces.of_inode(link.ino))
        path = self._catalog.links.path(link)
        sending = Sending(path, node.size, ahead, self._catalog, link.id, content, self.meter.add)
        with self._sources.open(node) as source:
            self.sending[link.id] = sending
            try:
                entry = await self._put(link, action, source, attributes, place, sending)
            finally:
                del self.sending[link.id]
        sums = source.sums if isinstance(source, StagedSource) else None
        # Before it is recorded: who waited for that is not to find a store that is still away.
        self._health.succeeded()
        await self._record.uploaded(link, action, entry, content, attrs, sums)

    async def _put(
        self, link: Link, action: Action, source: Source, attributes: Attributes, place: Location, sending: Sending
    ) -> Entry:
        """Send what the store does not have yet, and publish it."""
        if self._ahead is not None and isinstance(source, StagedSource):
            await self._ahead.send_rest(source, place, sending)
        known = self._known(link, source)
        try:
            return await self._store.put(
                place, source, attributes, replaces=_version(action.replaces), transfer=sending, known=known
            )
        except BrokenAnswer:
            self._take_back(link, known, resend=True)
            raise
        except Unavailable:
            raise
        except StoreError:
            self._take_back(link, known, resend=False)
            raise

    def _known(self, link: Link, source: Source) -> Known:
        """What the store need not be sent: unchanged bytes of the version before, and pieces that it has."""
        if not isinstance(source, StagedSource):
            return NOTHING_KNOWN
        with self._catalog:
            self._catalog.pieces.offer(link.ino, link.id)
        pieces = [sent.piece for sent in self._catalog.pieces.of_inode(link.ino) if sent.offered == link.id]
        known = Known(pieces=pieces)
        staged = source.staged
        if not staged.base:
            return known
        try:
            holder = self._contents.holder(link.ino, staged.base)
        except NotFound:
            return known
        shown = min(staged.visible, source.size)
        kept = [extent for extent, ours in staged.extents.pieces(0, shown) if not ours]
        return replace(known, location=self._catalog.links.location(holder), version=holder.version, kept=kept)

    def _take_back(self, link: Link, known: Known, *, resend: bool) -> None:
        """Nothing was published: the pieces are ours still. If they may be why, those that can be are sent again."""
        if not known.pieces:
            return
        with self._catalog:
            self._catalog.pieces.recall(link.ino, link.id)
            for sent in self._catalog.pieces.of_inode(link.ino) if resend else ():
                if not sent.punched:
                    self._catalog.pieces.disown(sent)
                    self._record.unsent(sent)

    async def _link(self, link: Link, action: Action) -> None:
        twin = self._other(action)
        place = self._record.place(link, action.replaces)
        entry = await self._store.link(self._catalog.links.location(twin), place, replaces=_version(action.replaces))
        with self._catalog:
            self._record.replaced(link, action)
            self._record.stored(link, as_known(entry, twin), twin.at_content, twin.at_attrs)

    async def _copy(self, link: Link, action: Action) -> None:
        twin = self._other(action)
        node = self._catalog.nodes.get(link.ino)
        attrs = node.attrs
        entry = await self._store.copy(
            self._catalog.links.location(twin),
            twin.version,
            self._record.place(link, action.replaces),
            node.attributes(self._catalog.xattrs.all(link.ino)),
            replaces=_version(action.replaces),
        )
        with self._catalog:
            self._record.replaced(link, action)
            self._record.stored(link, entry, twin.at_content, attrs)

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
            self._catalog.links.location(link),
            self._record.place(link, action.replaces),
            replaces=_version(action.replaces),
        )
        with self._catalog:
            self._record.replaced(link, action)
            self._record.stored(link, as_known(entry, link), link.at_content, link.at_attrs)

    async def _move_aside(self, link: Link, action: Action) -> None:
        name = aside_name(link.id)
        place = self._catalog.links.place(ROOT, name)
        entry = await self._store.move(self._catalog.links.location(link), place)
        with self._catalog:
            self._catalog.links.stored(link.id, ROOT, name, as_known(entry, link), link.at_content, link.at_attrs)

    async def _delete(self, link: Link, action: Action) -> None:
        node = self._catalog.nodes.get(link.ino)
        version = None if node.is_directory else link.version
        await self._store.delete(self._catalog.links.location(link), version)
        self._record.gone(link)

    def _split(self, link: Link) -> None:
        now = time.time_ns()
        ghost = self._catalog.nodes.insert(mode=stat.S_IFDIR | 0o700, uid=0, gid=0, mtime_ns=now, now_ns=now)
        ghost.nlink = 0
        self._catalog.nodes.save(ghost)
        self._catalog.links.split_off(link, ghost.ino, now)

    def _inherit(self, link: Link, other: LinkId) -> None:
        doomed = self._catalog.links.get(other)
        now = time.time_ns()
        if self._catalog.links.is_claimed(other, self._catalog.links.tick):
            self._catalog.pending.defer(link.id, now + _BUSY_NS)
        elif doomed is not None and doomed.doomed:
            self._catalog.links.inherit(link.id, doomed, now)

    def _take_over(self, link: Link, other: LinkId) -> None:
        doomed = self._catalog.links.get(other)
        if doomed is not None and doomed.doomed:
            self._catalog.links.take_directory(link, doomed, time.time_ns())
            self._catalog.reap(doomed.ino)

    def _other(self, action: Action) -> Link:
        other = self._catalog.links.get(action.other) if action.other is not None else None
        if other is None or not other.stored:
            raise NotFound("the other name is gone")
        return other


def _version(link: Link | None) -> Version | None:
    return None if link is None else link.version
