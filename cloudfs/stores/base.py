"""The seam between cloudfs and a provider. Read this file, and you can write a store.

A store holds a tree of objects: directories, and files with bytes. It may name them by path (Swift, a local
directory, Ubuntu One) or by an id of its own (OneDrive); callers always give both in a `Location` and each store
takes what it needs. Every method

* is idempotent: called again after a lost answer it ends in the same state and returns the same;
* raises only the store errors of `cloudfs.errors`, and `trio.Cancelled`;
* can be cancelled at any ``await``, and then has published nothing or everything, never a part;
* may be called concurrently.

What comes out of a store is checked with `is_possible` by the caller as well; a store should never give anything else.
``tests/stores/conformance`` holds every promise made here as a test, and runs against every store.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cloudfs.types import NAME_MAX, TIME_MAX_NS, Attributes, Extent, Version, kept_time

_SIZE_MAX = (1 << 63) - 1
"""Of a file, in bytes: more than `off_t` counts there cannot be."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an object is, or shall be, in a store.

    ``path`` is relative to the mounted root, without a leading slash; ``b""`` is the root itself. ``identity`` is
    the store's own id of the object, and ``parent_identity`` that of its directory: empty for stores without
    `Capabilities.stable_identities`, and ``identity`` is empty for what does not exist yet.
    """

    path: bytes
    identity: str = ""
    parent_identity: str = ""

    @property
    def name(self) -> bytes:
        return self.path.rpartition(b"/")[2]

    @property
    def parent_path(self) -> bytes:
        return self.path.rpartition(b"/")[0]

    def __str__(self) -> str:
        return self.path.decode("utf-8", "backslashreplace") or "/"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a store says of one object: a row of a listing, or the outcome of a change.

    ``attributes`` is None where the store knows none (a file that another program put there): then the mount shows
    its defaults with ``mtime_ns``. ``version`` is empty for directories. ``size`` is in bytes, 0 for directories
    and for whatever has no bytes.
    """

    name: bytes
    is_directory: bool
    size: int
    version: Version
    mtime_ns: int
    attributes: Attributes | None = None
    identity: str = ""

    def __post_init__(self) -> None:
        if not -TIME_MAX_NS <= self.mtime_ns <= TIME_MAX_NS:
            object.__setattr__(self, "mtime_ns", kept_time(self.mtime_ns))


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing. ``cursor`` asks for the next part; None says that this was the last."""

    entries: Sequence[Entry]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes, as the provider counts them. None: unlimited, or not told.

    ``trash`` is what was deleted, is kept for a while, and takes room until the trash is emptied.
    """

    used: int
    total: int | None = None
    free: int | None = None
    trash: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A whole directory, as a walk through a tree finds it."""

    directory: Location
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one object since a cursor, wherever it is in the mounted tree.

    ``entry`` is what it is now, under the directory ``parent_identity``; None if it is gone. Only the last change of
    an object counts, and what did not change may be told as well.
    """

    identity: str
    parent_identity: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Changes:
    """The news since a cursor, and the cursor for the next question. ``more``: ask again at once."""

    changes: Sequence[Change]
    cursor: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes ``[start, stop)`` of a file that is not published yet, which the store has already under ``token``."""

    start: int
    stop: int
    token: str


@dataclass(frozen=True, slots=True)
class Known:
    """Bytes of a new content that the store has already, so that `Store.put` need not read and send them.

    ``kept`` are the ranges that are the same, at the same offsets, in ``version`` of the object at ``location``;
    ``pieces`` were sent before. Ordered and disjoint, each and together. A store may always ignore this and read
    everything from the source, for which it must be able to ask for every byte; and it does so by itself if
    ``location`` does not have ``version`` (any more), so that what is wrong here costs time and nothing else.
    """

    location: Location | None = None
    version: Version | None = None
    kept: Sequence[Extent] = ()
    pieces: Sequence[Piece] = ()


NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do, declared and not probed by callers."""

    stable_identities: bool = False
    """Objects have an id that survives renames, and `Location.identity` is used."""
    directory_move: bool = False
    """`Store.move` moves a directory with all that is in it, atomically."""
    server_copy: bool = False
    """`Store.copy` works without sending the bytes again."""
    hard_links: bool = False
    """`Store.link` makes a second name of the same object; attributes and versions of such names change together."""
    attributes: bool = False
    """Whole `Attributes` are kept and come back in listings. Stores without are wrapped (``stores/attributes``)."""
    case_sensitive: bool = True
    max_name: int = NAME_MAX
    """Bytes; a longer name is `NameRefused`."""
    max_path: int | None = None
    max_size: int | None = None
    """Bytes of one file; a larger `Store.put` is `TooLarge`, and the mount says EFBIG at once."""
    time_unit_ns: int = 1
    """Times of the last change are kept in whole units of so many ns; the rest is cut off."""
    checksum: str = ""
    """The algorithm of `Store.checksum` and `Store.digest`, e.g. ``md5``; empty if there is none."""
    concurrency: int = 0
    """Calls that are worth having in flight at once; 0: as many as the user says. A store that combines calls into
    one request (bulk uploads, batches) says a large number, and bounds its connections by itself."""
    round_trip: float = 0.0
    """Seconds for the quickest answer: how far away the store is. 0: here, where it shares our processors."""


