"""Requests to the store: how many, how large, shared by whom, and what becomes of their failures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from cloudfs.cache.blocks import BLOCK
from cloudfs.cache.contract import CachedContent
from cloudfs.cache.disk import DiskCache
from cloudfs.cache.fetch import REQUEST
from cloudfs.errors import BrokenAnswer, NotFound, StoreError, Unavailable, VersionMismatch

from .conftest import KEY, MEBI, Origin, origin_of, settled

SIZE = 16 * MEBI + 5
FAR = 9 * MEBI
"""A read that begins here is not the next one of any sequential reader."""


@pytest.fixture
def origin() -> Origin:
    return origin_of(SIZE)


@pytest.fixture
async def content(cache: DiskCache, origin: Origin) -> AsyncIterator[CachedContent]:
    content = cache.open(KEY, SIZE, origin.fetch)
    yield content
    content.close()


class Outcome:
    """What a read in another task came to."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.data: bytes | None = None
        self.error: StoreError | None = None

    async def read(self, content: CachedContent, start: int, stop: int) -> None:
        with self.scope:
            try:
                self.data = await content.read(start, stop)
            except StoreError as error:
                self.error = error


async def test_a_random_read_asks_for_its_blocks_only(content: CachedContent, origin: Origin) -> None:
    await content.read(FAR + 5, FAR + 10)
    await content.read(3 * BLOCK - 1, 4 * BLOCK + 1)
    await content.read(SIZE - 2, SIZE)
    await trio.testing.wait_all_tasks_blocked()
    assert origin.asked == [(FAR, FAR + BLOCK), (2 * BLOCK, 5 * BLOCK), (16 * MEBI, SIZE)]


async def test_missing_blocks_are_coalesced_around_those_that_are_here(content: CachedContent, origin: Origin) -> None:
    await content.read(FAR + 2 * BLOCK, FAR + 3 * BLOCK)
    origin.asked.clear()
    assert await content.read(FAR, FAR + 6 * BLOCK) == origin.content[FAR : FAR + 6 * BLOCK]
    assert sorted(origin.asked) == [(FAR, FAR + 2 * BLOCK), (FAR + 3 * BLOCK, FAR + 6 * BLOCK)]


async def test_a_large_read_is_several_requests_at_once(content: CachedContent, origin: Origin) -> None:
    origin.hold()
    outcome = Outcome()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outcome.read, content, BLOCK, SIZE)
        await trio.testing.wait_all_tasks_blocked()
        assert len(origin.asked) == 4
        assert max(stop - start for start, stop in origin.asked) == REQUEST
        assert sum(stop - start for start, stop in origin.asked) == SIZE - BLOCK
        origin.gate.set()
    assert outcome.data == origin.content[BLOCK:]


async def test_readers_of_the_same_blocks_share_one_request(content: CachedContent, origin: Origin) -> None:
    origin.hold()
    outcomes = [Outcome() for _ in range(10)]
    async with trio.open_nursery() as nursery:
        for n, outcome in enumerate(outcomes):
            nursery.start_soon(outcome.read, content, FAR + n, FAR + BLOCK)
        await trio.testing.wait_all_tasks_blocked()
        origin.gate.set()
    assert origin.asked == [(FAR, FAR + BLOCK)]
    assert [outcome.data for outcome in outcomes] == [origin.content[FAR + n : FAR + BLOCK] for n in range(10)]


async def test_overlapping_reads_ask_for_no_block_twice(content: CachedContent, origin: Origin) -> None:
    origin.hold()
    outcomes = [Outcome() for _ in range(3)]
    async with trio.open_nursery() as nursery:
        for n, outcome in enumerate(outcomes):
            start = FAR + n * 2 * BLOCK
            nursery.start_soon(outcome.read, content, start, start + 4 * BLOCK)
            await trio.testing.wait_all_tasks_blocked()
        origin.gate.set()
    assert origin.bytes_asked == 8 * BLOCK
    for n, outcome in enumerate(outcomes):
        start = FAR + n * 2 * BLOCK
        assert outcome.data == origin.content[start : start + 4 * BLOCK]


async def test_a_cancelled_reader_does_not_disturb_those_who_wait_for_it(
    content: CachedContent, origin: Origin
) -> None:
    origin.hold()
    first, second = Outcome(), Outcome()
    async with trio.open_nursery() as nursery:
        for outcome in (first, second):
            nursery.start_soon(outcome.read, content, FAR, FAR + BLOCK)
            await trio.testing.wait_all_tasks_blocked()
        first.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert second.data is None
        origin.gate.set()
    assert first.data is None
    assert second.data == origin.content[FAR : FAR + BLOCK]
    assert len(origin.asked) == 2


