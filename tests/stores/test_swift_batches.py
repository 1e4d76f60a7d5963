"""Small files and deletions in one request: what others do meanwhile stays, and nothing is told that was not done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from cloudfs.errors import BrokenAnswer
from cloudfs.http.message import Answer
from cloudfs.stores.swift.account import SwiftAccount
from cloudfs.stores.swift.bulk import delete_many
from cloudfs.stores.swift.container import SwiftContainer
from cloudfs.stores.swift.store import SwiftStore
from tests.servers.swift import SwiftCluster
from tests.stores.conformance.bench import Bench
from tests.stores.swift import Box

THEIRS = b"what somebody else has just written"


@pytest.fixture
def box(swift_cluster: SwiftCluster) -> Box:
    return Box.make(swift_cluster)


@pytest.fixture
async def account(box: Box) -> AsyncIterator[SwiftAccount]:
    account = box.account()
    yield account
    await account.aclose()


class Overtaken:
    """An account at which another program saves ``file30`` as soon as an archive is unpacked."""

    def __init__(self, account: SwiftAccount, box: Box) -> None:
        self.archives = 0
        self._account = account
        self._box = box

    def __getattr__(self, name: str) -> Any:
        return getattr(self._account, name)

    async def send(self, method: str, path: str, *, query: Mapping[str, str] | None = None, **more: Any) -> Answer:
        answer = await self._account.send(method, path, query=query, **more)
        if query and "extract-archive" in query:
            self.archives += 1
            with self._box.raw() as raw:
                raw("PUT", "file30", THEIRS)
        return answer


async def test_what_somebody_else_stores_after_the_archive_stays(box: Box, account: SwiftAccount) -> None:
    overtaken = Overtaken(account, box)
    store = SwiftStore(cast(SwiftAccount, overtaken), box.offer, box.container, segment_size=1 << 20, batch_after=1)
    bench = Bench(store, store)
    refused = await bench.put_at_once([b"file%02d" % number for number in range(40)], b"ours")
    assert overtaken.archives
    assert refused == [b"file30"]
    with box.raw() as raw:
        assert len(raw.names()) == 40
        assert raw("GET", "file30").content == THEIRS


async def test_a_deletion_of_too_many_at_once_is_told(box: Box, account: SwiftAccount) -> None:
    """The provider takes fewer names at once than it said when it was asked."""
    container = SwiftContainer(account, box.container)
    await container.put("file", b"content", {})
    names = ["file", *(f"none{number}" for number in range(10_000))]
    with pytest.raises(BrokenAnswer, match="Maximum Bulk Deletes"):
        await delete_many(account, container, names, 20_000)
    assert await container.head("file") is not None
