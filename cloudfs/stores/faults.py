"""A store that fails when it is told to: put around another one, it does everything a bad network and provider do.

What goes wrong is programmed in a `FaultPlan`, call by call, so a test says exactly when, and the same happens each
time. Nothing here waits for a clock: a slow call waits at a gate until somebody opens it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import trio

from cloudfs.errors import AccessDenied, QuotaExceeded, SignInRequired, StoreError, StoreReadOnly, Unavailable
from cloudfs.stores.base import (
    NOTHING_KNOWN,
    Changes,
    Entry,
    Feed,
    Known,
    Listing,
    Location,
    Page,
    Piece,
    Pieces,
    Source,
    Store,
    Transfer,
    Usage,
    Walker,
)
from cloudfs.types import Attributes, Extent, Version

T = TypeVar("T")
Proceed = Callable[[], Awaitable[Any]]
"""Makes the call; what the fault does not change it returns."""


class Fault(Protocol):
    """What happens to a call instead of, or besides, the call itself."""

    async def around(self, proceed: Proceed) -> Any: ...


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call fails before anything has happened."""

    error: StoreError = field(default_factory=lambda: Unavailable("the network is away"))

    async def around(self, proceed: Proceed) -> Any:
        await trio.lowlevel.checkpoint()
        raise self.error


@dataclass(frozen=True, slots=True)
class LoseAnswer:
    """The call happens, but the caller does not get to know."""

    error: StoreError = field(default_factory=lambda: Unavailable("the connection broke before the answer came"))

    async def around(self, proceed: Proceed) -> Any:
        await proceed()
        raise self.error


@dataclass(frozen=True, slots=True)
class Hold:
    """The call waits at ``gate``, and whoever opens it knows by ``reached`` that it is there.

    With ``answered`` it waits after it has happened: what is held back is the answer. What happens ``then`` may be
    another fault.
    """

    gate: trio.Event = field(default_factory=trio.Event)
    reached: trio.Event = field(default_factory=trio.Event)
    answered: bool = False
    then: Fault | None = None

    async def around(self, proceed: Proceed) -> Any:
        answer = await proceed() if self.answered else None
        self.reached.set()
        await self.gate.wait()
        if self.then is not None:
            return await self.then.around(proceed)
        return answer if self.answered else await proceed()


@dataclass(frozen=True, slots=True)
class Alter:
    """The answer is another one: `shortened`, `flipped`, `with_entries`, or what you like."""

    change: Callable[[Any], Any]

    async def around(self, proceed: Proceed) -> Any:
        return self.change(await proceed())


@dataclass(frozen=True, slots=True)
class Cut:
    """An upload breaks off after that many bytes of the source."""

    after: int
    error: StoreError = field(default_factory=lambda: Unavailable("the connection broke while sending"))

    async def around(self, proceed: Proceed) -> Any:
        return await proceed()


def shortened(data: bytes) -> bytes:
    return data[:-1]


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def with_entries(*entries: Entry) -> Callable[[Page], Page]:
    """Entries that are not there, before those that are."""
    return lambda page: Page([*entries, *page.entries], page.cursor)


def with_sizes(size: int) -> Callable[[Page], Page]:
    """Every file of a listing has a wrong size."""

    def lie(entry: Entry) -> Entry:
        return entry if entry.is_directory else replace(entry, size=size)

    return lambda page: Page([lie(entry) for entry in page.entries], page.cursor)


HOSTILE_NAMES: Sequence[bytes] = (b"", b".", b"..", b"a/b", b"../escape", b"/etc", b"nul\0", b"x" * 256)
"""What no name in a mount may be, and a broken or malicious store says all the same."""


class Weather(Enum):
    """What holds for all calls until further notice."""

    FAIR = auto()
    OFFLINE = auto()
    THROTTLED = auto()
    READ_ONLY = auto()
    FULL = auto()
    FORBIDDEN = auto()
    SIGNED_OUT = auto()


