"""Names have two halves, what is wanted and what is stored, and a row is pending while they differ."""

from __future__ import annotations

import sqlite3

import pytest

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.types import ROOT, Version
from tests.catalog.conftest import DIRECTORY, NOW, Maker, Open, entry


def pending(catalog: Catalog) -> list[bytes | None]:
    rows = catalog.database.execute("SELECT name FROM links WHERE pending IS NOT NULL ORDER BY id")
    return [name for (name,) in rows.fetchall()]


def test_every_field_survives(reopen: Open) -> None:
    catalog = reopen()
    link = Maker(catalog).stored(b"\xff\n", size=3)
    again = reopen().links.get(link.id)
    assert again == link
    assert link.in_place and link.stored and not link.doomed and not link.parked


def test_two_names_of_a_directory_are_different(maker: Maker) -> None:
    maker.new(b"a")
    with pytest.raises(sqlite3.IntegrityError):
        maker.stored(b"a")


def test_names_are_bytes(catalog: Catalog, maker: Maker) -> None:
    names = [b"\xff\xfe", "ü".encode(), b"A", b"a", b" ", b"\n"]
    for name in names:
        maker.new(name)
    assert [name for _, name, _ in catalog.links.children(ROOT, 0, 10)] == names
    assert all(catalog.links.lookup(ROOT, name) is not None for name in names)


def test_a_listing_goes_on_where_it_stopped(catalog: Catalog, maker: Maker) -> None:
    links = [maker.new(b"%d" % number) for number in range(10)]
    first = catalog.links.children(ROOT, 0, 4)
    with catalog:
        catalog.links.drop(links[1].id)
        catalog.links.drop(links[5].id)
    maker.new(b"new")
    rest = catalog.links.children(ROOT, first[-1][0], 100)
    assert [name for _, name, _ in first + rest] == [b"%d" % n for n in (0, 1, 2, 3, 4, 6, 7, 8, 9)] + [b"new"]


def test_a_new_name_is_wanted_and_not_stored(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"a")
    assert not link.stored and not link.in_place and link.pending_ns == NOW


def test_what_a_listing_told_is_settled(catalog: Catalog, maker: Maker) -> None:
    assert maker.stored(b"a").pending_ns is None