async def test_a_cancelled_waiter_does_not_disturb_the_reader_who_fetches(
    content: CachedContent, origin: Origin
) -> None:
    origin.hold()
    first, second = Outcome(), Outcome()
    async with trio.open_nursery() as nursery:
        for outcome in (first, second):
            nursery.start_soon(outcome.read, content, FAR, FAR + BLOCK)
            await trio.testing.wait_all_tasks_blocked()
        second.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        origin.gate.set()
    assert first.data == origin.content[FAR : FAR + BLOCK]
    assert len(origin.asked) == 1


async def test_who_waited_for_a_failure_tries_again(content: CachedContent, origin: Origin) -> None:
    origin.hold()
    origin.failures = [Unavailable("no network")]
    first, second = Outcome(), Outcome()
    async with trio.open_nursery() as nursery:
        for outcome in (first, second):
            nursery.start_soon(outcome.read, content, FAR, FAR + BLOCK)
            await trio.testing.wait_all_tasks_blocked()
        origin.gate.set()
    assert isinstance(first.error, Unavailable)
    assert second.data == origin.content[FAR : FAR + BLOCK]


async def test_while_the_store_is_away_nobody_waits_for_all_the_others_in_turn(
    content: CachedContent, origin: Origin
) -> None:
    origin.hold()
    origin.failures = [Unavailable("no network") for _ in range(100)]
    outcomes = [Outcome() for _ in range(50)]
    async with trio.open_nursery() as nursery:
        for outcome in outcomes:
            nursery.start_soon(outcome.read, content, FAR, FAR + BLOCK)
        await trio.testing.wait_all_tasks_blocked()
        origin.gate.set()
    assert all(isinstance(outcome.error, Unavailable) for outcome in outcomes)
    assert len(origin.asked) <= 3


@pytest.mark.parametrize("answer", [b"", b"short", b"x" * BLOCK + b"y"])
async def test_an_answer_of_another_length_is_broken_and_not_kept(
    content: CachedContent, cache: DiskCache, origin: Origin, answer: bytes
) -> None:
    origin.answer = lambda right: answer
    with pytest.raises(BrokenAnswer, match=f"{len(answer)} bytes instead of {BLOCK}"):
        await content.read(FAR, FAR + BLOCK)
    assert cache.used == 0
    origin.answer = bytes
    assert await content.read(FAR, FAR + BLOCK) == origin.content[FAR : FAR + BLOCK]


@pytest.mark.parametrize("error", [NotFound("gone"), VersionMismatch("changed"), Unavailable("away")])
async def test_errors_of_the_store_come_out_as_they_are(
    content: CachedContent, origin: Origin, error: StoreError
) -> None:
    origin.failures = [error]
    with pytest.raises(type(error)) as caught:
        await content.read(BLOCK, SIZE)
    assert caught.value is error


async def test_what_landed_beside_a_failure_is_kept(content: CachedContent, origin: Origin) -> None:
    origin.failures = [Unavailable("only once")]
    with pytest.raises(Unavailable):
        await content.read(BLOCK, SIZE)
    origin.asked.clear()
    await content.read(BLOCK, SIZE)
    assert len(origin.asked) == 1


# --- reading ahead ------------------------------------------------------------------------------------------------


async def test_a_sequential_reader_finds_what_comes_next_already_here(
    content: CachedContent, cache: DiskCache, origin: Origin
) -> None:
    waited = 0
    for start in range(0, SIZE, BLOCK):
        data = content.read_nowait(start, start + BLOCK)
        if data is None:
            waited += 1
            data = await content.read(start, start + BLOCK)
        assert data == origin.content[start : start + BLOCK]
        await settled(cache)  # as long as a consumer would take
    assert waited <= 2
    assert origin.bytes_asked == SIZE


async def test_reading_ahead_fails_in_silence(content: CachedContent, origin: Origin) -> None:
    origin.hold()
    outcome = Outcome()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outcome.read, content, 0, BLOCK)
        await trio.testing.wait_all_tasks_blocked()
        assert origin.asked == [(0, BLOCK), (BLOCK, 5 * BLOCK)]
        origin.answer = lambda right: right if len(right) == BLOCK else b"broken"
        origin.gate.set()
    assert outcome.data == origin.content[:BLOCK]
    assert await content.read(BLOCK, 2 * BLOCK) == origin.content[BLOCK : 2 * BLOCK]


async def test_closing_stops_reading_ahead(cache: DiskCache, origin: Origin) -> None:
    content = cache.open(KEY, SIZE, origin.fetch)
    for start in range(0, MEBI, BLOCK):
        await content.read(start, start + BLOCK)
    origin.hold()
    for start in range(MEBI, 2 * MEBI, BLOCK):
        content.read_nowait(start, start + BLOCK)
    await trio.testing.wait_all_tasks_blocked()
    asked = len(origin.asked)
    content.close()
    await settled(cache)
    assert len(origin.asked) == asked
    assert cache._contents == {}
