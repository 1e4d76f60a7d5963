"""Whether the store has what the catalogue says, entry by entry, and byte by byte as far as asked."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.nodes import Node
from cloudfs.daemon.reading import AsStored
from cloudfs.daemon.tree import Tree
from cloudfs.errors import BrokenAnswer, NotFound, VersionMismatch
from cloudfs.stores.base import Entry, Leftovers, Store, valid_name
from cloudfs.types import ROOT, Attributes, Inode, LinkId
from cloudfs.writeback.contents import Contents

Report = Callable[[dict[str, Any]], Awaitable[None]]

_TOLD = 10_000
"""At most so many differences are named; all are counted."""
_AT_ONCE = 4
_NOTED = ("mode", "uid", "gid", "mtime_ns", "rdev", "target")


@dataclass
class _Findings:
    """What was looked at, and what is wrong."""

    names: int = 0
    files: int = 0
    size: int = 0
    read_files: int = 0
    read_bytes: int = 0
    count: int = 0
    differences: list[dict[str, str]] = field(default_factory=list)
    readable: list[tuple[LinkId, int]] = field(default_factory=list)

    def differs(self, path: bytes, what: str, detail: str) -> None:
        self.count += 1
        if len(self.differences) < _TOLD:
            self.differences.append({"path": os.fsdecode(path), "difference": what, "detail": detail})


class Verifier:
    """Compares; changes nothing, here or there. What the uploader touches meanwhile is passed over."""

    def __init__(self, catalog: Catalog, store: Store, tree: Tree, contents: Contents) -> None:
        self._catalog = catalog
        self._links = catalog.links
        self._store = store
        self._tree = tree
        self._contents = contents

    async def verify(self, path: str, percent: float, report: Report) -> dict[str, Any]:
        """At and below a path; ``percent`` of the stored bytes, in whole files chosen by chance, are read as well.

        Raises `NotFound`, and `Unavailable` if the store does not answer: then nothing can be said.
        """
        top = await self._tree.resolve(path)
        findings = _Findings()
        if self._catalog.nodes.get(top).is_directory:
            await self._compare_tree(top, findings, report)
        else:
            await self._compare_file(top, path, findings)
        if top == ROOT and isinstance(self._store, Leftovers):
            for leftover in await self._store.leftovers(self._catalog.pieces.all):
                findings.differs(b"", "left over", leftover)
        if percent:
            await self._read_some(findings, percent, report)
        return _result(findings)

    async def _compare_tree(self, top: Inode, findings: _Findings, report: Report) -> None:
        waiting = [top]
        while waiting:
            directory = waiting.pop()
            try:
                waiting += await self._compare_directory(directory, findings)
            except NotFound:
                continue  # removed meanwhile
            await report(_progress(findings))

    async def _compare_directory(self, directory: Inode, findings: _Findings) -> list[Inode]:
        """Returns the directories inside."""
        await self._tree.known(directory)
        link = self._links.directory(directory)
        since = self._links.tick
        entries: dict[bytes, Entry] = {}
        if link.stored:
            try:
                entries = {entry.name: entry async for entry in self._listing(link)}
            except NotFound:
                if not self._links.may_have_moved(link, since):
                    findings.differs(self._links.path(link), "missing", "the store has no such directory")
                return []
        self._compare_names(directory, entries, since, findings)
        names = self._links.names_in(directory)
        for name in names:
            self._note_pending(name, findings)
        return [name.ino for name in names if self._catalog.nodes.get(name.ino).is_directory]

    async def _listing(self, link: Link) -> AsyncIterator[Entry]:
        cursor: str | None = None
        while True:
            page = await self._store.list(self._links.location(link), cursor)
            for entry in page.entries:
                yield entry
            cursor = page.cursor
            if cursor is None:
                return

    def _compare_names(self, directory: Inode, entries: dict[bytes, Entry], since: int, findings: _Findings) -> None:
        known = self._links.stored_in(directory)
        for link in known:
            if not self._links.is_claimed(link.id, since) and link.at_name is not None:
                self._compare(link, entries.get(link.at_name), findings)
        places = {link.at_name for link in known}
        for name in entries.keys() - places:
            if not self._links.touched_since(directory, name, since):
                path = self._links.place(directory, name).path if valid_name(name) else name
                told = "nobody here knows of it" if valid_name(name) else "no file can have this name"
                findings.differs(path, "unknown", told)

    async def _compare_file(self, ino: Inode, path: str, findings: _Findings) -> None:
        name = os.fsencode(path).rpartition(b"/")[2]
        link = next((each for each in self._links.of_inode(ino) if each.name == name), None)
        if link is None:
            return
        if link.stored:
            since = self._links.tick
            try:
                entry: Entry | None = await self._store.stat(self._links.location(link))
            except NotFound:
                entry = None
            if not self._links.is_claimed(link.id, since):
                self._compare(link, entry, findings)
        self._note_pending(link, findings)

    def _note_pending(self, link: Link, findings: _Findings) -> None:
        if link.pending_ns is not None and not link.doomed:
            reason = f"parked: {link.reason}" if link.parked else link.reason or "it is waiting to be sent"
            findings.differs(self._links.path(link), "not stored", reason)

    def _compare(self, link: Link, entry: Entry | None, findings: _Findings) -> None:
        """One object that the catalogue knows to be at the store."""
        node = self._catalog.nodes.get(link.ino)
        findings.names += 1
        path = self._links.location(link).path
        if entry is None:
            findings.differs(path, "missing", "the store does not have it")
        elif entry.is_directory != node.is_directory:
            findings.differs(path, "kind", "a directory there" if entry.is_directory else "a file there")
        elif entry.version != link.version:
            sizes = f", {entry.size} bytes there and {node.size} here" if entry.size != node.size else ""
            findings.differs(path, "version", f"version {entry.version} there, {link.version} was stored{sizes}")
        else:
            self._compare_content(link, node, entry, path, findings)

    def _compare_content(self, link: Link, node: Node, entry: Entry, path: bytes, findings: _Findings) -> None:
        if node.is_regular and link.at_content == node.content:
            findings.files += 1
            findings.size += node.size
            if entry.size != node.size:
                findings.differs(path, "size", f"{entry.size} bytes there, {node.size} here")
            findings.readable.append((link.id, node.size))
        if link.at_attrs == node.attrs and entry.attributes is not None:
            wrong = _differing(node.attributes(), entry.attributes)
            if wrong:
                findings.differs(path, "attributes", wrong)

    # --- bytes -------------------------------------------------------------------------------------------------------

    async def _read_some(self, findings: _Findings, percent: float, report: Report) -> None:
        chosen = list(_sample(findings.readable, percent))
        limit, speaking = trio.CapacityLimiter(_AT_ONCE), trio.Lock()

        async def read(link: LinkId) -> None:
            async with limit:
                await self._read_one(link, findings)
            async with speaking:
                await report(_progress(findings))

        try:
            async with trio.open_nursery() as nursery:
                for link in chosen:
                    nursery.start_soon(read, link)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _read_one(self, link_id: LinkId, findings: _Findings) -> None:
        link = self._links.get(link_id)
        if link is None or not link.stored:
            return
        since = self._links.tick
        location = self._links.location(link)
        node = self._catalog.nodes.get(link.ino)
        with closing(self._contents.open(node.ino, link.at_content, node.size)) as cached:
            source = AsStored(self._store, location, link.version, node.size, cached)
            try:
                expected = await self._store.checksum(location, link.version)
                found = await self._store.digest(source)
                await source.read_all()
            except (BrokenAnswer, NotFound, VersionMismatch) as error:
                if not self._links.may_have_moved(link, since):
                    findings.differs(location.path, "unreadable", str(error))
                return
        findings.read_files += 1
        findings.read_bytes += source.size
        if expected and found != expected:
            findings.differs(location.path, "checksum", f"the bytes are {found}, the store says {expected}")
        if source.disagrees:
            findings.differs(location.path, "content", "other bytes there than were stored from here")


def _sample(files: Iterable[tuple[LinkId, int]], percent: float) -> Iterable[LinkId]:
    """Whole files in random order, until their bytes are the wanted share of all."""
    left = list(files)
    random.shuffle(left)
    wanted = sum(size for _link, size in left) * percent / 100
    taken = 0
    for link, size in left:
        if taken >= wanted and percent < 100:
            return
        taken += size
        yield link


def _differing(ours: Attributes, theirs: Attributes) -> str:
    """The attributes that are not the same, in words."""
    pairs = [(name, getattr(ours, name), getattr(theirs, name)) for name in _NOTED]
    if stat.S_ISLNK(ours.mode):
        pairs = [pair for pair in pairs if pair[0] != "mode"]
    told = [
        f"{name} {_shown(name, there)} there, {_shown(name, here)} here" for name, here, there in pairs if here != there
    ]
    return ", ".join(told)


def _shown(name: str, value: object) -> str:
    return f"{value:o}" if name == "mode" and isinstance(value, int) else str(value)


def _progress(findings: _Findings) -> dict[str, Any]:
    return {"names": findings.names, "read": findings.read_bytes, "differences": findings.count}


def _result(findings: _Findings) -> dict[str, Any]:
    return {
        "checked": {"names": findings.names, "files": findings.files, "bytes": findings.size},
        "read": {"files": findings.read_files, "bytes": findings.read_bytes},
        "count": findings.count,
        "differences": sorted(findings.differences, key=lambda each: each["path"]),
    }
