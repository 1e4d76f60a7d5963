"""Lists directories and trees of a container. Implements `Walker`, and `Store.list` for `cloudfs.stores.swift.store`.

A container is flat and sorted by the bytes of whole names, so what is in ``d/`` follows ``d`` at some distance: ``d-x``
comes between. A row does not say a directory's attributes, but may tell that those are known (`Notes`). What is left is
asked for by name, many at once: directories that are not known, and what other programs have stored.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cloudfs.errors import NotFound
from cloudfs.stores.base import Entry, Listing, Location, Page, valid_name
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.attributes import from_marker_text
from cloudfs.stores.swift.container import Head, Row, SwiftContainer
from cloudfs.stores.swift.names import Names, escape, unescape
from cloudfs.stores.swift.notes import Notes
from cloudfs.stores.swift.root import root_entry
from cloudfs.stores.swift.rows import (
    Found,
    directory_entry,
    entry_from_head,
    entry_from_row,
    may_be_directory,
    may_be_manifest,
)


class SwiftListing:
    """``page`` is how many rows are asked for at once."""

    def __init__(
        self,
        container: SwiftContainer,
        names: Names,
        notes: Notes,
        page: int,
        *,
        manifests: bool,
        full_pages: bool,
    ) -> None:
        """``manifests``: what is listed as empty may be one of a dynamic large object, so each has to be asked for.

        ``full_pages``: a page with fewer rows than were asked for is the last one; else only one without any is.
        """
        self._container = container
        self._notes = notes
        self._manifests = manifests
        self._full_pages = full_pages
        self._names = names
        self._page = page

    async def list_page(self, directory: Location, cursor: str | None) -> Page:
        """A page of a directory that exists, or may be told to exist by what is in it; `NotFound` if neither."""
        prefix = self._names.inside(directory)
        rows = await self._page_of(prefix, cursor or "")
        if not rows and cursor is None and prefix:
            await self._require(directory)
        found = [each for each in _in_directory(prefix, rows) if not await self._was_told(prefix, each, cursor)]
        entries = await self._entries(prefix, found)
        return Page(entries, None if self._is_last(rows) else _last_name(rows))

    def _is_last(self, rows: Sequence[Row]) -> bool:
        return len(rows) < self._page if self._full_pages else not rows

    async def _page_of(self, prefix: str, after: str) -> list[Row]:
        """Together with the summary, if nobody has asked for that yet: most likely there are directories."""
        rows: list[Row] = []

        async def read() -> None:
            rows.extend(await self._container.rows(prefix, after=after, delimiter="/", limit=self._page))

        await in_parallel(lambda call: call(), [read] if self._notes.were_asked_for else [read, self._notes.at_hand])
        return rows

    async def stat(self, location: Location) -> Entry:
        """`NotFound`. The root of a container is a directory; so is everything that has something inside."""
        name = self._names.of(location)
        if not name:
            return await self._stat_container()
        head = await self._container.head(name)
        if head is not None:
            entry = entry_from_head(location.name, head)
            if entry.is_directory or entry.size or entry.attributes is not None:
                return entry
            inside = await self._container.rows(f"{name}/", limit=1)
            return entry_from_head(location.name, head, has_inside=bool(inside))
        return await self._stat_without_object(location, name)

    async def walk(self, directory: Location) -> AsyncGenerator[Listing, None]:
        prefix = self._names.inside(directory)
        open_directories = [_Open(directory, prefix)]
        after = ""
        seen = False
        markers: set[str] = set()
        await self._notes.at_hand()
        while True:
            rows = await self._container.rows(prefix, after=after, limit=self._page)
            if not rows and not seen and prefix:
                await self._require(directory)
            seen = True
            done = self._place_rows(open_directories, rows)
            markers.update(str(row["name"]) for row in rows if may_be_directory(row))
            last = self._is_last(rows)
            if last:
                done += reversed(open_directories)
            for listing in await self._listings(done):
                yield listing
            if last:
                self._notes.marks.keep_only(prefix, markers)
                return
            after = _last_name(rows)

    def _place_rows(self, opened: list[_Open], rows: Iterable[Row]) -> list[_Open]:
        """Put every row into its directory; returns those that no further row can belong to."""
        done: list[_Open] = []
        for row in rows:
            name = str(row["name"])
            while not name.startswith(opened[-1].prefix):
                done.append(opened.pop())
            rest = name[len(opened[-1].prefix) :]
            parts = rest.split("/")
            if not all(_is_name(part) for part in parts[:-1]) or not (_is_name(parts[-1]) or parts[-1] == ""):
                continue
            for part in parts[:-1]:
                opened.append(opened[-1].enter(part))
            if parts[-1]:
                opened[-1].rows[parts[-1]] = row
            elif len(parts) > 1:
                opened[-2].markers[parts[-2]] = row
        return done

    async def _listings(self, done: Sequence[_Open]) -> list[Listing]:
        async def resolve(each: _Open) -> list[Listing]:
            entries = await self._entries(each.prefix, each.found())
            empty = [entry.name for entry in entries if entry.is_directory and escape(entry.name) not in each.inside]
            return [Listing(each.location, entries), *(Listing(each.below(name), ()) for name in empty)]

        return [listing for listings in await in_parallel(resolve, done, at_once=32) for listing in listings]

    # --- what rows do not say --------------------------------------------------------------------------------------

    async def _entries(self, prefix: str, found: Sequence[Found]) -> list[Entry]:
        """In any order; without those that are listed but gone."""
        entries: list[Entry] = []
        unclear: list[Found] = []
        for each in found:
            entry = entry_from_row(each)
            if entry is not None and not (self._manifests and may_be_manifest(entry)):
                entries.append(entry)
            else:
                unclear.append(each)
        unknown = [each for each in unclear if not self._note(each, entries)]
        if directories := sum(map(_has_marker, unknown)):
            await self._notes.at_hand(directories)
            unknown = [each for each in unknown if not self._note(each, entries)]

        async def ask(each: Found) -> Entry | None:
            return await self._ask(prefix, each)

        if unknown:
            entries += [entry for entry in await in_parallel(ask, unknown) if entry is not None]
        return entries

    def _note(self, found: Found, entries: list[Entry]) -> bool:
        """Whether it is a directory of which everything is known, and so among the ``entries`` now."""
        row = found.row or found.marker
        noted = self._notes.marks.find(row) if row is not None else None
        if noted is not None:
            entries.append(directory_entry(found.name, *from_marker_text(noted.text)))
        return noted is not None

    async def _ask(self, prefix: str, found: Found) -> Entry | None:
        """About a name whose row does not say enough, or that has none."""
        name = prefix + escape(found.name)
        head = await self._ask_listed(name) if found.row is not None else None
        if head is not None:
            return entry_from_head(found.name, head, has_inside=found.has_inside)
        if not found.has_inside:
            return None
        marker = await self._ask_listed(f"{name}/")
        return entry_from_head(found.name, marker, has_inside=True) if marker else directory_entry(found.name, None)

    async def _ask_listed(self, name: str) -> Head | None:
        asked = self._notes.marks.tick
        head = await self._container.head(name)
        self._notes.marks.heard(name, head, asked)
        return head

    async def _was_told(self, prefix: str, found: Found, cursor: str | None) -> bool:
        """Whether a directory's object was on an earlier page than what is in the directory."""
        if found.row is not None or cursor is None:
            return False
        name = prefix + escape(found.name)
        if name.encode() > cursor.encode():
            return False
        return await self._container.head(name) is not None

    async def _require(self, directory: Location) -> None:
        entry = await self.stat(directory)
        if not entry.is_directory:
            raise NotFound(f"{directory}: not a directory")

    async def _stat_without_object(self, location: Location, name: str) -> Entry:
        inside = await self._container.rows(f"{name}/", limit=1)
        if not inside and not location.path:
            return directory_entry(b"", None)  # a prefix is there as soon as somebody mounts it
        if not inside:
            raise NotFound(f"{location}: not found")
        marker = await self._container.head(f"{name}/") if inside[0].get("name") == f"{name}/" else None
        if marker is None:
            return directory_entry(location.name, None)
        return entry_from_head(location.name, marker, has_inside=True)

    async def _stat_container(self) -> Entry:
        facts = await self._container.facts()
        if facts is None:
            raise NotFound(f"{self._container.name}: there is no such container")
        return root_entry(facts)