class Source(Protocol):
    """The bytes of one version of a file, which can be read again after a failure, in any order, concurrently."""

    size: int

    def extents(self) -> Sequence[Extent]:
        """Where the data is: ordered, disjoint, within ``size``. Everything else reads as zeros."""
        ...

    async def read(self, start: int, stop: int) -> bytes:
        """Exactly ``stop - start`` bytes; ``0 <= start <= stop <= size``. Keep ranges to a few MiB."""
        ...


class Transfer(Protocol):
    """What a store tells its caller while it uploads, and what it asks to be remembered."""

    def advance(self, sent: int) -> None:
        """``sent`` more bytes of the file are at the store."""
        ...

    def recall(self) -> bytes | None:
        """What was last remembered for this content of this file, also by an earlier process; None if nothing."""
        ...

    def remember(self, memo: bytes) -> None:
        """Keep ``memo`` (an upload session, the segments sent) until the upload has succeeded. At most 1 MiB."""
        ...


class Pieces(Protocol):
    """Sends large files before they are complete: pieces leave, and their space is free, while more is written.

    The caller sends every whole piece of a large file like this, closed files as well, several at once, and writes each
    of them down as soon as it is there. So what a broken upload has to send again is a piece, never the file, and a
    `Store.put` finds all of it in `Known.pieces` but the end, which it sends by itself. It needs no
    `Transfer.remember`.
    """

    size: int
    """Bytes of a piece; each begins at a multiple of it. Of 64 KiB a multiple, so that the cache can keep the rest."""

    async def put(self, location: Location, source: Source, start: int, stop: int) -> Piece:
        """Send bytes ``[start, stop)`` of a file that will be put at, or near, ``location``.

        ``source.size`` may still grow. The token is at most 1 KiB, and good for other processes, also years later.
        Nothing becomes visible. `BrokenAnswer` if the checksum of what arrived disagrees.
        """
        ...

    async def read(self, piece: Piece, start: int, stop: int) -> bytes:
        """Bytes ``[start, stop)`` of the file, ``piece.start <= start <= stop <= piece.stop``. `NotFound`."""
        ...

    async def drop(self, piece: Piece) -> None:
        """It is not needed after all: its bytes changed, or the file was deleted. Gone already is success.

        Not called for a piece that an object may own, because a `Store.put` with it was not answered.
        """
        ...


class Walker(Protocol):
    """Lists trees in fewer requests than a `Store.list` of every directory."""

    def walk(self, directory: Location) -> AsyncGenerator[Listing, None]:
        """Every directory of the tree under ``directory``, itself included, each once and whole, in any order.

        A very large one, which takes many requests either way, may be left out, and then everything in it is.
        Raises as `Store.list` does.
        The caller closes it when it has had enough, and may wait for long between two listings.
        """
        ...


class Feed(Protocol):
    """Tells what changed anywhere in the mounted tree, so that directories need not be listed again."""

    async def changes(self, cursor: str | None) -> Changes:
        """What happened since ``cursor``; None asks for a cursor that stands for now.

        `NotFound` if the cursor is too old: everything has to be listed again.
        """
        ...


@runtime_checkable
class Leftovers(Protocol):
    """A store that can tell what uploads that never ended have left there: segments and sessions of no object.

    Not a facet but a method of the store itself, which ``cloudfs verify`` looks for.
    """

    async def leftovers(self, known: Callable[[], Iterable[Piece]]) -> Sequence[str]:
        """One line for each, that names it and says how large it is. What is still being sent is none.

        Nor is any of the pieces that the caller has not forgotten, which ``known`` tells at any time.
        """
        ...


