"""A catalogue of its own for each test, and objects as a store would tell of them."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.nodes import Node
from cloudfs.stores.base import Entry
from cloudfs.types import ROOT, Attributes, LinkId, Version

DIRECTORY = stat.S_IFDIR | 0o755
REGULAR = stat.S_IFREG | 0o644
NOW = 1_700_000_000 * 10**9

Open = Callable[[], Catalog]


@pytest.fixture
def steps() -> list[str]:
    """The durable steps, in order."""
    return []


@pytest.fixture
def reopen(tmp_path: Path, steps: list[str]) -> Iterator[Open]:
    """Opens the catalogue; what was open before is gone, as after a crash: nothing was told that it would end."""
    opened: list[Catalog] = []

    def open_again() -> Catalog:
        if opened:
            opened.pop().close()
        opened.append(Catalog(tmp_path / "catalog.db", "memory:", (DIRECTORY, 5, 6), steps.append))
        return opened[-1]

    yield open_again
    for catalog in opened:
        catalog.close()


@pytest.fixture
def catalog(reopen: Open) -> Catalog:
    return reopen()


class Maker:
    """Makes names in a catalogue: desired ones, as applications do, or stored ones, as a listing tells them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def _node(self, mode: int, size: int, listed: int | None) -> Node:
        return self._catalog.nodes.insert(
            mode=mode, uid=1, gid=2, mtime_ns=NOW, now_ns=NOW, size=size, listed_ns=listed
        )

    def new(self, name: bytes, parent: int = ROOT, mode: int = REGULAR, size: int = 0, due: int = NOW) -> Link:
        with self._catalog:
            node = self._node(mode, size, NOW)
            return self._row(self._catalog.links.add(parent, name, node.ino, due))

    def stored(self, name: bytes, parent: int = ROOT, mode: int = REGULAR, size: int = 0, version: str = "v1") -> Link:
        with self._catalog:
            node = self._node(mode, size, NOW)
            told = entry(name, mode=mode, size=size, version=version)
            return self._row(self._catalog.links.known_from_store(parent, name, node.ino, told, 1, 1))

    def again(self, link: Link) -> Link:
        return self._row(link.id)

    def _row(self, link: LinkId) -> Link:
        row = self._catalog.links.get(link)
        assert row is not None
        return row


@pytest.fixture
def maker(catalog: Catalog) -> Maker:
    return Maker(catalog)


def attributes(mode: int = REGULAR, mtime: int = NOW, group: str = "", target: bytes = b"") -> Attributes:
    return Attributes(mode, 1, 2, mtime, link_group=group, target=target)


def entry(
    name: bytes,
    *,
    mode: int = REGULAR,
    size: int = 0,
    version: str = "v1",
    mtime: int = NOW,
    group: str = "",
    known: bool = True,
) -> Entry:
    """A row of a listing. Without ``known`` the store has no attributes for it."""
    is_directory = stat.S_ISDIR(mode)
    kept = attributes(mode, mtime, group) if known else None
    return Entry(name, is_directory, size, Version("" if is_directory else version), mtime, kept)
