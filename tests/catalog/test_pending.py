"""What is due, in which order, and how much it is."""

from __future__ import annotations

import time

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.pending import Backlog, Condition, Standing
from cloudfs.types import ROOT
from tests.catalog.conftest import DIRECTORY, NOW, Maker

SECOND = 10**9


def test_due_in_order_and_not_before_their_time(catalog: Catalog, maker: Maker) -> None:
    late, early, future = (maker.new(name, due=NOW + at) for name, at in ((b"a", 5), (b"b", 1), (b"c", 1000)))
    assert catalog.pending.due(NOW + 10, 10) == [early.id, late.id]
    assert catalog.pending.due(NOW + 10, 1) == [early.id]
    assert catalog.pending.due(NOW, 10) == []
    assert catalog.pending.next_due_ns(NOW + 10) == NOW + 1000
    assert catalog.pending.next_due_ns(NOW + 1000) is None
    assert catalog.pending.count() == 3
    assert future.id not in catalog.pending.due(NOW + 999, 10)


def _failed(catalog: Catalog, link: Link, *, parked: bool, reason: str = "no") -> None:
    with catalog:
        catalog.pending.failed(link.id, NOW + 100, reason, parked=parked)


async def test_failures_are_counted_and_told(catalog: Catalog, maker: Maker) -> None:
    once, twice, parked = (maker.new(name) for name in (b"a", b"b", b"c"))
    _failed(catalog, once, parked=False, reason="first")
    _failed(catalog, twice, parked=False, reason="second")
    _failed(catalog, twice, parked=False, reason="second again")
    assert await catalog.pending.oldest_failure() == "second again"
    _failed(catalog, parked, parked=True, reason="forbidden")
    assert catalog.pending.parked(10) == [(parked.id, "forbidden")]
    assert catalog.pending.parked_count() == 1
    assert maker.again(twice).attempts == 2


async def test_without_failures_there_is_no_reason(catalog: Catalog) -> None:
    assert await catalog.pending.oldest_failure() == ""


