"""What other programs leave in a container, and only Swift itself understands."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cloudfs.stores.base import Location
from tests.servers.swift import SwiftCluster
from tests.stores.conformance.bench import FILE, Bench
from tests.stores.swift import Box


@pytest.fixture
def box(swift_cluster: SwiftCluster) -> Box:
    return Box.make(swift_cluster)


@pytest.fixture
async def bench(box: Box) -> AsyncIterator[Bench]:
    bench = Bench.of(box.store)
    yield bench
    await bench.aclose()


async def test_a_static_link_is_listed_as_what_it_leads_to(box: Box, bench: Bench) -> None:
    entry = await bench.put(b"file", b"content")
    with box.raw() as raw:
        raw("PUT", "link", X_Symlink_Target=f"{box.container}/file", X_Symlink_Target_Etag=str(entry.version))
    sizes = {entry.name: entry.size for entry in await bench.entries(Location(b""))}
    assert sizes == {b"file": 7, b"link": 7}
    assert await bench.read(b"link") == b"content"


async def test_a_header_that_is_no_utf8_survives_a_change_of_attributes(box: Box, bench: Bench) -> None:
    disposition = 'attachment; filename="Größe.txt"'.encode("latin-1")
    with box.raw() as raw:
        raw("PUT", "file", b"content", Content_Disposition=disposition)
        entry = await bench.stat(b"file")
        assert (await bench.set_attributes(b"file", entry.version, FILE)).attributes == FILE
        assert (b"Content-Disposition", disposition) in raw("HEAD", "file").headers.raw
