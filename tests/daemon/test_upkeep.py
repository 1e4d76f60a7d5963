"""When a store may put itself in order."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from cloudfs.daemon.upkeep import Upkeep
from cloudfs.errors import Unavailable
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.writeback.health import Health


class Tidy(MemoryStore):
    """Notes when it was told to settle, and whether for the last time."""

    def __init__(self) -> None:
        super().__init__(MemoryTree())
        self.settled: list[bool] = []

    async def settle(self, *, last: bool) -> None:
        self.settled.append(last)


@pytest.fixture
def store() -> Tidy:
    return Tidy()


async def live(upkeep: Upkeep, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await upkeep.follow()


async def test_now_and_then_and_at_the_end(store: Tidy, autojump_clock: trio.testing.MockClock) -> None:
    upkeep = Upkeep(store, Health(read_only=False), lambda: 0)
    await live(upkeep, 22.0)
    assert store.settled == [False] * 4
    await upkeep.finish()
    assert store.settled[-1]


async def test_seldom_while_something_waits_to_be_stored(store: Tidy, autojump_clock: trio.testing.MockClock) -> None:
    upkeep = Upkeep(store, Health(read_only=False), lambda: 1)
    await live(upkeep, 290.0)
    assert store.settled == []
    await live(upkeep, 700.0)
    assert len(store.settled) == 2


async def test_never_if_nothing_may_be_written(store: Tidy, autojump_clock: trio.testing.MockClock) -> None:
    upkeep = Upkeep(store, Health(read_only=True), lambda: 0)
    await live(upkeep, 1000.0)
    await upkeep.finish()
    assert store.settled == []


async def test_not_while_the_store_is_away(store: Tidy, autojump_clock: trio.testing.MockClock) -> None:
    health = Health(read_only=False)
    health.failed(Unavailable("no way"))
    upkeep = Upkeep(store, health, lambda: 0)
    await live(upkeep, 100.0)
    await upkeep.finish()
    assert store.settled == []


async def test_a_store_that_needs_none() -> None:
    upkeep = Upkeep(MemoryStore(MemoryTree()), Health(read_only=False), lambda: 0)
    await upkeep.follow()
    await upkeep.finish()
