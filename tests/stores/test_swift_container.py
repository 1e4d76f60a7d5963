"""What is read is what is stored, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import trio.testing

from cloudfs.errors import BrokenAnswer
from cloudfs.http.message import Answer, Headers
from cloudfs.stores.swift.container import SwiftContainer, md5_of

STORED, DAMAGED = b"what is stored", b"what is st\0red"


class Line:
    """An account whose answers arrive damaged, so many times."""

    def __init__(self, damaged: int, **headers: str) -> None:
        self.asked = 0
        self.is_static = "X-Static-Large-Object" in headers
        self._damaged = damaged
        self._headers = headers

    async def send(self, method: str, path: str, *, headers: Mapping[str, str], into: bytearray, **_: Any) -> Answer:
        await trio.lowlevel.checkpoint()
        assert (method, path, headers["Range"]) == ("GET", "c/name", f"bytes=0-{len(STORED) - 1}")
        self.asked += 1
        into += DAMAGED if self.asked <= self._damaged else STORED
        told = {"Etag": md5_of(STORED), "Content-Range": f"bytes 0-{len(STORED) - 1}/{len(STORED)}", **self._headers}
        return Answer(206, Headers([(key.encode(), value.encode()) for key, value in told.items()]), b"")


async def read(line: Line) -> bytes:
    container = SwiftContainer(line, "c")  # type: ignore[arg-type]
    content, is_static = await container.get("name", md5_of(STORED), 0, len(STORED))
    assert is_static == line.is_static
    return content


async def test_what_was_damaged_on_its_way_is_read_again(autojump_clock: trio.testing.MockClock) -> None:
    line = Line(2)
    assert await read(line) == STORED
    assert line.asked == 3


async def test_what_is_damaged_each_time_is_an_error(autojump_clock: trio.testing.MockClock) -> None:
    with pytest.raises(BrokenAnswer, match="not what is stored"):
        await read(Line(100))


async def test_the_etag_of_a_large_object_is_no_checksum_of_its_bytes() -> None:
    line = Line(1, **{"X-Static-Large-Object": "True"})
    assert await read(line) == DAMAGED
