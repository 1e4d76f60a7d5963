"""What ``df`` shows: a store that is long in telling its use keeps nobody waiting for long."""

from __future__ import annotations

from pathlib import Path

import trio

from cloudfs.stores.base import Usage
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from tests.writeback.rig import mounted

MINUTE = 60.0


class Slow(MemoryStore):
    async def usage(self) -> Usage:
        await trio.sleep(MINUTE)
        return Usage(used=1, total=2)


async def test_only_the_first_one_waits_and_only_for_a_moment(tmp_path: Path) -> None:
    async with mounted(tmp_path, Slow(MemoryTree(), EVERYTHING)) as rig, trio.open_nursery() as nursery:
        nursery.start_soon(rig.capacity.follow)
        began = trio.current_time()
        assert await rig.capacity.usage() is None
        first = trio.current_time() - began
        assert await rig.capacity.usage() is None
        assert 0 < first == trio.current_time() - began < MINUTE / 2
        await trio.sleep(MINUTE)
        assert await rig.capacity.usage() == Usage(used=1, total=2)
        nursery.cancel_scope.cancel()
