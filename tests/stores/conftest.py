"""The stores that have to keep the promises. One joins by naming itself here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from cloudfs.stores.attributes.store import AttributesStore
from cloudfs.stores.base import Capabilities, Entry, Store
from cloudfs.stores.faults import FaultPlan, FaultyStore
from cloudfs.stores.local.store import LocalStore
from cloudfs.stores.memory.store import EVERYTHING, MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.types import Attributes
from tests.emulators.onedrive.mischief import misbehave
from tests.emulators.running import Running, running
from tests.servers.swift import SwiftCluster
from tests.stores.conformance.bench import Bench
from tests.stores.insistent import Insistent
from tests.stores.onedrive import Account
from tests.stores.swift import Box
from tests.stores.ubuntuone import Folder

PAGE = 7
STRIDE = 67
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


def pieces_in_memory(_: Path) -> Bench:
    """A store that takes large files before they are complete."""
    tree = MemoryTree()
    return Bench.of(lambda: MemoryStore(tree, page=PAGE, piece_size=1 << 16))


STORES: Mapping[str, Callable[[Path], Bench]] = {
    "local": local,
    "local-named-drafts": local_with_named_drafts,
    "memory": memory(EVERYTHING),
    "memory-bare": memory(Capabilities(attributes=True, checksum=ALGORITHM, max_size=1 << 40)),
    "memory-plain": memory(Capabilities(checksum=ALGORITHM)),
    "memory-ids": memory(replace(EVERYTHING, stable_identities=True, hard_links=False)),
    "memory-pieces": pieces_in_memory,
    "sidecars": with_sidecars(Capabilities(server_copy=True, directory_move=True, checksum=ALGORITHM)),
    "sidecars-bare": with_sidecars(Capabilities()),
    "sidecars-ids": with_sidecars(
        Capabilities(stable_identities=True, directory_move=True, case_sensitive=False, checksum=ALGORITHM)
    ),
    "faulty": faulty,
}


def onedrive(kind: str) -> Callable[[Running], Bench]:
    """Without attributes of its own, and with times in seconds."""
    return lambda emulator: Bench.of(Account.make(emulator, kind).store, STRIDE)


def onedrive_with_sidecars(kind: str) -> Callable[[Running], Bench]:
    """As it is mounted."""

    def make(emulator: Running) -> Bench:
        account = Account.make(emulator, kind)
        return Bench.of(lambda: AttributesStore(account.store(), nobody), STRIDE)

    return make


AT_ONEDRIVE: Mapping[str, Callable[[Running], Bench]] = {
    "onedrive-personal": onedrive("personal"),
    "onedrive-business": onedrive("business"),
    "onedrive-library": onedrive_with_sidecars("documentLibrary"),
    "onedrive-sidecars": onedrive_with_sidecars("personal"),
}


IN_TROUBLE = "onedrive-in-trouble"


def onedrive_in_trouble(emulator: Running) -> Bench:
    """Where now and then everything goes wrong that has been seen to go wrong, and the caller does not give up."""
    account = Account.make(emulator)
    misbehave(emulator, "500, 502, 504", "busy parts of batches", "lost answers", "broken connections")
    misbehave(emulator, "partial acceptance", "empty final bodies", "sessions that end", "short downloads")
    return Bench.of(lambda: Insistent(AttributesStore(account.store(), nobody)), STRIDE)


@pytest.fixture(scope="session")
def onedrive_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests: each makes itself an account."""
    with running("onedrive", tmp_path_factory.mktemp("onedrive")) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def onedrive_emulator_in_trouble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("onedrive", tmp_path_factory.mktemp("onedrive-in-trouble")) as emulator:
        yield emulator


def ubuntuone(*, ranges: bool) -> Callable[[Running], Bench]:
    """As it is mounted: it has no attributes of its own, and no times but the server's."""

    def make(emulator: Running) -> Bench:
        folder = Folder.make(emulator, ranges=ranges)
        return Bench.of(lambda: AttributesStore(folder.store(), nobody), STRIDE, swaps=False)

    return make


AT_UBUNTUONE: Mapping[str, Callable[[Running], Bench]] = {
    "ubuntuone": ubuntuone(ranges=False),
    "ubuntuone-ranges": ubuntuone(ranges=True),
}


@pytest.fixture(scope="session")
def ubuntuone_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests: each makes itself a cloud folder."""
    with running("ubuntuone", tmp_path_factory.mktemp("ubuntuone")) as emulator:
        yield emulator


def swift(without: Collection[str] = (), prefix: str = "", **options: int) -> Callable[[SwiftCluster], Bench]:
    """On a front end that lacks some middlewares."""

    def make(cluster: SwiftCluster) -> Bench:
        box = Box.make(cluster, without)
        hasty = box.store(prefix, patience=1.0, **options)
        return Bench.of(lambda: box.store(prefix, **options), STRIDE, swaps=False, hasty=hasty)

    return make


AT_SWIFT: Mapping[str, Callable[[SwiftCluster], Bench]] = {
    "swift": swift(),
    "swift-segments": swift(segment_size=1 << 20, prefix="some/where"),
    "swift-batches": swift(batch_after=1, segment_size=16 << 20),
    "swift-plain": swift(without=("bulk", "slo", "symlink"), segment_size=4 << 20),
    "swift-bare": swift(without=("bulk", "slo", "dlo", "symlink")),
}


@pytest.fixture(params=[*STORES, *AT_ONEDRIVE, IN_TROUBLE, *AT_UBUNTUONE, *AT_SWIFT])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == IN_TROUBLE:
        if request.path.name == "test_interruption.py":
            pytest.skip("takes minutes, and is tried without trouble")
        emulator = request.getfixturevalue("onedrive_emulator_in_trouble")
        emulator.control("trouble", "DELETE")
        made = onedrive_in_trouble(emulator)
    elif request.param in AT_ONEDRIVE:
        made = AT_ONEDRIVE[request.param](request.getfixturevalue("onedrive_emulator"))
    elif request.param in AT_SWIFT:
        made = AT_SWIFT[request.param](request.getfixturevalue("swift_cluster"))
    elif request.param in AT_UBUNTUONE:
        made = AT_UBUNTUONE[request.param](request.getfixturevalue("ubuntuone_emulator"))
    else:
        directory = tmp_path / "store"
        directory.mkdir()
        made = STORES[request.param](directory)
    yield made
    trio.run(made.aclose)
