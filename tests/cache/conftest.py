"""A cache over a store that counts, misbehaves on command, and can be made to wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import trio
import trio.testing

from cloudfs.cache.blocks import BLOCK
from cloudfs.cache.contract import ContentKey
from cloudfs.cache.disk import DiskCache
from cloudfs.cache.sums import Sums

KEY = ContentKey("some-file-v1")
MEBI = 1 << 20


class Origin:
    """Where bytes come from: a store that knows one version, and writes down what it was asked.

    While ``gate`` is an unset event, requests wait for it. The ``failures`` are raised one after another.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[int, int]] = []
        self.gate = trio.Event()
        self.gate.set()
        self.failures: list[Exception] = []
        self.answer: Callable[[bytes], bytes] = bytes

    async def fetch(self, start: int, stop: int) -> bytes:
        self.asked.append((start, stop))
        await trio.lowlevel.checkpoint()
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return self.answer(self.content[start:stop])

    def hold(self) -> None:
        self.gate = trio.Event()

    @property
    def bytes_asked(self) -> int:
        return sum(stop - start for start, stop in self.asked)


def noise(size: int, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)


def origin_of(size: int, seed: int = 1) -> Origin:
    return Origin(noise(size, seed))


OpenCache = Callable[..., AbstractAsyncContextManager[DiskCache]]


@asynccontextmanager
async def running(directory: Path, limit: int = 1 << 30, boot: bytes = b"this boot") -> AsyncIterator[DiskCache]:
    """A cache that is closed the way a mount closes it."""
    async with trio.open_nursery() as nursery:
        cache = DiskCache(directory, limit, nursery, boot=boot)
        try:
            yield cache
        finally:
            await cache.aclose()
            nursery.cancel_scope.cancel()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
async def cache(home: Path) -> AsyncIterator[DiskCache]:
    async with running(home) as cache:
        yield cache


def data_files(home: Path) -> Iterator[Path]:
    return (path for path in home.glob("[0-9a-f][0-9a-f]/*") if path.is_file())


def data_file(home: Path, key: ContentKey = KEY) -> Path:
    [path] = [path for path in data_files(home) if path.name == key]
    return path


def on_disk(home: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in data_files(home))


def modes(home: Path) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {"directory": set(), "file": set()}
    for path in (home, *home.rglob("*")):
        found["directory" if path.is_dir() else "file"].add(path.stat().st_mode & 0o777)
    return found


def stage(directory: Path, data: bytes, name: str = "staged") -> Path:
    path = directory / name
    path.write_bytes(data)
    return path


def sums_of(data: bytes) -> Sums:
    """Of all blocks, as an uploader notes them."""
    sums = Sums(len(data))
    sums.note(*sums.measure(0, data))
    return sums


def damage(path: Path, at: int, length: int = 10) -> None:
    """What a disk or a curious user does to a file: other bytes of the same number."""
    with path.open("r+b") as file:
        file.seek(at)
        before = file.read(length)
        file.seek(at)
        file.write(bytes(byte ^ 0xFF for byte in before))


async def settled(cache: DiskCache) -> None:
    """What was read ahead is stored, or given up."""
    await trio.testing.wait_all_tasks_blocked()
    await cache._ledger.settle()
    await trio.testing.wait_all_tasks_blocked()


async def read_all(cache: DiskCache, origin: Origin, key: ContentKey = KEY, step: int = BLOCK) -> bytes:
    content = cache.open(key, len(origin.content), origin.fetch)
    try:
        return b"".join([await content.read(at, at + step) for at in range(0, len(origin.content), step)])
    finally:
        content.close()
        await settled(cache)