_TAKES_ROOM = frozenset({"put", "copy", "make_directory", "put_piece"})
_CHANGES = _TAKES_ROOM | {"set_attributes", "move", "link", "delete"}
_ALL = _CHANGES | {"list", "walk", "stat", "read", "checksum", "usage", "changes", "read_piece", "drop_piece"}

_WEATHER: Mapping[Weather, tuple[frozenset[str], Callable[[], StoreError]]] = MappingProxyType(
    {
        Weather.OFFLINE: (_ALL, lambda: Unavailable("the network is away")),
        Weather.THROTTLED: (_ALL, lambda: Unavailable("too many requests", retry_after=0.01)),
        Weather.READ_ONLY: (_CHANGES, lambda: StoreReadOnly("the store is read-only")),
        Weather.FULL: (_TAKES_ROOM, lambda: QuotaExceeded("the store is full")),
        Weather.FORBIDDEN: (_CHANGES, lambda: AccessDenied("the store does not permit that")),
        Weather.SIGNED_OUT: (_ALL, lambda: SignInRequired("the account has to sign in again")),
    }
)
"""Which calls fail, and how."""


@dataclass(frozen=True, slots=True)
class _Rule:
    method: str
    path: bytes | None
    fault: Fault


class FaultPlan:
    """The calls that will go wrong, in the order in which they were planned. Each plan is used up by one call."""

    def __init__(self) -> None:
        self.weather = Weather.FAIR
        self._rules: list[_Rule] = []

    def add(self, method: str, fault: Fault, *, path: bytes | None = None, times: int = 1) -> None:
        """The next ``times`` calls of ``method`` (of that path, if one is given) meet ``fault``."""
        assert method in _ALL, method
        self._rules += [_Rule(method, path, fault)] * times

    @property
    def pending(self) -> int:
        """How many faults nobody has met yet."""
        return len(self._rules)

    def clear(self) -> None:
        """From now on all is well."""
        self._rules.clear()
        self.weather = Weather.FAIR

    def take(self, method: str, location: Location) -> Fault | None:
        """What this call meets."""
        if self.weather in _WEATHER:
            methods, error = _WEATHER[self.weather]
            if method in methods:
                return Refuse(error())
        for number, rule in enumerate(self._rules):
            if rule.method == method and rule.path in (None, location.path):
                return self._rules.pop(number).fault
        return None


