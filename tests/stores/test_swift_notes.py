"""When the summary of directories is read and written, and how long anybody waits for that."""

from __future__ import annotations

from typing import cast

import pytest
import trio
import trio.testing

from cloudfs.errors import AccessDenied, NotFound, StoreError, Unavailable
from cloudfs.http.message import Answer, Headers
from cloudfs.stores.swift.container import Head, SwiftContainer
from cloudfs.stores.swift.notes import Notes
from cloudfs.stores.swift.summary import Noted, read_summary, write_summary

ROOT = "c/prefix"
OLD = Noted("2026-11-21T20:02:54.100000", ";mtime=1.000000000")


class Place:
    """A container of markers, or the one beside it. ``trouble`` is raised instead of an answer."""

    def __init__(self, name: str = "c", trouble: StoreError | None = None, *, silent: bool = False) -> None:
        self.name = name
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.trouble = trouble
        self.silent = silent

    async def _answer(self, request: str) -> None:
        self.asked.append(request)
        await trio.lowlevel.checkpoint()
        if self.silent:
            await trio.sleep_forever()
        if self.trouble is not None:
            raise self.trouble

    async def head(self, name: str) -> Head | None:
        await self._answer(f"HEAD {name}")
        told = {"content-type": "application/directory", "x-timestamp": "1795291374.2"}
        return Head("", 0, Headers([(key.encode(), value.encode()) for key, value in told.items()]))

    async def get_text(self, name: str) -> Answer:
        await self._answer("GET")
        if name not in self.objects:
            raise NotFound(name)
        return Answer(200, Headers([]), self.objects[name])

    async def put(self, name: str, body: bytes, headers: dict[str, str], *, md5: str) -> str:
        await self._answer("PUT")
        self.objects[name] = body
        return md5

    async def delete(self, name: str) -> None:
        await self._answer("DELETE")
        del self.objects[name]


def notes(container: Place, aside: Place) -> Notes:
    return Notes(cast(SwiftContainer, container), cast(SwiftContainer, aside), "prefix")


def mark(kept: Notes, count: int) -> None:
    for number in range(count):
        kept.marks.changed(f"prefix/{number}")


async def test_what_was_marked_is_asked_for_and_saved_with_what_others_know() -> None:
    container, aside = Place(), Place("c_segments")
    kept, other = notes(container, aside), notes(container, aside)
    mark(kept, 16)
    await kept.settle(last=False)
    await other.at_hand()
    for name in ("prefix/a", "prefix/b"):
        other.marks.changed(name)
    await other.settle(last=True)
    assert len(container.asked) == 18
    (body,) = aside.objects.values()
    assert read_summary(ROOT, body).keys() == {"prefix/a", "prefix/b", *(f"prefix/{n}" for n in range(16))}


async def test_while_others_wait_only_what_is_long_done_is_asked_for() -> None:
    container, aside = Place(), Place("c_segments")
    kept = notes(container, aside)
    mark(kept, 256)
    await kept.settle(busy=True)
    assert not container.asked
    kept.marks.changed("prefix/0")
    for name in ("prefix/x", "prefix/y"):
        kept.marks.changed(name)
    await kept.settle(busy=True)
    assert sorted(container.asked) == ["HEAD prefix/1", "HEAD prefix/2"]
    assert not aside.asked
    await kept.settle()
    assert len(container.asked) == 258
    assert aside.objects


async def test_nothing_is_written_again_that_is_there() -> None:
    container, aside = Place(), Place("c_segments")
    for _ in range(2):
        kept = notes(container, aside)
        mark(kept, 16)
        await kept.settle(last=True)
        await kept.settle(last=True)
    assert aside.asked == ["GET", "PUT", "GET"]


async def test_it_goes_with_the_last_directory() -> None:
    aside = Place("c_segments")
    kept = notes(Place(), aside)
    mark(kept, 16)
    await kept.settle(last=False)
    assert aside.objects
    for number in range(16):
        kept.marks.removed(f"prefix/{number}")
    await kept.settle(last=True)
    assert not aside.objects


async def test_who_may_not_write_does_not_try_again() -> None:
    container, aside = Place(), Place("c_segments", AccessDenied("no"))
    kept = notes(container, aside)
    mark(kept, 20)
    for _ in range(3):
        await kept.settle(last=False)
    await kept.settle(last=True)
    assert aside.asked == ["GET"]


async def test_a_listing_does_not_wait_for_long(autojump_clock: trio.testing.MockClock) -> None:
    aside = Place("c_segments", silent=True)
    kept = notes(Place(), aside)
    begun = trio.current_time()
    await kept.at_hand()
    assert trio.current_time() - begun <= 5.0
    await kept.at_hand()
    assert aside.asked == ["GET"]
    await trio.sleep(60)
    await kept.at_hand()
    assert aside.asked == ["GET", "GET"]


@pytest.mark.parametrize("silent", ["container", "aside", "both"])
async def test_an_end_does_not_wait_for_long(autojump_clock: trio.testing.MockClock, silent: str) -> None:
    container = Place(silent=silent != "aside")
    aside = Place("c_segments", silent=silent != "container")
    kept = notes(container, aside)
    mark(kept, 20)
    begun = trio.current_time()
    await kept.settle(last=True)
    assert trio.current_time() - begun <= 3.0


async def test_a_store_that_fails_is_asked_again_later(mock_clock: trio.testing.MockClock) -> None:
    container, aside = Place(), Place("c_segments", Unavailable("not now"))
    kept = notes(container, aside)
    mark(kept, 20)
    for _ in range(3):
        await kept.settle(last=False)
    assert aside.asked == ["GET"]
    aside.trouble = None
    mock_clock.jump(600)
    await kept.settle(last=False)
    assert aside.objects


async def test_it_is_in_memory_while_it_is_needed(mock_clock: trio.testing.MockClock) -> None:
    aside = Place("c_segments")
    kept = notes(Place(), aside)
    mark(kept, 16)
    await kept.settle(last=False)
    await kept.at_hand()
    mock_clock.jump(119)
    await kept.settle(last=False)
    assert kept.marks.summary
    mock_clock.jump(2)
    await kept.settle(last=False)
    assert kept.marks.summary is None
    await kept.at_hand()
    assert kept.marks.summary


async def test_a_large_summary_is_not_read_for_a_few_directories(mock_clock: trio.testing.MockClock) -> None:
    aside = Place("c_segments")
    kept = notes(Place(), aside)
    mark(kept, 16)
    await kept.settle(last=False)
    (name,) = aside.objects
    many = {f"prefix/{number:032x}{number**9}": Noted(OLD.stamp, f";mtime={number**9}.0") for number in range(5000)}
    aside.objects[name] = write_summary(ROOT, many)
    assert len(aside.objects[name]) > 3 * (16 << 10)
    fresh, before = notes(Place(), aside), len(aside.asked)
    await fresh.at_hand(1)  # nobody knows yet how large it is
    mock_clock.jump(121)
    await fresh.settle(last=False)
    await fresh.at_hand(3)
    assert len(aside.asked) == before + 1
    await fresh.at_hand(100)
    assert len(aside.asked) == before + 2
