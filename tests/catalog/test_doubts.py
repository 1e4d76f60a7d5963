"""What was asked of the store and never answered, remembered until it is found out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.doubts import Doubt
from cloudfs.types import ROOT, Inode, LinkId, Version
from tests.catalog.conftest import DIRECTORY, NOW, Maker, Open, entry

DOUBT = Doubt(LinkId(9), ROOT, b"name", False, 2, 3, 4, NOW, Version("v1"))


def test_it_survives_a_crash(reopen: Open) -> None:
    catalog = reopen()
    with catalog:
        catalog.doubts.begin(DOUBT)
    catalog = reopen()
    assert catalog.doubts.get(DOUBT.link) == DOUBT
    assert catalog.doubts.at(ROOT, b"name")
    with catalog:
        catalog.doubts.end(DOUBT.link)
    assert not reopen().doubts


def test_there_is_one_for_each_name(catalog: Catalog) -> None:
    with catalog:
        catalog.doubts.begin(DOUBT)
        catalog.doubts.begin(replace(DOUBT, name=b"another"))
    assert not catalog.doubts.at(ROOT, b"name")
    assert catalog.doubts.at(ROOT, b"another")
    with catalog:
        catalog.doubts.end(DOUBT.link)
        catalog.doubts.end(DOUBT.link)
    assert not catalog.doubts.at(ROOT, b"another")


def test_two_names_may_be_in_doubt_about_one_place(catalog: Catalog) -> None:
    with catalog:
        catalog.doubts.begin(DOUBT)
        catalog.doubts.begin(replace(DOUBT, link=LinkId(10)))
        catalog.doubts.end(DOUBT.link)
    assert catalog.doubts.at(ROOT, b"name")


def test_it_follows_the_directory(reopen: Open) -> None:
    catalog = reopen()
    with catalog:
        catalog.doubts.begin(replace(DOUBT, parent=Inode(5)))
        catalog.doubts.follow(5, 6)
    for doubts in (catalog.doubts, reopen().doubts):
        assert doubts.inside(5) is None
        assert doubts.inside(6) == DOUBT.link
        assert doubts.at(6, b"name") and not doubts.at(5, b"name")


def test_a_failed_transaction_changes_nothing(catalog: Catalog) -> None:
    with pytest.raises(ZeroDivisionError), catalog:
        catalog.doubts.begin(DOUBT)
        raise ZeroDivisionError
    assert not catalog.doubts
    assert not catalog.doubts.at(ROOT, b"name")


def test_listings_are_not_believed_about_it(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"name")
    with catalog:
        catalog.doubts.begin(replace(DOUBT, link=link.id))
    assert catalog.links.is_claimed(link.id, catalog.links.tick)
    assert catalog.links.touched_since(ROOT, b"name", catalog.links.tick)
    assert not catalog.links.touched_since(ROOT, b"else", catalog.links.tick)


def test_a_deleted_name_stays_until_it_is_found_out(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"name")
    with catalog:
        catalog.doubts.begin(replace(DOUBT, link=link.id))
        catalog.links.doom(link, NOW)
    assert maker.again(link).doomed
    with catalog:
        catalog.links.drop(link.id)
    assert not catalog.doubts


def test_an_answer_ends_it(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"d", mode=DIRECTORY)
    with catalog:
        catalog.doubts.begin(replace(DOUBT, link=link.id))
        catalog.links.stored(link.id, ROOT, b"d", entry(b"d", mode=DIRECTORY), 1, 1)
    assert not catalog.doubts