class FaultyStore:
    """Another store, with the faults of a plan. A call of two places counts for its target."""

    def __init__(self, inner: Store, plan: FaultPlan) -> None:
        self.capabilities = inner.capabilities
        self.pieces = None if inner.pieces is None else _FaultyPieces(inner.pieces, plan)
        self.walker = None if inner.walker is None else _FaultyWalker(inner.walker, plan)
        self.feed = None if inner.feed is None else _FaultyFeed(inner.feed, plan)
        self._inner = inner
        self._plan = plan

    async def list(self, directory: Location, cursor: str | None = None) -> Page:
        return await self._call("list", directory, lambda: self._inner.list(directory, cursor))

    async def stat(self, location: Location) -> Entry:
        return await self._call("stat", location, lambda: self._inner.stat(location))

    async def read(self, location: Location, version: Version, start: int, stop: int) -> bytes:
        return await self._call("read", location, lambda: self._inner.read(location, version, start, stop))

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
        fault = self._plan.take("put", location)
        sent = _CutSource(source, fault) if isinstance(fault, Cut) else source

        async def proceed() -> Entry:
            return await self._inner.put(location, sent, attributes, replaces=replaces, transfer=transfer, known=known)

        return await _meet(fault, proceed)

    async def make_directory(self, location: Location, attributes: Attributes) -> Entry:
        return await self._call("make_directory", location, lambda: self._inner.make_directory(location, attributes))

    async def set_attributes(self, location: Location, version: Version, attributes: Attributes) -> Entry:
        return await self._call(
            "set_attributes", location, lambda: self._inner.set_attributes(location, version, attributes)
        )

    async def move(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        return await self._call("move", target, lambda: self._inner.move(source, target, replaces=replaces))

    async def copy(
        self,
        source: Location,
        version: Version,
        target: Location,
        attributes: Attributes,
        *,
        replaces: Version | None = None,
    ) -> Entry:
        return await self._call(
            "copy", target, lambda: self._inner.copy(source, version, target, attributes, replaces=replaces)
        )

    async def link(self, source: Location, target: Location, *, replaces: Version | None = None) -> Entry:
        return await self._call("link", target, lambda: self._inner.link(source, target, replaces=replaces))

    async def delete(self, location: Location, version: Version | None) -> None:
        await self._call("delete", location, lambda: self._inner.delete(location, version))

    async def checksum(self, location: Location, version: Version) -> str:
        return await self._call("checksum", location, lambda: self._inner.checksum(location, version))

    async def digest(self, source: Source) -> str:
        return await self._inner.digest(source)

    async def usage(self) -> Usage:
        return await self._call("usage", Location(b""), self._inner.usage)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _call(self, method: str, location: Location, proceed: Callable[[], Awaitable[T]]) -> T:
        return await _meet(self._plan.take(method, location), proceed)


async def _meet(fault: Fault | None, proceed: Callable[[], Awaitable[T]]) -> T:
    if fault is None:
        return await proceed()
    answer: T = await fault.around(proceed)
    return answer


class _FaultyPieces:
    """A call for a piece that is there already counts for no place."""

    def __init__(self, inner: Pieces, plan: FaultPlan) -> None:
        self.size = inner.size
        self._inner = inner
        self._plan = plan

    async def put(self, location: Location, source: Source, start: int, stop: int) -> Piece:
        fault = self._plan.take("put_piece", location)
        sent = _CutSource(source, fault) if isinstance(fault, Cut) else source
        return await _meet(fault, lambda: self._inner.put(location, sent, start, stop))

    async def read(self, piece: Piece, start: int, stop: int) -> bytes:
        fault = self._plan.take("read_piece", Location(b""))
        return await _meet(fault, lambda: self._inner.read(piece, start, stop))

    async def drop(self, piece: Piece) -> None:
        await _meet(self._plan.take("drop_piece", Location(b"")), lambda: self._inner.drop(piece))


class _FaultyWalker:
    """A fault meets the beginning of a walk, or with `Alter` each of its listings."""

    def __init__(self, inner: Walker, plan: FaultPlan) -> None:
        self._inner = inner
        self._plan = plan

    async def walk(self, directory: Location) -> AsyncGenerator[Listing, None]:
        fault = self._plan.take("walk", directory)
        await _meet(None if isinstance(fault, Alter) else fault, trio.lowlevel.checkpoint)
        async with aclosing(self._inner.walk(directory)) as listings:
            async for listing in listings:
                yield fault.change(listing) if isinstance(fault, Alter) else listing


class _FaultyFeed:
    def __init__(self, inner: Feed, plan: FaultPlan) -> None:
        self._inner = inner
        self._plan = plan

    async def changes(self, cursor: str | None) -> Changes:
        answer: Changes = await _meet(self._plan.take("changes", Location(b"")), lambda: self._inner.changes(cursor))
        return answer


class _CutSource:
    """A source that cannot be read beyond some number of bytes, all reads together."""

    def __init__(self, source: Source, cut: Cut) -> None:
        self.size = source.size
        self._source = source
        self._cut = cut
        self._left = cut.after

    def extents(self) -> Sequence[Extent]:
        return self._source.extents()

    async def read(self, start: int, stop: int) -> bytes:
        self._left -= stop - start
        if self._left < 0:
            await trio.lowlevel.checkpoint()
            raise self._cut.error
        return await self._source.read(start, stop)
