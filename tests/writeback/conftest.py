"""A mount in virtual time, and assertions that explain themselves also where they are not in a test module."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudfs.stores.base import Capabilities
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from tests.writeback.clock import run_virtually
from tests.writeback.rig import Rig, mounted

pytest.register_assert_rewrite("tests.writeback.play")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    run_virtually(items, Path(__file__).parent)


@pytest.fixture
def can() -> Capabilities:
    """What the store can do; a test that is about it says otherwise by a parameter of this name."""
    return EVERYTHING


@pytest.fixture
def tree() -> MemoryTree:
    return MemoryTree()


@pytest.fixture
def store(tree: MemoryTree, can: Capabilities) -> MemoryStore:
    """The store without its faults: it counts the calls that arrive."""
    return MemoryStore(tree, can)


@pytest.fixture
async def rig(tmp_path: Path, store: MemoryStore) -> AsyncIterator[Rig]:
    async with mounted(tmp_path, store, cache_time=600.0) as rig:
        yield rig
