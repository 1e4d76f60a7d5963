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
    """Notes how it was told to settle."""

    def __init__(self) -> None:
        super().__init__(MemoryTree())
        self.settled: list[str] = []

    async def settle(self, *, busy: bool = False, last: bool = False) -> None:
        self.settled.append("last" if last else "busy" if busy else "idle")


@pytest.fixture
def store() -> Tidy:
    return Tidy()


async def live(upkeep: Upkeep, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await upkeep.follow()


async def test_now_and_then_and_at_the_end(store: Tidy, autojump_clock: trio.testing.MockClock) -> None:
    upkeep = Upkeep(store, Health(read_only=False), lambda: 0)
    await live(upkeep, 22.0)
    assert store.settled == ["idle"] * 4
    await upkeep.finish()
    assert store.settled[-1] == "last"


async def test_it_knows_whether_something_waits_to_be_stored(
    store: Tidy, autojump_clock: trio.testing.MockClock
) -> None:
    await live(Upkeep(store, Health(read_only=False), lambda: 1), 11.0)
    assert store.settled == ["busy"] * 2


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
