"""The stores that have to keep the promises. One joins by naming itself here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from cloudfs.stores.attributes import AttributesStore
from cloudfs.stores.base import Capabilities, Entry, Store
from cloudfs.stores.faults import FaultPlan, FaultyStore
from cloudfs.stores.local import LocalStore
from cloudfs.stores.memory import EVERYTHING, MemoryStore
from cloudfs.stores.memory_tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.types import Attributes
from tests.stores.conformance.bench import Bench

PAGE = 7
"""Entries in a page of a listing, so that small directories have several."""


def local(directory: Path) -> Bench:
    return Bench.of(lambda: LocalStore(directory, page=PAGE))


def local_with_named_drafts(directory: Path) -> Bench:
    """As on a file system that has no files without names."""
    return Bench.of(lambda: LocalStore(directory, durable=False, unnamed_drafts=False, page=PAGE))


def memory(capabilities: Capabilities) -> Callable[[Path], Bench]:
    def make(_: Path) -> Bench:
        tree, by_id = MemoryTree(), capabilities.stable_identities
        return Bench.of(lambda: MemoryStore(tree, capabilities, page=PAGE, walks=True, feeds=by_id))

    return make


def with_sidecars(capabilities: Capabilities) -> Callable[[Path], Bench]:
    """A store that keeps no attributes, in a wrapper that does."""

    def make(_: Path) -> Bench:
        tree = MemoryTree()
        by_id = capabilities.stable_identities

        def client() -> Store:
            return AttributesStore(MemoryStore(tree, capabilities, page=PAGE, walks=True, feeds=by_id), nobody)

        return Bench.of(client)

    return make


def nobody(entry: Entry) -> Attributes:
    """Attributes that no test gives to anything, so that all have to be recorded."""
    return Attributes(mode=0, uid=4_294_967_294, gid=4_294_967_294, mtime_ns=entry.mtime_ns)


def faulty(_: Path) -> Bench:
    """A wrapper that changes nothing, as long as nothing is planned."""
    tree = MemoryTree()
    store: Store = FaultyStore(MemoryStore(tree, page=PAGE), FaultPlan())
    return Bench(store, MemoryStore(tree, page=PAGE))


STORES: Mapping[str, Callable[[Path], Bench]] = {
    "local": local,
    "local-named-drafts": local_with_named_drafts,
    "memory": memory(EVERYTHING),
    "memory-bare": memory(Capabilities(attributes=True, checksum=ALGORITHM, max_size=1 << 40)),
    "memory-plain": memory(Capabilities(checksum=ALGORITHM)),
    "memory-ids": memory(replace(EVERYTHING, stable_identities=True, hard_links=False)),
    "sidecars": with_sidecars(Capabilities(server_copy=True, directory_move=True, checksum=ALGORITHM)),
    "sidecars-bare": with_sidecars(Capabilities()),
    "sidecars-ids": with_sidecars(
        Capabilities(stable_identities=True, directory_move=True, case_sensitive=False, checksum=ALGORITHM)
    ),
    "faulty": faulty,
}


@pytest.fixture(params=STORES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    directory = tmp_path / "store"
    directory.mkdir()
    return STORES[request.param](directory)