def test_a_rename_changes_the_wanted_half_only(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    with catalog:
        catalog.links.move(link.id, ROOT, b"b", NOW)
    moved = maker.again(link)
    assert (moved.name, moved.at_name, moved.pending_ns) == (b"b", b"a", NOW)
    assert catalog.links.path(moved) == b"b"
    assert catalog.links.location(moved).path == b"a"


def test_paths_follow_each_its_own_tree(catalog: Catalog, maker: Maker) -> None:
    outer = maker.stored(b"d", mode=DIRECTORY)
    inner = maker.stored(b"e", outer.ino, mode=DIRECTORY)
    file = maker.stored(b"f", inner.ino)
    with catalog:
        catalog.links.move(inner.id, ROOT, b"moved", NOW)
    assert catalog.links.path(maker.again(file)) == b"moved/f"
    assert catalog.links.location(maker.again(file)).path == b"d/e/f"
    assert list(catalog.links.actual_ancestors(inner.ino)) == [inner.ino, outer.ino]
    assert catalog.links.is_inside(inner.ino, ROOT)
    assert not catalog.links.is_inside(inner.ino, outer.ino), "not any longer"


def test_identities_are_given_to_the_store(catalog: Catalog, maker: Maker) -> None:
    outer, file = maker.stored(b"d", mode=DIRECTORY), maker.stored(b"f")
    with catalog:
        for link, identity in ((outer, "D"), (file, "F")):
            catalog.database.execute("UPDATE links SET identity = ? WHERE id = ?", (identity, link.id))
        catalog.database.execute("UPDATE links SET at_parent = ? WHERE id = ?", (outer.ino, file.id))
    location = catalog.links.location(maker.again(file))
    assert (location.path, location.identity, location.parent_identity) == (b"d/f", "F", "D")


# --- removing ---------------------------------------------------------------------------------------------------------


def test_what_was_never_stored_is_dropped_at_once(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"a")
    with catalog:
        catalog.links.doom(link, NOW)
    assert catalog.links.get(link.id) is None


def test_what_is_just_being_sent_is_kept_until_that_is_known(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"a")
    catalog.links.claim(link.id)
    with catalog:
        catalog.links.doom(link, NOW)
    assert maker.again(link).doomed


def test_what_is_stored_is_to_be_deleted(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    with catalog:
        catalog.links.doom(link, NOW)
    doomed = maker.again(link)
    assert doomed.doomed and doomed.stored and doomed.pending_ns == NOW
    assert catalog.links.find(ROOT, b"a") is None
    assert catalog.links.path(doomed) == b"a", "where the store has it"
    maker.new(b"a")
    found = catalog.links.at_place(ROOT, b"a", 0)
    assert found is not None and found.id == link.id


def test_deleted_at_the_store_a_doomed_name_is_gone(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    with catalog:
        catalog.links.doom(link, NOW)
        catalog.links.absent(link.id)
    assert catalog.links.get(link.id) is None


def test_deleted_at_the_store_a_wanted_name_is_to_be_stored_again(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    with catalog:
        catalog.links.absent(link.id)
    gone = maker.again(link)
    assert not gone.stored and (gone.version, gone.at_content, gone.at_attrs) == ("", 0, 0)


# --- taking the place of another --------------------------------------------------------------------------------------


def test_a_new_file_becomes_a_new_content_of_the_one_it_replaces(catalog: Catalog, maker: Maker) -> None:
    loser, winner = maker.stored(b"a", version="v7"), maker.new(b".a.tmp")
    with catalog:
        catalog.links.take_place(winner.id, loser, NOW)
        catalog.links.move(winner.id, ROOT, b"a", NOW)
    row = maker.again(winner)
    assert catalog.links.get(loser.id) is None
    assert row.in_place and row.version == "v7" and (row.at_content, row.at_attrs) == (0, 0)


def test_a_name_inherits_the_object_of_another_as_it_is(catalog: Catalog, maker: Maker) -> None:
    doomed, heir = maker.stored(b"a", version="v7"), maker.new(b"b")
    with catalog:
        catalog.links.doom(doomed, NOW)
        catalog.links.inherit(heir.id, maker.again(doomed), NOW)
    row = maker.again(heir)
    assert catalog.links.get(doomed.id) is None
    assert (row.at_name, row.version, row.at_content, row.at_attrs) == (b"a", "v7", 1, 1)


def test_a_directory_that_is_split_leaves_its_place_to_a_ghost(catalog: Catalog, maker: Maker) -> None:
    outer = maker.stored(b"d", mode=DIRECTORY)
    inside = maker.stored(b"f", outer.ino)
    ghost = maker.new(b"?", mode=DIRECTORY)
    with catalog:
        catalog.links.drop(ghost.id)
        catalog.links.split_off(outer, ghost.ino, NOW)
    assert not maker.again(outer).stored
    place = catalog.links.directory(ghost.ino)
    assert place.doomed and (place.at_parent, place.at_name) == (ROOT, b"d")
    moved = maker.again(inside)
    assert (moved.parent, moved.at_parent, moved.pending_ns) == (outer.ino, ghost.ino, NOW)
    assert catalog.links.location(moved).path == b"d/f"


def test_a_directory_takes_over_another_with_all_that_is_inside(catalog: Catalog, maker: Maker) -> None:
    old = maker.stored(b"d", mode=DIRECTORY)
    inside = maker.stored(b"f", old.ino)
    with catalog:
        catalog.links.doom(inside, NOW)
        catalog.links.doom(old, NOW)
    new = maker.new(b"d", mode=DIRECTORY)
    with catalog:
        catalog.links.take_directory(new, maker.again(old), NOW)
    assert catalog.links.get(old.id) is None
    assert maker.again(new).in_place
    assert maker.again(inside).at_parent == new.ino
    assert catalog.links.location(maker.again(inside)).path == b"d/f"


# --- recording --------------------------------------------------------------------------------------------------------


def _store(catalog: Catalog, link: Link, name: bytes, content: int, attrs: int) -> bool:
    """Whether nothing is pending after the store has it so."""
    with catalog:
        catalog.links.stored(link.id, ROOT, name, entry(name, version="v9"), content, attrs)
    row = catalog.links.get(link.id)
    assert row is not None and row.version == "v9" and row.at_name == name
    return row.pending_ns is None


@pytest.mark.parametrize(
    ("name", "content", "attrs", "settled"),
    [(b"a", 1, 1, True), (b"elsewhere", 1, 1, False), (b"a", 0, 1, False), (b"a", 1, 0, False)],
)
def test_it_is_settled_when_both_halves_agree(
    catalog: Catalog, maker: Maker, name: bytes, content: int, attrs: int, settled: bool
) -> None:
    assert _store(catalog, maker.new(b"a"), name, content, attrs) is settled


def test_a_directory_has_no_content_to_agree_about(catalog: Catalog, maker: Maker) -> None:
    assert _store(catalog, maker.new(b"a", mode=DIRECTORY), b"a", 0, 1)


def test_success_forgets_the_failures_before(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"a")
    with catalog:
        catalog.pending.failed(link.id, NOW, "the store is full", parked=True)
    assert _store(catalog, link, b"a", 1, 1)
    row = maker.again(link)
    assert (row.attempts, row.reason, row.parked) == (0, "", False)


def test_names_of_one_object_have_one_version(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    with catalog:
        second = catalog.links.known_from_store(ROOT, b"b", link.ino, entry(b"b"), 1, 1)
        older = catalog.links.known_from_store(ROOT, b"c", link.ino, entry(b"c"), 0, 1)
        catalog.links.same_object(link.ino, 1, Version("v5"), 2)
    rows = [catalog.links.get(number) for number in (link.id, second, older)]
    assert [(row.version, row.at_attrs) for row in rows if row] == [("v5", 2), ("v5", 2), ("v1", 1)]


# --- what listings may believe ------------------------------------------------------------------------------------


def test_a_listing_begun_before_is_not_believed(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    before = catalog.links.tick
    assert not catalog.links.is_claimed(link.id, before)
    catalog.links.claim(link.id)
    assert catalog.links.is_claimed(link.id, before)
    catalog.links.release(link.id, [(ROOT, b"a"), (ROOT, b"b")])
    assert catalog.links.is_claimed(link.id, before)
    assert catalog.links.touched_since(ROOT, b"b", before)
    assert not catalog.links.touched_since(ROOT, b"c", before)
    after = catalog.links.tick
    assert not catalog.links.is_claimed(link.id, after)
    assert not catalog.links.touched_since(ROOT, b"b", after)


def test_what_is_inside_a_directory_that_moves_may_have_moved(catalog: Catalog, maker: Maker) -> None:
    outer = maker.stored(b"d", mode=DIRECTORY)
    file = maker.stored(b"f", outer.ino)
    before = catalog.links.tick
    assert not catalog.links.may_have_moved(file, before)
    catalog.links.claim(outer.id)
    assert catalog.links.may_have_moved(file, before)
    catalog.links.release(outer.id, [])
    assert catalog.links.may_have_moved(file, before)
    assert not catalog.links.may_have_moved(file, catalog.links.tick)


def test_an_old_listing_is_not_believed_after_a_hundred_thousand_changes(catalog: Catalog) -> None:
    """Not all of them are remembered, and what is forgotten counts as touched."""
    before = catalog.links.tick
    for number in range(100_000):
        catalog.links.release(number, [(ROOT, b"%d" % number)])  # type: ignore[arg-type]
    assert catalog.links.touched_since(ROOT, b"0", before)
    assert catalog.links.touched_since(ROOT, b"99999", before)
    assert not catalog.links.touched_since(ROOT, b"0", catalog.links.tick)
    assert len(catalog.links._places) < 50_000


def test_dropping_a_name_forgets_what_its_upload_remembered(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"a")
    with catalog:
        catalog.memos.remember(link.id, 3, b"session")
    assert catalog.memos.recall(link.id, 3) == b"session"
    assert catalog.memos.recall(link.id, 4) is None, "another content is another upload"
    with catalog:
        catalog.links.drop(link.id)
    assert catalog.memos.recall(link.id, 3) is None


def test_pending_names_are_found_by_their_desired_name(catalog: Catalog, maker: Maker) -> None:
    maker.new(b"a")
    maker.stored(b"b")
    assert pending(catalog) == [b"a"]
