"""The end of a mount, as its clients see it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from cloudfs.daemon.ending import Ending
from cloudfs.daemon.notify import Notifier
from cloudfs.daemon.status import Status
from cloudfs.errors import UsageError

STORED: Mapping[str, Any] = {"parked": [], "pending": {"files": 0, "bytes": 0}}


class Uploads:
    """What `Ending` asks of a `Status`: everything is stored when a test says so."""

    def __init__(self) -> None:
        self.stored = trio.Event()

    async def wait(self, paths: list[str], timeout: float | None, report: object) -> Mapping[str, Any]:
        await self.stored.wait()
        return STORED


async def test_the_driver_lives_until_the_client_has_its_answer(nursery: trio.Nursery) -> None:
    """Also if another client has tried before, and found the mount in use."""
    uploads = Uploads()
    ending = Ending(Path("/mnt"), cast(Status, uploads), Notifier(None), lambda: None, None)
    happened: list[str] = []

    async def busy(event: dict[str, Any]) -> None:
        raise UsageError("in use")

    async def unmounts(event: dict[str, Any]) -> None:
        pass

    async def client() -> None:
        assert await ending.unmounting(None, unmounts) == STORED
        happened.append("answered")

    async def driver() -> None:
        await ending.finish()
        happened.append("ended")

    with pytest.raises(UsageError):
        await ending.unmounting(None, busy)
    nursery.start_soon(client)
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(driver)
    await trio.testing.wait_all_tasks_blocked()
    assert happened == []
    uploads.stored.set()
    await trio.testing.wait_all_tasks_blocked()
    assert happened == ["answered", "ended"]
