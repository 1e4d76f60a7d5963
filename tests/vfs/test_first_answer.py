"""A mount that begins while its store is silent: not an answer is not as good as an answer."""

from __future__ import annotations

from pathlib import Path

import trio

from cloudfs.stores.base import Entry, Location
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.writeback.health import State
from tests.writeback.rig import mounted


class Silent(MemoryStore):
    """Says nothing of its root for a while, and lists nothing."""

    silence = 60.0

    async def stat(self, location: Location) -> Entry:
        if not location.path:
            await trio.sleep(self.silence)
        return await super().stat(location)


async def test_it_is_off_line_until_the_store_answers(tmp_path: Path) -> None:
    store = Silent(MemoryTree(), EVERYTHING)
    async with mounted(tmp_path, store) as rig:
        assert (rig.health.state, "has not answered" in rig.health.reason) == (State.OFFLINE, True)
        await rig.create(b"file", b"content")
        store.silence = 0.0
        await trio.sleep(3600)
        assert rig.health.state is State.ONLINE
