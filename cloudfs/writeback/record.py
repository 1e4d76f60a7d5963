"""Recording in the catalogue what the store did."""

from __future__ import annotations

from dataclasses import replace

import trio

from cloudfs.cache.sums import Sums
from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.pieces import SentPiece
from cloudfs.catalog.stagings import StagedRow
from cloudfs.stores.base import Entry, Location
from cloudfs.writeback.contents import Contents
from cloudfs.writeback.extents import Extents
from cloudfs.writeback.plan import Action
from cloudfs.writeback.staging import Staging


class Record:
    """The actual half of the catalogue, kept true; and what follows for staged and cached bytes."""

    def __init__(self, catalog: Catalog, contents: Contents, staging: Staging) -> None:
        self._catalog = catalog
        self._contents = contents
        self._staging = staging

    def place(self, link: Link, replaces: Link | None = None) -> Location:
        """The desired place, with the identity of what is to be replaced there."""
        assert link.parent is not None and link.name is not None
        place = self._catalog.links.place(link.parent, link.name)
        return Location(place.path, replaces.identity if replaces else "", place.parent_identity)

    def stored(self, link: Link, entry: Entry, content: int, attrs: int) -> None:
        """The store has it in the place that was desired when the action was planned."""
        assert link.parent is not None and link.name is not None
        self._catalog.links.stored(link.id, link.parent, link.name, entry, content, attrs)

    def replaced(self, link: Link, action: Action) -> None:
        """What was in the place is gone, unless it was an older content of the same name."""
        if action.replaces is not None and action.replaces.id != link.id:
            self.gone(action.replaces)

    def gone(self, link: Link) -> None:
        """The store does not have it any more."""
        with self._catalog:
            self._catalog.links.absent(link.id)
            self._catalog.reap(link.ino)

    async def uploaded(
        self, link: Link, action: Action, entry: Entry, content: int, attrs: int, sums: Sums | None = None
    ) -> None:
        """The store has this content; if it is the latest, the staged file has done its duty."""
        with self._catalog:
            self.replaced(link, action)
            self._catalog.memos.forget(link.id)
            self.stored(link, entry, content, attrs)
            row = self._catalog.stagings.get(link.ino)
            confirmed = row is not None and self._catalog.nodes.get(link.ino).content == content
            sent = self._catalog.pieces.of_inode(link.ino)
            if confirmed:
                self._catalog.stagings.remove(link.ino)
            elif row is not None:
                self._staging.rebase(link.ino, content, [each for each in sent if each.offered == link.id])
            self._catalog.pieces.published(link.ino, link.id)
        for each in sent:
            self._contents.forget_piece(each)
        if row is not None and confirmed:
            await self._adopt(row, content, sums, punched=any(each.punched for each in sent))

    def unsent(self, sent: SentPiece) -> None:
        """The store is to be sent it again."""
        staged = None if sent.ino is None else self._staging.acquire(sent.ino)
        if staged is not None:
            staged.sent.remove(sent)
            self._staging.release(staged)

    async def _adopt(self, row: StagedRow, content: int, sums: Sums | None, *, punched: bool) -> None:
        """The staged file, whose bytes the store has by now, becomes a cached file."""
        cache = self._contents.cache
        size = self._catalog.nodes.get(row.ino).size
        key, path = self._contents.key(row.ino, content, size), self._staging.path(row.file)
        self._staging.give_up(row.ino, row.file)
        await self._catalog.database.synced()  # or a power cut would bring the row back, without its file
        if punched:
            # Its holes are no zeros, and the cache could not tell.
            path.unlink(missing_ok=True)
        elif not row.base:
            cache.adopt(key, size, path, sums)
        elif Extents(row.extents).covers(row.visible, size):
            old = self._contents.key(row.ino, row.base, row.visible)
            await trio.to_thread.run_sync(cache.adopt_patch, old, key, size, path, row.extents, sums)
        else:
            # Zeros where the base had been cut off are not in the staged file: fetching is simpler than patching.
            path.unlink(missing_ok=True)


def as_known(entry: Entry, link: Link) -> Entry:
    """An object in its new place, with the version of which we know the content.

    It was moved or linked whatever it held by then. Somebody else's content is not ours: a listing shows that it has
    changed, and an upload that it is not what was to be replaced.
    """
    return replace(entry, version=link.version)
