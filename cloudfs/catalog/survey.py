"""One directory, compared with what the store lists of it, part by part.

A listing is a picture of some moments ago, and may lag behind by minutes. Two rules keep what this mount did itself:

* What it changes at the same time is left alone (`Merging`): the uploader finds out about that when it gets there.
* Where a row, or the lack of one, contradicts what this mount did in the last minutes (`cloudfs.catalog.recent`), the
  listing is not believed. The store is asked for that one object, and its answer is taken in place of the row.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.merging import Merging, Stale
from cloudfs.stores.base import Entry, Location, is_possible, valid_name
from cloudfs.types import Inode, LinkId

STEP = 256
"""Rows of one transaction: some milliseconds, after which the event loop has its turn."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An object of which the listing says something else than what this mount did lately.

    ``certain``: it is remembered that this mount changed that very place; else nobody remembers that it did not.
    """

    name: bytes
    location: Location
    certain: bool


class Survey:
    """Merges the listing of one directory that was begun at `Links.tick` ``since``.

    First `rows` for every part of the listing, then `finish` with what is missing in it. Both yield after each
    transaction what the kernel should forget; the directory is known when `finish` has ended. Before each, ask
    `doubtful_rows` or `doubtful_absences`, and hand over what the store answered instead of what was listed.
    """

    def __init__(self, catalog: Catalog, merging: Merging, directory: Inode, since: int) -> None:
        self.directory = directory
        self._begun_ns = time.time_ns()
        self._catalog = catalog
        self._links = catalog.links
        self._recent = catalog.links.recent
        self._merging = merging
        self._since = since
        self._unknown = catalog.nodes.get(directory).listed_ns is None
        self._unseen: set[LinkId] = catalog.links.ids_stored_in(directory)
        self._any_known = bool(self._unseen)
        self._suspects_all = self._was_moved_lately() or not (self._unknown or self._recent.is_complete())
        self._suspects = self._suspects_all or self._recent.has_in(directory)

    def _was_moved_lately(self) -> bool:
        """Whether the directory is where it is since a few minutes only: what was there before may be listed in it."""
        for ino in self._links.actual_ancestors(self.directory):
            link = self._links.directory(ino)
            if link.at_parent is not None and self._recent.has(link.at_parent, link.at_name or b""):
                return True
        return False

    # --- what is listed ----------------------------------------------------------------------------------------------

    def doubtful_rows(self, entries: Iterable[Entry]) -> list[Doubtful]:
        """The rows that may be a picture of what was there before."""
        if not self._suspects:
            return []
        return [doubtful for entry in entries if (doubtful := self._doubt_row(entry)) is not None]

    def _doubt_row(self, entry: Entry) -> Doubtful | None:
        certain = self._recent.has(self.directory, entry.name)
        if not (certain or self._suspects_all) or not valid_name(entry.name):
            return None
        link = self._links.at(self.directory, entry.name)
        if link is not None and link.version == entry.version and not self._merging.differs(link, entry):
            return None
        if link is not None and link.doomed:
            return None
        place = self._links.place(self.directory, entry.name)
        return Doubtful(entry.name, Location(place.path, entry.identity, place.parent_identity), certain)

    def rows(self, entries: Iterable[Entry]) -> Iterator[list[Stale]]:
        """Merge a part of the listing. Raises `NotFound` once the directory is gone from the catalogue."""
        remaining = iter(entries)
        while step := list(islice(remaining, STEP)):
            if self._catalog.nodes.get(self.directory).nlink == 0:
                return  # removed meanwhile; if the store has something in it, the uploader will find that
            stale: list[Stale] = []
            with self._catalog:
                for entry in step:
                    stale += self._row(entry)
            yield self._news(stale)

    def _row(self, entry: Entry) -> Sequence[Stale]:
        if not is_possible(entry):
            return ()
        # In a directory of which nothing was known only the uploader can have put something meanwhile.
        may_be_known = self._any_known or self._links.is_any_busy()
        link = self._links.at(self.directory, entry.name) if may_be_known else None
        if link is not None:
            self._unseen.discard(link.id)
        if self._links.touched_since(self.directory, entry.name, self._since):
            return ()
        return self._merging.row(self.directory, entry, link, self._since)

    def is_shadow(self, entry: Entry) -> bool:
        """Whether a directory seems to be there only because a listing still has names below it.

        A store without directories of its own infers them from names; one that this mount has just deleted is not
        believed in for so long.
        """
        shadowy = entry.is_directory and entry.attributes is None and self._recent.has(self.directory, entry.name)
        return shadowy and self._links.at(self.directory, entry.name) is None

    def spare(self, name: bytes) -> None:
        """The listing is not believed about this name, and nobody knows better: leave it as it is."""
        link = self._links.at(self.directory, name)
        if link is not None:
            self._unseen.discard(link.id)

    # --- what is not listed ------------------------------------------------------------------------------------------

    def doubtful_absences(self) -> list[Doubtful]:
        """The objects that are not listed, although this mount may have stored them lately."""
        if not self._suspects:
            return []
        missing = (link for number in sorted(self._unseen) if (link := self._missing(number)) is not None)
        return [
            Doubtful(link.at_name, self._links.location(link), certain)
            for link in missing
            if link.at_name is not None
            and ((certain := self._recent.has(self.directory, link.at_name)) or self._suspects_all)
        ]

    def _missing(self, number: LinkId) -> Link | None:
        link = self._links.get(number)
        gone = link is None or link.at_parent != self.directory or link.doomed
        return None if gone or self._links.is_claimed(number, self._since) else link

    def finish(self) -> Iterator[list[Stale]]:
        """Everything was listed: what was not seen is gone. The directory is known."""
        unseen = iter(sorted(self._unseen))
        while step := list(islice(unseen, STEP)):
            stale: list[Stale] = []
            with self._catalog:
                for number in step:
                    link = self._links.get(number)
                    if link is not None and link.at_parent == self.directory:
                        stale += self._merging.vanished(link, self._since)
            yield self._news(stale)
        with self._catalog:
            node = self._catalog.nodes.get(self.directory)
            node.listed_ns = self._begun_ns
            self._catalog.nodes.save(node)
        yield []

    def _news(self, stale: list[Stale]) -> list[Stale]:
        """Of a directory that was never listed, the kernel cannot remember any name."""
        return [] if self._unknown else stale
