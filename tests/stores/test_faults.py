"""The store that fails on command fails as commanded, and not otherwise."""

from __future__ import annotations

import pytest
import trio

from cloudfs.errors import (
    AccessDenied,
    NotFound,
    QuotaExceeded,
    SignInRequired,
    StoreError,
    StoreReadOnly,
    Unavailable,
)
from cloudfs.stores.base import Entry, Location, valid_name
from cloudfs.stores.faults import (
    HOSTILE_NAMES,
    Alter,
    Cut,
    FaultPlan,
    FaultyStore,
    Hold,
    LoseAnswer,
    Refuse,
    Weather,
    flipped,
    shortened,
    with_entries,
    with_sizes,
)
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.types import Version
from tests.stores.conformance.bench import LARGE, Bench, content


@pytest.fixture
def plan() -> FaultPlan:
    return FaultPlan()


@pytest.fixture
def bench(plan: FaultPlan) -> Bench:
    """The other client is on a good line."""
    tree = MemoryTree()
    return Bench(FaultyStore(MemoryStore(tree), plan), MemoryStore(tree))


async def test_a_refused_call_has_not_happened(bench: Bench, plan: FaultPlan) -> None:
    plan.add("put", Refuse(Unavailable("later", retry_after=5.0)), times=2)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await bench.put(b"file", b"x")
        assert caught.value.retry_after == 5.0
    assert await bench.names() == []
    await bench.put(b"file", b"x")
    assert plan.pending == 0


async def test_a_call_whose_answer_is_lost_has_happened(bench: Bench, plan: FaultPlan) -> None:
    plan.add("put", LoseAnswer())
    with pytest.raises(Unavailable):
        await bench.put(b"file", b"x")
    assert await bench.names() == [b"file"]


async def test_a_fault_is_for_one_path(bench: Bench, plan: FaultPlan) -> None:
    plan.add("put", Refuse(), path=b"second")
    await bench.put(b"first")
    with pytest.raises(Unavailable):
        await bench.put(b"second")
    assert await bench.names() == [b"first"]


async def test_faults_come_in_the_order_they_were_planned_in(bench: Bench, plan: FaultPlan) -> None:
    plan.add("stat", Refuse(NotFound("first")))
    plan.add("stat", Refuse(AccessDenied("second")))
    for message in ("first", "second"):
        with pytest.raises(StoreError, match=message):
            await bench.stat(b"")
    assert (await bench.stat(b"")).is_directory


@pytest.mark.parametrize("answered", [False, True])
async def test_a_call_is_held_until_the_gate_opens(bench: Bench, plan: FaultPlan, answered: bool) -> None:
    hold = Hold(answered=answered)
    plan.add("put", hold)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.put, b"file", b"x")
        await hold.reached.wait()
        assert await bench.through(bench.other).names() == ([b"file"] if answered else [])
        hold.gate.set()
    assert await bench.names() == [b"file"]


async def test_an_upload_is_cut(bench: Bench, plan: FaultPlan) -> None:
    plan.add("put", Cut(LARGE // 2))
    with pytest.raises(Unavailable):
        await bench.put(b"file", content(LARGE))
    assert 0 < bench.progress.sent < LARGE
    assert await bench.names() == []


@pytest.mark.parametrize(("change", "expected"), [(shortened, b"byte"), (flipped, b"cytes")])
async def test_answers_are_altered(bench: Bench, plan: FaultPlan, change: object, expected: bytes) -> None:
    await bench.put(b"file", b"bytes")
    plan.add("read", Alter(change))  # type: ignore[arg-type]
    assert await bench.read(b"file") == expected
    assert await bench.read(b"file") == b"bytes"


async def test_listings_are_hostile(bench: Bench, plan: FaultPlan) -> None:
    await bench.put(b"file", b"bytes")
    await bench.make_directory(b"d")
    plan.add("list", Alter(with_entries(*(Entry(name, False, 1, Version("v"), 0) for name in HOSTILE_NAMES))))
    names = [entry.name for entry in (await bench.store.list(Location(b""))).entries]
    assert sorted(names) == sorted([*HOSTILE_NAMES, b"d", b"file"])
    assert not any(map(valid_name, HOSTILE_NAMES))
    plan.add("list", Alter(with_sizes(1 << 60)))
    sizes = {entry.name: entry.size for entry in (await bench.store.list(Location(b""))).entries}
    assert sizes == {b"d": 0, b"file": 1 << 60}


@pytest.mark.parametrize(
    ("weather", "reading", "writing"),
    [
        (Weather.FAIR, None, None),
        (Weather.OFFLINE, Unavailable, Unavailable),
        (Weather.THROTTLED, Unavailable, Unavailable),
        (Weather.SIGNED_OUT, SignInRequired, SignInRequired),
        (Weather.READ_ONLY, None, StoreReadOnly),
        (Weather.FULL, None, QuotaExceeded),
        (Weather.FORBIDDEN, None, AccessDenied),
    ],
)
async def test_weather_lasts(
    bench: Bench,
    plan: FaultPlan,
    weather: Weather,
    reading: type[StoreError] | None,
    writing: type[StoreError] | None,
) -> None:
    plan.weather = weather
    for _ in range(2):
        for call, expected in ((bench.store.stat(Location(b"")), reading), (bench.put(b"file", b"x"), writing)):
            if expected is None:
                await call
            else:
                with pytest.raises(expected):
                    await call
    plan.clear()
    await bench.put(b"file", b"x")
    assert await bench.read(b"file") == b"x"


async def test_a_full_store_can_be_tidied(bench: Bench, plan: FaultPlan) -> None:
    entry = await bench.put(b"file", b"x")
    plan.weather = Weather.FULL
    await bench.delete(b"file", entry.version)
    assert await bench.names() == []
