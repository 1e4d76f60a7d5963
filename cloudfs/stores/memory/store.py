"""A store in memory, for tests and for trying things out. It keeps every promise of `cloudfs.stores.base`.

The tree is an object of its own, so that several stores can look at the same one: another client of the same account.
What a store can do is chosen freely, so this one can stand for any provider: named by path or by id, with or without
moves, copies, links and attributes.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import trio

from cloudfs.errors import (
    AccessDenied,
    BrokenAnswer,
    DirectoryNotEmpty,
    NameRefused,
    NotFound,
    QuotaExceeded,
    TooLarge,
    VersionMismatch,
)
from cloudfs.stores.base import (
    NOTHING_KNOWN,
    Capabilities,
    Entry,
    Feed,
    Known,
    Location,
    Page,
    Pieces,
    Source,
    Transfer,
    Usage,
    Walker,
)
from cloudfs.stores.memory.feed import MemoryFeed
from cloudfs.stores.memory.pieces import Assembled, MemoryPieces, pieces_of
from cloudfs.stores.memory.tree import MemoryFile, MemoryTree, Name, Node
from cloudfs.stores.memory.walker import MemoryWalker
from cloudfs.stores.sparse import ALGORITHM, Piece, SparseDigest, batches, read_batch, source_digest
from cloudfs.types import Attributes, Version

EVERYTHING = Capabilities(directory_move=True, server_copy=True, hard_links=True, attributes=True, checksum=ALGORITHM)
"""Named by path, like a local directory."""


class MemoryStore:
    """One client of a `MemoryTree`.

    ``calls`` counts the calls of each method, by its name; ``bytes_in`` and ``bytes_out`` what `put` took and `read`
    gave. Every method suspends at least once before it looks at the tree, and not between its look and its change.
    What the capabilities exclude raises `NotImplementedError`: the caller is wrong.
    """

    def __init__(
        self,
        tree: MemoryTree,
        capabilities: Capabilities = EVERYTHING,
        *,
        page: int = 1000,
        walks: bool = False,
        feeds: bool = False,
        piece_size: int = 0,
    ) -> None:
        """``page`` entries are in a page of a listing. ``walks``, ``feeds``, ``piece_size``: it has these facets.

        A feed needs `Capabilities.stable_identities`.
        """
        self.pieces: Pieces | None = MemoryPieces(tree, piece_size, self._begin) if piece_size else None
        self.walker: Walker | None = MemoryWalker(self._find, self._entry, self._begin, page) if walks else None
        self.feed: Feed | None = MemoryFeed(tree, self._entry, self._begin, page) if feeds else None
        self.capabilities = capabilities
        self.calls: Counter[str] = Counter()
        self.bytes_in = 0
        self.bytes_out = 0
        self._tree = tree
        self._page = page

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        await self._begin("list")
        node = self._find(directory)
        if not node.is_directory:
            raise NotFound(f"{directory}: not a directory")
        after = bytes.fromhex(cursor) if cursor is not None else b""
        names = sorted(name for name in node.children if name > after)
        entries = [self._entry(name, node.children[name]) for name in names[: self._page]]
        return Page(entries, names[self._page - 1].hex() if len(names) > self._page else None)

    async def stat(self, location: Location) -> Entry:
        await self._begin("stat")
        return self._entry_of(location, self._find(location))

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        await self._begin("read")
        content = self._file(location, version).content
        if stop > content.size:
            raise BrokenAnswer(f"{location}: there are no bytes up to {stop}")
        self.bytes_out += stop - start
        return content.read(start, stop)

    async def put(
        self,
        location: Location,
        source: Source,
        attributes: Attributes,
        *,
        replaces: Version | None,
        transfer: Transfer,
        known: Known = NOTHING_KNOWN,
    ) -> Entry:
        await self._begin("put")
        if self.capabilities.max_size is not None and source.size > self.capabilities.max_size:
            raise TooLarge(f"{location}: {source.size} bytes are more than this store takes in one file")
        self._target(location)
        parts = [*self._kept(known), *pieces_of(self._tree, known.pieces)]
        content = await self._receive(Assembled(source, sorted(parts)), transfer)
        self.bytes_in -= sum(len(data) for _, data in parts)
        pieces_of(self._tree, known.pieces)
        tokens = frozenset(piece.token for piece in known.pieces)
        return self._publish(location, replace(content, tokens=tokens), attributes, replaces)

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        await self._begin("make_directory")
        if location.path:
            name = self._target(location)
            node = name.node or self._tree.add_directory(name, attributes)
        else:
            node = self._tree.root
        if not node.is_directory:
            raise VersionMismatch(f"{location}: there is something else than a directory")
        self._give(node, attributes)
        return self._entry(location.name, node)

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        await self._begin("set_attributes")
        node = self._find(location)
        if node.version != version:
            raise VersionMismatch(f"{location}: the content is another by now")
        self._give(node, attributes)
        return self._entry_of(location, node)

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        await self._begin("move")
        new = self._target(target)
        try:
            old = self._name(source)
        except NotFound:
            if self._named_by_id or new.node is None or new.node.version == replaces:
                raise
            return self._entry(target.name, new.node)
        if old != new:
            self._move(old, new, target, replaces)
        assert new.node is not None
        return self._entry(target.name, new.node)

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        if not self.capabilities.server_copy:
            raise NotImplementedError("this store cannot copy")
        await self._begin("copy")
        return self._publish(target, self._file(source, version).content, attributes, replaces)

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        if not self.capabilities.hard_links:
            raise NotImplementedError("this store cannot link")
        await self._begin("link")
        node, new = self._find(source), self._target(target)
        if node.is_directory:
            raise AccessDenied(f"{source}: directories have one name")
        if new.node is not node:
            _check_replaced(new, target, replaces)
            self._tree.give(new, node, new=False)
        return self._entry(target.name, node)

    async def delete(self, location: Location, version: Version | None) -> None:
        await self._begin("delete")
        try:
            name, node = self._name(location), self._find(location)
        except NotFound:
            return
        if node.is_directory != (version is None) or node.version != (version or ""):
            raise VersionMismatch(f"{location}: it is something else by now")
        if node.children:
            raise DirectoryNotEmpty(f"{location}: the directory has entries")
        self._tree.take(name)

    async def checksum(self, location: Location, version: Version) -> str:
        await self._begin("checksum")
        content = self._file(location, version).content
        return content.digest() if self.capabilities.checksum else ""

    async def digest(self, source: Source) -> str:
        return await source_digest(source) if self.capabilities.checksum else ""

    async def usage(self) -> Usage:
        await self._begin("usage")
        total, used = self._tree.total, self._tree.used
        return Usage(used=used, total=total, free=total - used if total is not None else None)

    async def aclose(self) -> None:
        await self._begin("aclose")

    # --- finding -----------------------------------------------------------------------------------------------------

    @property
    def _named_by_id(self) -> bool:
        return self.capabilities.stable_identities

    async def _begin(self, method: str) -> None:
        self.calls[method] += 1
        await trio.lowlevel.checkpoint()

    def _find(self, location: Location) -> Node:
        """The object, by its identity if it has one; the path may be an old one then."""
        if not location.path and not location.identity:
            return self._tree.root
        if self._named_by_id and location.identity:
            node = self._tree.by_identity(location.identity)
        else:
            node = self._directory(location).children.get(location.name)
        if node is None:
            raise NotFound(f"{location}: not found")
        return node

    def _directory(self, location: Location) -> Node:
        """The directory that the location is in."""
        if self._named_by_id and location.parent_identity:
            node = self._tree.by_identity(location.parent_identity)
        else:
            node = self._walk(location.parent_path)
        if node is None or not node.is_directory:
            raise NotFound(f"{location}: there is no such directory")
        return node

    def _walk(self, path: bytes) -> Node | None:
        node: Node | None = self._tree.root
        for component in path.split(b"/") if path else ():
            node = node.children.get(component) if node is not None else None
        return node

    def _name(self, location: Location) -> Name:
        """The name by which a location's object was found; `NotFound` if there is none."""
        node = self._find(location)
        name = Name(self._directory(location), location.name)
        if name.node is not node:
            found = self._tree.name_of(node)
            if found is None:
                raise AccessDenied("the root of a store stays what and where it is")
            name = found
        return name

    def _target(self, location: Location) -> Name:
        """A name that may be given to something."""
        name, longest = location.name, self.capabilities.max_path
        if not name or name in (b".", b"..") or b"\0" in name or len(name) > self.capabilities.max_name:
            raise NameRefused(f"{location}: this store cannot have this name")
        if longest is not None and len(location.path) > longest:
            raise NameRefused(f"{location}: the path is too long for this store")
        return Name(self._directory(location), name)

    def _file(self, location: Location, version: Version) -> Node:
        node = self._find(location)
        if node.is_directory or node.version != version:
            raise VersionMismatch(f"{location}: the content is another by now")
        return node

    # --- changing ----------------------------------------------------------------------------------------------------

    def _kept(self, known: Known) -> Sequence[tuple[int, bytes]]:
        """What is the same in the version before, if that is still where it was."""
        if known.location is None or known.version is None:
            return []
        try:
            old = self._file(known.location, known.version).content
        except (NotFound, VersionMismatch):
            return []
        return [(extent.start, old.read(extent.start, extent.stop)) for extent in known.kept]

    async def _receive(self, source: Source, transfer: Transfer) -> MemoryFile:
        pieces: list[Piece] = []
        running = SparseDigest()
        sent = 0
        for batch in batches(source.extents(), source.size):
            await trio.lowlevel.checkpoint()
            taken = await read_batch(source, batch)
            running.add_all(taken)
            pieces += taken
            self.bytes_in += sum(len(data) for _, data in taken)
            transfer.advance(batch[-1].stop - sent)
            sent = batch[-1].stop
        transfer.advance(source.size - sent)
        return MemoryFile(source.size, tuple(pieces))

    def _publish(
        self, location: Location, content: MemoryFile, attributes: Attributes, replaces: Version | None
    ) -> Entry:
        name = self._target(location)
        present = name.node
        if present is not None and _is_same(present, content, attributes):
            self._give(present, attributes)
            present.content = replace(present.content, tokens=present.content.tokens | content.tokens)
            return self._entry(location.name, present)
        _check_replaced(name, location, replaces)
        if not self._tree.fits(name, content.size):
            raise QuotaExceeded(f"{location}: the store is full")
        if present is not None and self._named_by_id:
            self._tree.rewrite(present, attributes, content)
            return self._entry(location.name, present)
        return self._entry(location.name, self._tree.add_file(name, attributes, content))

    def _give(self, node: Node, attributes: Attributes) -> None:
        if node.attributes != attributes:
            node.attributes = attributes
            self._tree.touch(node)

    def _move(self, old: Name, new: Name, target: Location, replaces: Version | None) -> None:
        node = old.node
        assert node is not None
        if node.is_directory and not self.capabilities.directory_move:
            raise NotImplementedError("this store cannot move directories")
        if node.is_directory and self._is_inside(new.parent, node):
            raise NameRefused(f"{target}: is in the directory that would be moved")
        _check_replaced(new, target, None if node.is_directory else replaces)
        self._tree.move(old, new)

    def _is_inside(self, node: Node, directory: Node) -> bool:
        while node is not directory:
            name = self._tree.name_of(node)
            if name is None:
                return False
            node = name.parent
        return True

    # --- saying ------------------------------------------------------------------------------------------------------

    def _entry_of(self, location: Location, node: Node) -> Entry:
        name = self._tree.name_of(node) if self._named_by_id else None
        return self._entry(name.name if name is not None else location.name, node)

    def _entry(self, name: bytes, node: Node) -> Entry:
        return Entry(
            name=name,
            is_directory=node.is_directory,
            size=node.content.size,
            version=node.version,
            mtime_ns=node.attributes.mtime_ns,
            attributes=self._attributes(node) if self.capabilities.attributes else None,
            identity=node.identity if self._named_by_id else "",
        )

    def _attributes(self, node: Node) -> Attributes:
        """As they were given; but a store that has hard links knows best what is linked."""
        if not self.capabilities.hard_links:
            return node.attributes
        return replace(node.attributes, link_group=node.identity if node.links > 1 else "")


def _check_replaced(name: Name, location: Location, replaces: Version | None) -> None:
    present = name.node
    if present is None and replaces is None:
        return
    if present is None or present.is_directory or present.version != replaces:
        raise VersionMismatch(f"{location}: something else is there than was known")


def _is_same(node: Node, content: MemoryFile, attributes: Attributes) -> bool:
    """Whether an object is just what an earlier call, whose answer got lost, would have made of it."""
    theirs = node.attributes
    return (
        not node.is_directory
        and (theirs.mtime_ns, theirs.target, theirs.rdev) == (attributes.mtime_ns, attributes.target, attributes.rdev)
        and stat.S_IFMT(theirs.mode) == stat.S_IFMT(attributes.mode)
        and node.content.size == content.size
        and node.content.digest() == content.digest()
    )
