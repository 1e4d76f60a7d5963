"""A store that keeps attributes apart from the bytes: what got there without them gets them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cloudfs.stores.attributes.format import SIDECAR
from cloudfs.stores.attributes.store import AttributesStore
from cloudfs.stores.base import Capabilities, Entry, Location
from cloudfs.stores.faults import FaultPlan, FaultyStore, LoseAnswer, Refuse
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.types import Attributes
from cloudfs.vfs.attributes import Change
from tests.writeback.rig import mounted

CAPABILITIES = [
    Capabilities(checksum=ALGORITHM, directory_move=True),
    Capabilities(checksum=ALGORITHM, directory_move=True, stable_identities=True),
]


def nobody(entry: Entry) -> Attributes:
    return Attributes(mode=0, uid=4_294_967_294, gid=0, mtime_ns=entry.mtime_ns)


@pytest.mark.parametrize("can", CAPABILITIES, ids=["path", "id"])
@pytest.mark.parametrize("fault", [Refuse(), LoseAnswer()], ids=["refused", "answer lost"])
async def test_attributes_whose_record_was_not_stored_follow(
    tmp_path: Path, tree: MemoryTree, can: Capabilities, fault: Refuse | LoseAnswer
) -> None:
    plan = FaultPlan()
    async with mounted(tmp_path, AttributesStore(FaultyStore(MemoryStore(tree, can), plan), nobody)) as rig:
        plan.add("put", fault, path=SIDECAR)
        await rig.mkdir(b"d")
        await rig.create(b"file", b"content")
        await rig.change(b"file", Change(mode=0o640, uid=5, mtime_ns=1_234_567_890_123))
        await rig.drain()
        assert plan.pending == 0
        await rig.rename(b"file", b"d/moved")
        plan.add("put", fault, path=b"d/" + SIDECAR)
        await rig.drain()
        assert plan.pending == 0
        fresh = AttributesStore(MemoryStore(tree, can), nobody)
        directory = (await fresh.list(Location(b""))).entries
        assert [entry.name for entry in directory] == [b"d"]
        (entry,) = (await fresh.list(Location(b"d", directory[0].identity))).entries
        assert entry.attributes == Attributes(stat.S_IFREG | 0o640, 5, entry.attributes.gid, 1_234_567_890_123)  # type: ignore[union-attr]
        assert not [name for name in tree.root.children if b"conflict" in name]
