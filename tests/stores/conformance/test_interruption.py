"""Calls that are cancelled, and calls whose answer is lost: all or nothing has happened, and again is the same."""

from __future__ import annotations

import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
import trio

from cloudfs.errors import NotFound, StoreError, Unavailable
from cloudfs.stores.base import Location
from cloudfs.stores.faults import Cut, FaultPlan, FaultyStore, LoseAnswer
from tests.stores.conformance.bench import DIRECTORY, FILE, Bench, content, of_type
from tests.stores.conformance.interruption import finishes
from tests.stores.sources import BytesSource, HeldSource

SIZE = 5 << 20
"""Of what is stored in several parts wherever there are such."""
NEW = content(SIZE)
_EVERY = 20
"""The first so many points of interruption are tried all, whatever the store."""
TOUCHED = replace(FILE, mode=stat.S_IFREG | 0o600, mtime_ns=4)
"""Attributes that nothing has before."""


@dataclass(frozen=True)
class Change:
    """Something to do, from a state that `prepare` makes in an empty directory ``d``."""

    name: str
    method: str
    act: Callable[[Bench], Awaitable[Callable[[Bench], Awaitable[object]]]]
    """Prepares, and returns what makes the change, with all it knows by then."""


async def _put_new(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    return lambda bench: bench.put(b"d/file", NEW, TOUCHED)


async def _put_small(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    return lambda bench: bench.put(b"d/file", b"small", TOUCHED)


async def _put_replacing(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    old = await bench.put(b"d/file", b"old")
    return lambda bench: bench.put(b"d/file", NEW, TOUCHED, old.version)


async def _put_symbolic_link(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    link = of_type(stat.S_IFLNK, 0o777, target=b"t") if bench.can.attributes else FILE
    return lambda bench: bench.put(b"d/link", b"", link)


async def _make_directory(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    return lambda bench: bench.make_directory(b"d/new", replace(DIRECTORY, mtime_ns=4))


async def _set_attributes(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    old = await bench.put(b"d/file", b"old")
    return lambda bench: bench.set_attributes(b"d/file", old.version, TOUCHED)


async def _move(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    await bench.put(b"d/file", b"moved")
    source, target = await bench.at(b"d/file"), await bench.at(b"d/new")
    return lambda bench: bench.store.move(source, target)


async def _move_replacing(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    await bench.put(b"d/file", b"moved")
    old = await bench.put(b"d/target", b"replaced")
    source, target = await bench.at(b"d/file"), await bench.at(b"d/target")
    return lambda bench: bench.store.move(source, target, replaces=old.version)


async def _copy(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    file = await bench.put(b"d/file", NEW)
    source, target = await bench.at(b"d/file"), await bench.at(b"d/copy")
    return lambda bench: bench.store.copy(source, file.version, target, TOUCHED)


async def _link_replacing(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    await bench.put(b"d/file", b"linked")
    old = await bench.put(b"d/target", b"replaced")
    return lambda bench: bench.link(b"d/file", b"d/target", old.version)


async def _delete(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    file = await bench.put(b"d/file", b"doomed")
    location = await bench.at(b"d/file")
    return lambda bench: bench.store.delete(location, file.version)


async def _delete_directory(bench: Bench) -> Callable[[Bench], Awaitable[object]]:
    await bench.make_directory(b"d/doomed")
    location = await bench.at(b"d/doomed")
    return lambda bench: bench.store.delete(location, None)


CHANGES = [
    Change("put", "put", _put_new),
    Change("put small", "put", _put_small),
    Change("put replacing", "put", _put_replacing),
    Change("put symbolic link", "put", _put_symbolic_link),
    Change("make_directory", "make_directory", _make_directory),
    Change("set_attributes", "set_attributes", _set_attributes),
    Change("move", "move", _move),
    Change("move replacing", "move", _move_replacing),
    Change("copy", "copy", _copy),
    Change("link replacing", "link", _link_replacing),
    Change("delete", "delete", _delete),
    Change("delete directory", "delete", _delete_directory),
]


@pytest.fixture(params=CHANGES, ids=lambda change: change.name)
def change(request: pytest.FixtureRequest, bench: Bench) -> Change:
    chosen: Change = request.param
    needed = {"copy": bench.can.server_copy, "link": bench.can.hard_links}
    if not needed.get(chosen.method, True):
        pytest.skip("the store does not do that")
    return chosen


async def picture(bench: Bench) -> dict[bytes, object]:
    """All that can be seen of ``d``, but for what may be another one each time."""
    seen: dict[bytes, object] = {}
    for entry in await bench.entries(await bench.at(b"d")):
        data = b"" if entry.is_directory else await bench.read(b"d/" + entry.name)
        attributes = entry.attributes and replace(entry.attributes, link_group=str(bool(entry.attributes.link_group)))
        seen[entry.name] = (entry.is_directory, entry.size, entry.mtime_ns, attributes, data)
    return seen


async def emptied(bench: Bench) -> None:
    for entry in await bench.entries(await bench.at(b"d")):
        await bench.delete(b"d/" + entry.name, None if entry.is_directory else entry.version)


async def test_a_change_that_is_cancelled_has_happened_or_not(bench: Bench, change: Change) -> None:
    await bench.make_directory(b"d")
    act = await change.act(bench)
    before = await picture(bench)
    await act(bench)
    after = await picture(bench)
    assert before != after
    interrupted = 0
    for step in (*range(_EVERY), *range(_EVERY, 1000, bench.stride)):
        await emptied(bench)
        act = await change.act(bench)
        if await finishes(lambda act=act: act(bench), step):  # type: ignore[misc]
            break
        interrupted += 1
        assert await picture(bench) in (before, after)
        await act(bench)
        assert await picture(bench) == after
    assert 0 < interrupted < 1000
    assert await picture(bench) == after


async def test_a_change_whose_answer_was_lost_can_be_made_again(bench: Bench, change: Change) -> None:
    plan = FaultPlan()
    unreliable = bench.through(FaultyStore(bench.store, plan))
    await bench.make_directory(b"d")
    act = await change.act(bench)
    plan.add(change.method, LoseAnswer())
    with pytest.raises(Unavailable):
        await act(unreliable)
    seen = await picture(bench)
    answer = await act(unreliable)
    assert await picture(bench) == seen
    assert answer is None or answer in await bench.entries(await bench.at(b"d"))
    assert plan.pending == 0


async def test_a_lost_answer_is_no_permission_to_replace_what_came_after(bench: Bench) -> None:
    await bench.put(b"file", b"ours")
    theirs = await bench.through(bench.other).put(b"file", b"them", FILE, replaces=(await bench.stat(b"file")).version)
    with pytest.raises(StoreError):
        await bench.put(b"file", b"ours")
    assert await bench.stat(b"file") == theirs


@pytest.mark.parametrize("replacing", [False, True])
async def test_an_upload_that_breaks_off_has_published_nothing(bench: Bench, replacing: bool) -> None:
    plan = FaultPlan()
    unreliable = bench.through(FaultyStore(bench.hasty or bench.store, plan))
    old = await bench.put(b"file", b"old") if replacing else None
    version = old.version if old is not None else None
    for after in (0, 1, 4 << 20, SIZE - 1):
        plan.add("put", Cut(after))
        with pytest.raises(Unavailable):
            await unreliable.put(b"file", NEW, replaces=version)
        assert await bench.names() == ([b"file"] if replacing else [])
        assert not replacing or await bench.read(b"file") == b"old"
    await unreliable.put(b"file", NEW, replaces=version)
    assert await bench.read(b"file") == NEW


async def test_the_old_content_is_read_until_the_new_is_complete(bench: Bench) -> None:
    old = await bench.put(b"file", b"old content")
    source = HeldSource(BytesSource(NEW), SIZE - 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.put, b"file", source, FILE, old.version)
        await source.reached.wait()
        assert await bench.stat(b"file") == old
        assert await bench.read(b"file") == b"old content"
        source.gate.set()
    assert await bench.read(b"file") == NEW


async def test_of_two_uploads_the_one_that_knew_the_other_wins(bench: Bench) -> None:
    """The loser was first to start and last to finish: what counts is what is there when it would appear."""
    old = await bench.put(b"file", b"old")
    source = HeldSource(BytesSource(NEW), SIZE - 1)
    outcome: list[str] = []

    async def slow() -> None:
        try:
            await bench.put(b"file", source, FILE, old.version)
        except StoreError as error:
            outcome.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slow)
        await source.reached.wait()
        await bench.through(bench.other).put(b"file", b"quick", FILE, old.version)
        source.gate.set()
    assert outcome == ["VersionMismatch"]
    assert await bench.read(b"file") == b"quick"


async def test_a_directory_that_goes_away_during_an_upload_is_not_found(bench: Bench) -> None:
    await bench.make_directory(b"d")
    source = HeldSource(BytesSource(NEW), SIZE - 1)
    outcome: list[str] = []

    async def slow() -> None:
        try:
            await bench.put(b"d/file", source)
        except NotFound:
            outcome.append("not found")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(slow)
        await source.reached.wait()
        await bench.store.delete(await bench.at(b"d"), None)
        source.gate.set()
    assert outcome == ["not found"]
    assert await bench.names() == []
    with pytest.raises(NotFound):
        await bench.store.stat(Location(b"d/file"))
