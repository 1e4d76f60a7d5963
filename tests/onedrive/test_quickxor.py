"""quickXorHash: the vectors that are known, and an implementation that was written apart from ours."""

from __future__ import annotations

import random

import pytest

from cloudfs.stores.onedrive.quickxor import QuickXor, digest, digest_of
from tests.emulators.onedrive.quickxor import QuickXor as Other
from tests.stores.sources import BytesSource

VECTORS = [
    (b"", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    (b"J", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
    (b"hello world", "aCgDG9jwBhDc4Q1yawMZAAAAAAA="),
]


def by_definition(data: bytes) -> str:
    other = Other()
    other.add(data)
    return other.finish()


@pytest.mark.parametrize(("data", "wanted"), VECTORS)
async def test_vectors(data: bytes, wanted: str) -> None:
    assert await digest_of(data) == wanted
    assert by_definition(data) == wanted


@pytest.mark.parametrize("size", [1, 19, 20, 159, 160, 161, 321, 65_536, 1_000_003])
async def test_sizes(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert await digest_of(data) == by_definition(data)
    assert await digest(BytesSource(data)) == by_definition(data)


async def test_parts_in_any_order_and_holes_that_nobody_reads() -> None:
    dice = random.Random(1)
    data = dice.randbytes(10_000) + bytes(5_000) + dice.randbytes(777)
    hasher = QuickXor()
    parts = [(at, data[at : at + 999]) for at in range(0, 10_000, 999)] + [(15_000, data[15_000:])]
    parts = [(at, part[: 10_000 - at] if at < 10_000 else part) for at, part in parts]
    dice.shuffle(parts)
    for at, part in parts:
        hasher.add(at, part)
    assert hasher.finish(len(data)) == by_definition(data)
