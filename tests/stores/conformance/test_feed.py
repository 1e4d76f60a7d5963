"""`Store.feed`: what changed since a cursor, for the stores that tell."""

from __future__ import annotations

import pytest

from cloudfs.stores.base import Change, Feed
from tests.stores.conformance.bench import FILE, Bench


def feed_of(bench: Bench) -> Feed:
    if bench.store.feed is None:
        pytest.skip("this store does not tell what changes")
    return bench.store.feed


async def news(bench: Bench, cursor: str) -> tuple[dict[str, Change], str]:
    """Everything since a cursor, by identity, and the next cursor."""
    found: dict[str, Change] = {}
    more = True
    while more:
        answer = await feed_of(bench).changes(cursor)
        found |= {change.identity: change for change in answer.changes}
        cursor, more = answer.cursor, answer.more
    return found, cursor


async def now(bench: Bench) -> str:
    answer = await feed_of(bench).changes(None)
    assert not answer.more
    return answer.cursor


async def test_a_new_file(bench: Bench) -> None:
    cursor = await now(bench)
    entry = await bench.put(b"file", b"x")
    found, cursor = await news(bench, cursor)
    assert found[entry.identity].entry == entry
    assert (await news(bench, cursor))[0] == {}


async def test_a_changed_file_keeps_its_identity(bench: Bench) -> None:
    feed_of(bench)
    entry = await bench.put(b"file", b"x")
    cursor = await now(bench)
    changed = await bench.put(b"file", b"another", replaces=entry.version)
    found, _ = await news(bench, cursor)
    assert found[entry.identity].entry == changed != entry


async def test_a_moved_directory_is_told_with_its_new_place(bench: Bench) -> None:
    feed_of(bench)
    old, new = await bench.make_directory(b"old"), await bench.make_directory(b"new")
    moved = await bench.make_directory(b"old/moved")
    cursor = await now(bench)
    await bench.move(b"old/moved", b"new/renamed")
    found, _ = await news(bench, cursor)
    change = found[moved.identity]
    assert change.parent_identity == new.identity != old.identity
    assert change.entry is not None
    assert change.entry.name == b"renamed"


async def test_what_is_gone(bench: Bench) -> None:
    feed_of(bench)
    entry = await bench.put(b"file", b"x")
    cursor = await now(bench)
    await bench.delete(b"file", entry.version)
    found, _ = await news(bench, cursor)
    assert found[entry.identity].entry is None


async def test_more_changes_than_a_page(bench: Bench) -> None:
    cursor = await now(bench)
    made = {(await bench.put(b"%d" % number, b"x")).identity for number in range(20)}
    found, _ = await news(bench, cursor)
    assert made <= found.keys()


async def test_attributes(bench: Bench) -> None:
    feed_of(bench)
    entry = await bench.put(b"file", b"x")
    cursor = await now(bench)
    await bench.set_attributes(b"file", entry.version, FILE.with_mode(FILE.mode ^ 0o11))
    if bench.can.attributes:
        assert entry.identity in (await news(bench, cursor))[0]
