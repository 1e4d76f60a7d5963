"""Providers that list fewer names at once than others, or than they are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from cloudfs.http.message import Answer, Headers
from cloudfs.stores.base import Location
from cloudfs.stores.swift.account import Offer, SwiftAccount
from cloudfs.stores.swift.store import SwiftStore
from tests.servers.swift import SwiftCluster
from tests.stores.conformance.bench import Bench, content
from tests.stores.swift import Box

MEBI = 1 << 20
MOST = 1000
"""Rows; Swift gives 10,000."""


class Account:
    """One of a provider that gives at most ``most`` rows, whatever it is asked for."""

    def __init__(self, account: SwiftAccount, most: int) -> None:
        self._account = account
        self._most = most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._account, name)

    async def send(self, method: str, path: str, *, query: Mapping[str, str] | None = None, **more: Any) -> Answer:
        if query and "format" in query:
            wanted = int(query.get("limit", self._most))
            if refused := self._refusal(wanted):
                return refused
            query = {**query, "limit": str(min(wanted, self._most))}
        return await self._account.send(method, path, query=query, **more)

    def _refusal(self, wanted: int) -> Answer | None:
        return None


class StrictAccount(Account):
    """One of a provider that does not answer who asks for more. That is why it says what it gives."""

    def _refusal(self, wanted: int) -> Answer | None:
        if wanted <= self._most:
            return None
        return Answer(412, Headers(), f"Maximum limit is {self._most}".encode())


@pytest.fixture
def box(swift_cluster: SwiftCluster) -> Box:
    return Box.make(swift_cluster)


@asynccontextmanager
async def opened(box: Box, account: type[Account], most: int, offer: Offer) -> AsyncIterator[Bench]:
    def client() -> SwiftStore:
        limited = cast(SwiftAccount, account(box.account(), most))
        return SwiftStore(limited, offer, box.container, segment_size=MEBI, batch_after=1)

    bench = Bench.of(client)
    yield bench
    await bench.aclose()


async def test_short_pages_hide_nothing(box: Box) -> None:
    names = [b"file%02d" % number for number in range(25)]
    with box.raw() as raw:
        for name in names:
            raw("PUT", name.decode(), b"content")
    async with opened(box, Account, 10, Offer()) as bench:
        assert await bench.names() == names
        assert bench.store.walker is not None
        async for listing in bench.store.walker.walk(Location(b"")):
            assert sorted(entry.name for entry in listing.entries) == names


async def test_short_pages_do_not_have_small_files_overwritten(box: Box) -> None:
    """Of forty names that leave together those in the middle are taken, and not on the first page."""
    names = [b"file%02d" % number for number in range(40)]
    taken = names[15:25]
    with box.raw() as raw:
        for name in taken:
            raw("PUT", name.decode(), b"old")
    async with opened(box, Account, 3, replace(box.offer, full_pages=False)) as bench:
        assert await bench.put_at_once(names, b"new") == taken
        assert await bench.names() == names
        assert [await bench.read(name) for name in taken] == [b"old"] * len(taken)


async def test_small_files_leave_together_with_a_limit(box: Box) -> None:
    names = [b"file%02d" % number for number in range(40)]
    async with opened(box, StrictAccount, MOST, replace(box.offer, page=MOST)) as bench:
        assert await bench.put_at_once(names, b"new") == []
        assert await bench.names() == names


async def test_segments_are_deleted_with_a_limit(box: Box) -> None:
    async with opened(box, StrictAccount, MOST, replace(box.offer, page=MOST)) as bench:
        entry = await bench.put(b"large", content(3 * MEBI))
        await bench.delete(b"large", entry.version)
    with box.raw() as raw:
        assert raw.names(f"{box.container}_segments") == []
