"""A catalogue as a whole: what survives, whom it belongs to, and when an inode is gone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from cloudfs.catalog.catalog import Catalog
from cloudfs.errors import NotFound, UsageError
from cloudfs.types import ROOT
from tests.catalog.conftest import DIRECTORY, Maker, Open


def test_a_new_one_has_a_root_and_nothing_to_do(catalog: Catalog) -> None:
    root = catalog.nodes.get(ROOT)
    assert (root.mode, root.uid, root.gid, root.nlink) == (DIRECTORY, 5, 6, 2)
    assert root.listed_ns is None
    assert catalog.pending.count() == 0
    assert catalog.links.directory(ROOT).in_place


def test_it_is_the_same_after_a_restart(reopen: Open) -> None:
    first = reopen().uuid
    assert reopen().uuid == first


def test_it_belongs_to_one_source(reopen: Open, tmp_path: Path) -> None:
    reopen().close()
    with pytest.raises(UsageError, match="belongs to memory:, not to local:/other"):
        Catalog(tmp_path / "catalog.db", "local:/other", (DIRECTORY, 0, 0), lambda step: None)


def test_another_format_is_refused(reopen: Open, tmp_path: Path) -> None:
    reopen().close()
    with sqlite3.connect(tmp_path / "catalog.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(UsageError, match="another version"):
        reopen()


def test_only_its_owner_may_read_it(catalog: Catalog, tmp_path: Path) -> None:
    assert (tmp_path / "catalog.db").stat().st_mode & 0o777 == 0o600


def test_transactions_nest_and_the_outermost_ends_them(catalog: Catalog, maker: Maker, steps: list[str]) -> None:
    steps.clear()
    with catalog:
        maker.new(b"a")
        assert steps == []
    assert steps == ["done"]


def test_a_failure_takes_the_whole_transaction_back(catalog: Catalog, maker: Maker) -> None:
    with pytest.raises(ZeroDivisionError), catalog:
        maker.new(b"a")
        raise ZeroDivisionError
    assert catalog.links.find(ROOT, b"a") is None


def test_a_lazy_transaction_ends_with_the_next(catalog: Catalog, maker: Maker, steps: list[str]) -> None:
    steps.clear()
    with catalog.lazily():
        maker.new(b"a")
    assert steps == []
    maker.new(b"b")
    assert steps == ["done"]


def test_a_lazy_transaction_can_be_settled(reopen: Open, steps: list[str]) -> None:
    catalog = reopen()
    with catalog.lazily():
        Maker(catalog).new(b"a")
    catalog.database.settle()
    assert reopen().links.find(ROOT, b"a") is not None


# --- inodes without names ---------------------------------------------------------------------------------------------


def _orphan(catalog: Catalog, maker: Maker) -> int:
    link = maker.new(b"a")
    node = catalog.nodes.get(link.ino)
    with catalog:
        node.nlink = 0
        catalog.nodes.save(node)
        catalog.links.drop(link.id)
    return link.ino


def test_what_nobody_uses_is_reaped(catalog: Catalog, maker: Maker) -> None:
    ino = _orphan(catalog, maker)
    with catalog:
        catalog.reap(ino)
    with pytest.raises(NotFound):
        catalog.nodes.get(ino)


def test_what_somebody_uses_is_kept(catalog: Catalog, maker: Maker) -> None:
    ino = _orphan(catalog, maker)
    catalog.hold(ino)
    catalog.hold(ino)
    with catalog:
        catalog.reap(ino)
    assert catalog.nodes.get(ino).ino == ino
    assert not catalog.let_go(ino)
    assert catalog.let_go(ino), "that was the last use"


def test_what_is_still_to_be_deleted_is_kept(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    node = catalog.nodes.get(link.ino)
    with catalog:
        catalog.links.doom(link, 1)
        node.nlink = 0
        catalog.nodes.save(node)
        catalog.reap(link.ino)
    assert catalog.nodes.get(link.ino).nlink == 0


def test_the_kernel_forgets_an_orphan_once(catalog: Catalog, maker: Maker) -> None:
    ino = _orphan(catalog, maker)
    catalog.orphaned(ino)
    assert catalog.forgotten(ino)
    assert not catalog.forgotten(ino)


def test_the_kernel_forgets_what_has_a_name_and_nothing_happens(catalog: Catalog, maker: Maker) -> None:
    assert not catalog.forgotten(maker.new(b"a").ino)


def test_a_crash_leaves_orphans_to_be_found(reopen: Open) -> None:
    catalog = reopen()
    ino = _orphan(catalog, Maker(catalog))
    catalog.hold(ino)
    assert reopen().nodes.orphans() == [ino]