@runtime_checkable
class Settling(Protocol):
    """A store that keeps something at the provider which makes it quicker, and without which it works all the same.

    Not a facet but a method of the store itself. The mount calls it every few seconds, and at its end; never if nothing
    may be written.
    """

    async def settle(self, *, busy: bool = False, last: bool = False) -> None:
        """Bring that up to date, if it is worth it. Raises nothing.

        ``busy``: something waits to be stored, and should not wait for this. ``last``: the store is closed next, and
        somebody may wait for that. Then it takes some seconds at most.
        """
        ...


class Store(Protocol):
    """One mounted root at one provider. What only some can do is a facet of its own, None for the others."""

    capabilities: Capabilities

    @property
    def pieces(self) -> Pieces | None: ...

    @property
    def walker(self) -> Walker | None: ...

    @property
    def feed(self) -> Feed | None: ...

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        """The entries of a directory, in pages. Raises `NotFound` if there is no such directory.

        What exists throughout a whole listing appears in it exactly once. Unfinished uploads never appear.
        """
        ...

    async def stat(self, location: Location) -> Entry:
        """One object; `NotFound` if there is none."""
        ...

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        """Exactly the bytes ``[start, stop)`` of that version; ``stop`` is at most its size.

        `VersionMismatch` if the object is another version by now, `NotFound` if it is gone, `BrokenAnswer` if the
        provider gives other than what was asked.
        """
        ...

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
        """Store content and attributes under a name, whole or not at all, whatever the file type but a directory.

        ``replaces`` is the version expected at ``location``; None means there should be nothing. Anything else is
        `VersionMismatch`, and nothing is changed. (Where a provider cannot compare and swap, the store looks first.)
        Returns only if the provider's own checksum agreed with the bytes read from ``source``, else raises
        `BrokenAnswer` and has published nothing. Symbolic links, FIFOs, sockets and devices come with an empty
        source. The parent directory exists; if not, `NotFound`. An object of other content stays visible under the
        name until the new one is complete. The pieces of ``known`` belong to the object afterwards.
        """
        ...

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        """Make a directory; one that is already there is success, and gets the attributes.

        `VersionMismatch` if something else than a directory is there, `NotFound` without a parent.
        """
        ...

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        """Replace an object's attributes, its bytes untouched. ``version`` is empty for directories.

        `NotFound`; `VersionMismatch` if the content is another by now. May return a new version of the same bytes.
        """
        ...

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        """Give an object another name, directory, or both; returns its entry there, with the attributes it had.

        A file keeps its version: it says what the bytes are, and not where. (The caller records the version that it
        knew, whatever is returned: if others changed the file at the same moment, it has not seen their bytes.)
        Something at ``target`` is replaced if it is a file of version ``replaces``, and else `VersionMismatch`.
        Directories only with `Capabilities.directory_move`, and never onto anything. `NotFound` if ``source`` is
        gone, unless ``target`` is what it would have become.
        """
        ...

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        """Make ``target`` the same bytes as that version of ``source``; `Capabilities.server_copy` only."""
        ...

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        """Make ``target`` another name of the object at ``source``; `Capabilities.hard_links` only.

        A ``target`` that is that object already is success. The version is the same under both names, and the one it
        was before, as with `move`.
        """
        ...

    async def delete(self, location: Location, version: Version | None) -> None:
        """Delete a file of that version, or with None an empty directory. What is gone already is success.

        `VersionMismatch` if it is another version or another kind, `DirectoryNotEmpty`.
        """
        ...

    async def checksum(self, location: Location, version: Version) -> str:
        """The provider's checksum of a stored version, in the store's algorithm; empty if it has none."""
        ...

    async def digest(self, source: Source) -> str:
        """The same checksum over local bytes, to compare."""
        ...

    async def usage(self) -> Usage:
        """What ``df`` and ``status`` show."""
        ...

    async def aclose(self) -> None:
        """Give back what is held. The store is not used afterwards."""
        ...


def valid_name(name: bytes) -> bool:
    """Whether it may become a name in the mount: not empty, ``.`` or ``..``, without ``/`` and NUL, not too long."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name and len(name) <= NAME_MAX


def is_possible(entry: Entry) -> bool:
    """Whether there can be such a file in the mount."""
    return valid_name(entry.name) and 0 <= entry.size <= _SIZE_MAX
