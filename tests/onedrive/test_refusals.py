"""What OneDrive refuses, and does not mean like that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from cloudfs.errors import NotFound
from cloudfs.stores.base import Location
from cloudfs.stores.onedrive.store import OneDriveStore
from tests.emulators.running import Running
from tests.stores.onedrive import Account

RPS = {"error": {"code": "InvalidAuthenticationToken", "message": "Unable to initialize RPS"}}


@pytest.fixture
async def store(account: Account) -> AsyncIterator[OneDriveStore]:
    store = account.store()
    yield store
    await store.aclose()


async def test_a_part_of_a_batch_that_is_not_let_in_is_asked_for_by_itself(
    onedrive: Running, store: OneDriveStore
) -> None:
    """Nobody has to sign in for that."""
    onedrive.control("trouble", do="part", status=401, body=RPS, times=3)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(store.stat, Location(b""))
    assert onedrive.control("counts", "GET")["happened"] == {"part": 3}


async def test_a_cursor_that_makes_no_sense_to_graph_is_gone(store: OneDriveStore) -> None:
    assert store.feed is not None
    cursor = (await store.feed.changes(None)).cursor
    with pytest.raises(NotFound):
        await store.feed.changes(cursor.partition("token=")[0] + "token=mangled")
