"""The promise that carries the cache: removing any clean block changes nothing but latency."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudfs.cache.blocks import BLOCK
from cloudfs.cache.contract import ContentKey
from cloudfs.cache.disk import DiskCache

from .conftest import Origin, data_files, origin_of, running, stage, sums_of

SIZES = [BLOCK + 77, 4 * BLOCK]
KEYS = [ContentKey(f"file-{n}") for n in range(len(SIZES))]
ORIGINS = [origin_of(size, seed) for seed, size in enumerate(SIZES)]

STEPS = ("read", "read", "adopt", "adopt summed", "hold", "save", "shrink", "forget", "delete", "truncate", "wipe")
ENDS = ("restart", "kill", "reboot", "damage")
"""Steps between two lives of the cache."""
PLACE = st.builds(lambda block, more: block * BLOCK + more, st.integers(0, 4), st.sampled_from([0, 0, 77, BLOCK - 1]))
STEP = st.tuples(st.sampled_from(STEPS + ENDS), st.integers(0, len(SIZES) - 1), PLACE, PLACE)
Step = tuple[str, int, int, int]


class Tamperer:
    """Does to the data files what must not matter. Damage is done between boots only: a sum is what finds it."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def file(self, which: int) -> Path | None:
        return next((path for path in data_files(self.home) if path.name == KEYS[which]), None)

    def delete(self, which: int, place: int, other: int) -> None:
        if path := self.file(which):
            path.unlink()

    def truncate(self, which: int, place: int, other: int) -> None:
        if path := self.file(which):
            os.truncate(path, min(place, path.stat().st_size))

    def damage(self, which: int, place: int, other: int) -> None:
        path = self.file(which)
        if path and place < path.stat().st_size:
            with path.open("r+b") as file:
                file.seek(place)
                byte = file.read(1)
                file.seek(place)
                file.write(bytes([byte[0] ^ 0xFF]))

    def snapshot(self, target: Path) -> Path:
        """The cache as a ``kill -9`` would leave it now."""
        if self.home.exists():
            shutil.copytree(self.home, target)
        return target

    def wipe(self, which: int, place: int, other: int) -> None:
        shutil.rmtree(self.home, ignore_errors=True)


async def check_read(cache: DiskCache, which: int, place: int, other: int) -> None:
    origin = ORIGINS[which]
    start, stop = sorted((min(place, SIZES[which]), min(other, SIZES[which])))
    content = cache.open(KEYS[which], SIZES[which], Origin(origin.content).fetch)
    assert content.read_nowait(start, stop) in (None, origin.content[start:stop])
    assert await content.read(start, stop) == origin.content[start:stop]
    content.close()


def operations(cache: DiskCache, scratch: Path) -> dict[str, Callable[[int, int, int], object]]:
    def adopt(which: int, place: int, other: int) -> None:
        cache.adopt(KEYS[which], SIZES[which], stage(scratch, ORIGINS[which].content))

    def adopt_summed(which: int, place: int, other: int) -> None:
        data = ORIGINS[which].content
        cache.adopt(KEYS[which], SIZES[which], stage(scratch, data), sums_of(data))

    return {
        "adopt": adopt,
        "adopt summed": adopt_summed,
        "shrink": lambda which, place, other: cache.shrink(place),
        "save": lambda which, place, other: cache._ledger.save(),
        "hold": lambda which, place, other: cache.open(KEYS[which], SIZES[which], Origin(ORIGINS[which].content).fetch),
        "forget": lambda which, place, other: cache.forget(KEYS[which]),
    }


async def live(steps: list[Step], limit: int, scratch: Path, home: Path, boot: int) -> Path:
    """Take steps until one of the `ENDS`, which stays; where the next life finds its cache."""
    tamperer = Tamperer(home)
    async with running(home, limit, boot=b"%d" % boot) as cache:
        known = {**operations(cache, scratch), "delete": tamperer.delete, "truncate": tamperer.truncate}
        known["wipe"] = tamperer.wipe
        while steps and steps[0][0] not in ENDS:
            name, *arguments = steps.pop(0)
            if name == "read":
                await check_read(cache, *arguments)
            else:
                known[name](*arguments)
            assert 0 <= cache.used <= limit
        if steps and steps[0][0] == "kill":
            return tamperer.snapshot(scratch / f"after-{len(steps)}")
    return home


async def play(steps: list[Step], limit: int, scratch: Path) -> None:
    home, boot = scratch / "cache", 0
    steps = [*steps, *(("read", which, 0, size) for which, size in enumerate(SIZES))]
    while steps:
        home = await live(steps, limit, scratch, home, boot)
        if steps:
            name, *arguments = steps.pop(0)
            boot += name in ("reboot", "damage")
            if name == "damage":
                Tamperer(home).damage(*arguments)


@given(st.lists(STEP, max_size=30), st.sampled_from([BLOCK, 3 * BLOCK, 1 << 30]))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_removing_any_clean_block_changes_nothing_but_latency(steps: list[Step], limit: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        trio.run(play, steps, limit, Path(scratch))