def test_what_agrees_by_now_cannot_fail_any_more(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    _failed(catalog, link, parked=True)
    with catalog:
        catalog.pending.defer(link.id, NOW)
    assert maker.again(link) == link


def test_hastening_spares_what_fails(catalog: Catalog, maker: Maker) -> None:
    fresh, failing, parked, due = (maker.new(name, due=NOW + SECOND) for name in (b"a", b"b", b"c", b"d"))
    with catalog:
        catalog.pending.defer(due.id, NOW - 5)
    _failed(catalog, failing, parked=False)
    _failed(catalog, parked, parked=True)
    with catalog:
        catalog.pending.hasten_all(NOW)
    assert [maker.again(link).pending_ns for link in (fresh, failing, parked, due)] == [
        NOW,
        NOW + 100,
        NOW + 100,
        NOW - 5,
    ]


def test_hastening_one(catalog: Catalog, maker: Maker) -> None:
    one, other = maker.new(b"a", due=NOW + SECOND), maker.new(b"b", due=NOW + SECOND)
    with catalog:
        catalog.pending.hasten(one.id, NOW)
    assert [maker.again(link).pending_ns for link in (one, other)] == [NOW, NOW + SECOND]


def test_a_person_says_that_everything_is_to_be_tried_again(catalog: Catalog, maker: Maker) -> None:
    waiting, failing, parked = (maker.new(name, due=NOW + SECOND) for name in (b"a", b"b", b"c"))
    _failed(catalog, failing, parked=False)
    _failed(catalog, parked, parked=True)
    with catalog:
        catalog.pending.retry_all(NOW)
    assert [maker.again(link).pending_ns for link in (waiting, failing, parked)] == [NOW + SECOND, NOW, NOW]
    assert catalog.pending.parked_count() == 0


def test_when_the_store_is_back_what_failed_is_tried_again_and_what_is_parked_is_not(
    catalog: Catalog, maker: Maker
) -> None:
    failing, parked = maker.new(b"a"), maker.new(b"b")
    _failed(catalog, failing, parked=False)
    _failed(catalog, parked, parked=True)
    with catalog:
        catalog.pending.retry_failed(NOW)
    assert [maker.again(link).pending_ns for link in (failing, parked)] == [NOW, NOW + 100]


def test_what_waited_for_a_directory_goes_on(catalog: Catalog, maker: Maker) -> None:
    directory = maker.new(b"d", mode=DIRECTORY)
    inside, beside = maker.new(b"a", directory.ino, due=NOW + SECOND), maker.new(b"b", due=NOW + SECOND)
    with catalog:
        catalog.pending.hasten_children(directory.ino, NOW)
    assert [maker.again(link).pending_ns for link in (inside, beside)] == [NOW, NOW + SECOND]


# --- when changes are due ---------------------------------------------------------------------------------------------


def test_a_change_puts_all_names_off(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"a", due=NOW)
    _failed(catalog, link, parked=True)
    with catalog:
        catalog.links.touch(link.ino, NOW + SECOND)
    row = maker.again(link)
    assert (row.pending_ns, row.attempts, row.parked) == (NOW + SECOND, 0, False)


def test_a_change_of_attributes_keeps_a_later_time(catalog: Catalog, maker: Maker) -> None:
    writing, idle = maker.new(b"a", due=NOW + 60 * SECOND), maker.stored(b"b")
    with catalog:
        catalog.links.touch_settled(writing.ino, NOW + SECOND)
        catalog.links.touch_settled(idle.ino, NOW + SECOND)
    assert [maker.again(link).pending_ns for link in (writing, idle)] == [NOW + 60 * SECOND, NOW + SECOND]


def test_a_busy_directory_is_stored_now_and_then(catalog: Catalog, maker: Maker) -> None:
    idle, pending = maker.stored(b"a", mode=DIRECTORY), maker.new(b"b", mode=DIRECTORY, due=NOW)
    with catalog:
        catalog.links.touch_idle(idle.ino, NOW + SECOND)
        catalog.links.touch_idle(idle.ino, NOW + 5 * SECOND)
        catalog.links.touch_idle(pending.ino, NOW + SECOND)
    assert [maker.again(link).pending_ns for link in (idle, pending)] == [NOW + SECOND, NOW]


def test_what_is_to_be_deleted_is_not_put_off(catalog: Catalog, maker: Maker) -> None:
    link = maker.stored(b"a")
    with catalog:
        catalog.links.doom(link, NOW)
        catalog.links.touch(link.ino, NOW + SECOND)
    assert maker.again(link).pending_ns == NOW


# --- how much ---------------------------------------------------------------------------------------------------------


async def test_the_backlog_counts_names_and_bytes(catalog: Catalog, maker: Maker) -> None:
    assert await catalog.pending.backlog() == Backlog(0, 0, 0)
    maker.new(b"a", size=100)
    parked = maker.new(b"b", size=50)
    maker.new(b"d", mode=DIRECTORY, size=7)
    maker.stored(b"c", size=1000)
    _failed(catalog, parked, parked=True)
    backlog = await catalog.pending.backlog()
    assert backlog == Backlog(3, 150, 1)
    assert backlog.open == 2


async def test_moves_and_deletions_have_no_bytes(catalog: Catalog, maker: Maker) -> None:
    moved, deleted = maker.stored(b"a", size=100), maker.stored(b"b", size=100)
    with catalog:
        catalog.links.move(moved.id, ROOT, b"c", NOW)
        catalog.links.doom(deleted, NOW)
    assert await catalog.pending.backlog() == Backlog(2, 0, 0)


async def test_the_backlog_below_a_directory(catalog: Catalog, maker: Maker) -> None:
    outer = maker.stored(b"d", mode=DIRECTORY)
    inner = maker.new(b"e", outer.ino, mode=DIRECTORY)
    deep = maker.new(b"f", inner.ino, size=10)
    doomed = maker.stored(b"g", outer.ino, size=10)
    beside = maker.new(b"h", size=10)
    with catalog:
        catalog.links.doom(doomed, NOW)
    assert await catalog.pending.backlog_under(ROOT) == Backlog(4, 20, 0)
    assert await catalog.pending.backlog_under(outer.ino) == Backlog(3, 10, 0), (
        "what is to be deleted there counts, too"
    )
    assert await catalog.pending.backlog_under(inner.ino) == Backlog(2, 10, 0)
    assert await catalog.pending.backlog_under(beside.ino) == Backlog(1, 10, 0)
    assert set(await catalog.pending.under(inner.ino)) == {inner.id, deep.id}
    assert catalog.pending.backlog_of(outer.ino) == Backlog(0, 0, 0)
    assert catalog.pending.backlog_of(deep.ino) == Backlog(1, 10, 0)


async def test_the_backlog_of_thousands_of_directories_is_counted_in_an_instant(catalog: Catalog, maker: Maker) -> None:
    """Asked for several times a second while somebody waits."""
    with catalog:
        for number in range(500):
            directory = maker.new(b"%d" % number, mode=DIRECTORY)
            for inside in range(4):
                maker.new(b"%d" % inside, directory.ino, size=1)
    assert await catalog.pending.backlog_under(ROOT) == Backlog(2500, 2000, 0)


# --- since when ----------------------------------------------------------------------------------------------------


def _age(catalog: Catalog, link: Link) -> None:
    """It has been so for ever."""
    catalog.database.execute("UPDATE links SET since = 5 WHERE id = ?", (link.id,))


async def test_a_name_is_unsent_since_its_first_change(catalog: Catalog, maker: Maker) -> None:
    before = int(time.time())
    link = maker.stored(b"a", size=7)
    _age(catalog, link)
    assert await catalog.pending.oldest() is None
    with catalog:
        catalog.links.touch(link.ino, NOW)
    since = await catalog.pending.oldest()
    assert since is not None and before <= since <= time.time()
    _age(catalog, link)
    with catalog:
        catalog.links.touch(link.ino, NOW + SECOND)
        catalog.pending.failed(link.id, NOW, "no", parked=False)
        catalog.links.doom(maker.again(link), NOW)
    assert await catalog.pending.oldest() == 5, "later changes make it no younger"


async def test_what_is_unsent_row_by_row(catalog: Catalog, maker: Maker) -> None:
    one, _settled, two = maker.new(b"a", size=7), maker.stored(b"s"), maker.new(b"b", size=9)
    _failed(catalog, two, parked=True, reason="forbidden")
    rows = await catalog.pending.unsent(0, 10)
    assert [(row.link, row.ino, row.bytes, row.attempts, row.reason, row.parked) for row in rows] == [
        (one.id, one.ino, 7, 0, "", False),
        (two.id, two.ino, 9, 1, "forbidden", True),
    ]
    assert [row.link for row in await catalog.pending.unsent(one.id, 10)] == [two.id]
    assert [row.link for row in await catalog.pending.unsent(0, 1)] == [one.id]


def test_how_one_file_stands(catalog: Catalog, maker: Maker) -> None:
    assert catalog.pending.standing(maker.stored(b"s").ino) == Standing(Condition.STORED)
    link = maker.new(b"a", size=7)
    standing = catalog.pending.standing(link.ino)
    assert (standing.condition, standing.bytes) == (Condition.PENDING, 7)
    for attempts, failure in ((1, ""), (2, ""), (3, "broken")):
        _failed(catalog, link, parked=False, reason="broken")
        standing = catalog.pending.standing(link.ino)
        assert (standing.condition, standing.attempts) == (Condition.FAILING, attempts)
        assert catalog.pending.failure_of(link.ino, away=False) == failure
        assert catalog.pending.failure_of(link.ino, away=True) == ""
    _failed(catalog, link, parked=True, reason="forbidden")
    standing = catalog.pending.standing(link.ino)
    assert (standing.condition, standing.reason) == (Condition.PARKED, "forbidden")
    assert catalog.pending.failure_of(link.ino, away=True) == "forbidden"
    with catalog:
        catalog.pending.retry_all(NOW)
    assert catalog.pending.failure_of(link.ino, away=False) == ""


def test_a_store_that_is_away_is_not_held_against_a_file(catalog: Catalog, maker: Maker) -> None:
    """Somebody else may find out that it is back, before this file is tried again."""
    link = maker.new(b"a")
    for _ in range(10):
        with catalog:
            catalog.pending.failed(link.id, NOW, "no network", parked=False, away=True)
    assert catalog.pending.failure_of(link.ino, away=False) == ""
    assert catalog.pending.standing(link.ino).condition == Condition.FAILING


def test_a_store_that_is_back_counts_from_nothing(catalog: Catalog, maker: Maker) -> None:
    link = maker.new(b"a")
    for _ in range(5):
        _failed(catalog, link, parked=False)
    with catalog:
        catalog.pending.retry_failed(NOW)
    assert maker.again(link).attempts == 0
    assert catalog.pending.failure_of(link.ino, away=False) == ""