@dataclass
class _Open:
    """A directory of which a walk has not seen the end yet."""

    location: Location
    prefix: str
    rows: dict[str, Row] = field(default_factory=dict)
    inside: set[str] = field(default_factory=set)
    markers: dict[str, Row] = field(default_factory=dict)

    def enter(self, part: str) -> _Open:
        self.inside.add(part)
        return _Open(self.below(unescape(part)), f"{self.prefix}{part}/")

    def below(self, name: bytes) -> Location:
        return Location(b"%b/%b" % (self.location.path, name) if self.location.path else name)

    def found(self) -> list[Found]:
        for part in self.inside:
            self.rows.setdefault(part, {})
        return [
            Found(unescape(part), row or None, part in self.inside, self.markers.get(part), whole=True)
            for part, row in self.rows.items()
        ]


def _has_marker(found: Found) -> bool:
    row = found.row or found.marker
    return row is not None and may_be_directory(row)


def _in_directory(prefix: str, rows: Iterable[Row]) -> Iterator[Found]:
    """The names of one level, each once."""
    found: dict[str, Found] = {}
    for row in rows:
        name = str(row.get("subdir") or row.get("name"))[len(prefix) :]
        part = name.removesuffix("/") if "subdir" in row else name
        if not _is_name(part):
            continue  # the directory's own marker, or what no mount can show
        known = found.get(part)
        own = known.row if known is not None else None
        found[part] = Found(unescape(part), own if "subdir" in row else row, "subdir" in row or part in found)
    yield from found.values()


def _is_name(part: str) -> bool:
    """Whether it may be shown: a valid name, and one that leads back to the same object."""
    name = unescape(part)
    return valid_name(name) and escape(name) == part


def _last_name(rows: Sequence[Row]) -> str:
    return str(rows[-1].get("subdir") or rows[-1].get("name"))
