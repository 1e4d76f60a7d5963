"""Inodes: one object each, and what a failed transaction leaves of it."""

from __future__ import annotations

import pytest

from cloudfs.catalog.catalog import Catalog
from cloudfs.errors import NotFound
from cloudfs.types import ROOT
from tests.catalog.conftest import DIRECTORY, NOW, REGULAR, Maker, Open


def test_every_field_survives(reopen: Open) -> None:
    catalog = reopen()
    with catalog:
        node = catalog.nodes.insert(
            mode=REGULAR, uid=1, gid=2, mtime_ns=3, now_ns=4, rdev=5, size=6, target=b"\xff", link_group="g"
        )
        node.mode, node.uid, node.gid, node.size = REGULAR ^ 0o7, 11, 12, 1 << 60
        node.atime_ns, node.mtime_ns, node.ctime_ns, node.listed_ns = 13, -14, 15, 16
        node.nlink, node.link_group, node.content, node.attrs = 3, "another", 17, 18
        catalog.nodes.save(node)
    again = reopen().nodes.get(node.ino)
    fields = [field for field in type(node).__slots__ if field != "modified"]
    assert [getattr(again, field) for field in fields] == [getattr(node, field) for field in fields]


def test_an_inode_is_one_object(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"a")
    node = catalog.nodes.get(link.ino)
    assert catalog.nodes.get(link.ino) is node
    [(_, _, listed)] = catalog.links.children(ROOT, 0, 10)
    assert listed is node


def test_numbers_are_never_used_again(reopen: Open) -> None:
    catalog = reopen()
    with catalog:
        first = catalog.nodes.insert(mode=REGULAR, uid=0, gid=0, mtime_ns=0, now_ns=0)
        catalog.nodes.delete(first.ino)
        assert catalog.nodes.insert(mode=REGULAR, uid=0, gid=0, mtime_ns=0, now_ns=0).ino > first.ino


def test_what_is_pinned_stays_the_same_object_while_thousands_come_and_go(catalog: Catalog, maker: Maker) -> None:
    node = catalog.nodes.pin(maker.new(b"a").ino)
    node.size = 99
    node.modified = True
    with catalog:
        for _ in range(20_000):
            catalog.nodes.insert(mode=REGULAR, uid=0, gid=0, mtime_ns=0, now_ns=0)
    assert catalog.nodes.get(node.ino) is node
    assert catalog.nodes.pinned() == [node]
    catalog.nodes.unpin(node.ino)
    assert catalog.nodes.get(node.ino).size == 99
    assert catalog.nodes.pinned() == []


def test_a_failed_transaction_is_forgotten_by_the_objects_too(catalog: Catalog, maker: Maker) -> None:
    ino = maker.new(b"a").ino
    with pytest.raises(ZeroDivisionError), catalog:
        node = catalog.nodes.get(ino)
        node.mode = DIRECTORY
        catalog.nodes.save(node)
        raise ZeroDivisionError
    assert catalog.nodes.get(ino).mode == REGULAR


def test_saving_what_is_gone_is_an_error(catalog: Catalog, maker: Maker) -> None:
    node = catalog.nodes.get(maker.new(b"a").ino)
    with catalog:
        catalog.nodes.delete(node.ino)
    with pytest.raises(NotFound), catalog:
        catalog.nodes.save(node)


def test_a_group_leads_to_an_inode_that_has_a_name(catalog: Catalog, maker: Maker) -> None:
    node = catalog.nodes.get(maker.new(b"a").ino)
    with catalog:
        node.link_group = "g"
        catalog.nodes.save(node)
    assert catalog.nodes.in_group("g") is node
    with catalog:
        node.nlink = 0
        catalog.nodes.save(node)
    assert catalog.nodes.in_group("g") is None


def test_directories_that_were_never_listed_are_known(catalog: Catalog, maker: Maker) -> None:
    assert catalog.nodes.unlisted(10) == [ROOT]
    link = maker.stored(b"d", mode=DIRECTORY)
    node = catalog.nodes.get(link.ino)
    with catalog:
        node.listed_ns = None
        catalog.nodes.save(node)
    assert catalog.nodes.unlisted(10) == [ROOT, link.ino]
    assert catalog.nodes.unlisted(1) == [ROOT]


def test_extended_attributes(reopen: Open) -> None:
    catalog = reopen()
    ino = Maker(catalog).new(b"a").ino
    with catalog:
        catalog.xattrs.set(ino, b"user.b", b"\0\xff")
        catalog.xattrs.set(ino, b"user.a", b"")
        catalog.xattrs.set(ino, b"user.b", b"2")
    catalog = reopen()
    assert catalog.xattrs.all(ino) == ((b"user.a", b""), (b"user.b", b"2"))
    assert catalog.xattrs.get(ino, b"user.a") == b""
    assert catalog.xattrs.get(ino, b"user.c") is None
    with catalog:
        assert catalog.xattrs.remove(ino, b"user.a")
        assert not catalog.xattrs.remove(ino, b"user.a")
        catalog.xattrs.replace(ino, ((b"user.z", b"9"),))
    assert catalog.xattrs.all(ino) == ((b"user.z", b"9"),)
    with catalog:
        catalog.nodes.delete(ino)
    assert catalog.xattrs.all(ino) == ()


def test_what_a_store_keeps_of_an_inode(catalog: Catalog) -> None:
    with catalog:
        node = catalog.nodes.insert(mode=REGULAR, uid=1, gid=2, mtime_ns=NOW, now_ns=0, rdev=3, target=b"t")
    kept = node.attributes(((b"user.a", b"1"),))
    assert (kept.mode, kept.uid, kept.gid, kept.mtime_ns, kept.rdev, kept.target) == (REGULAR, 1, 2, NOW, 3, b"t")
    assert kept.xattrs == ((b"user.a", b"1"),)
