"""What the mount cannot show is not lost with the directory that it is in: the service deletes whole trees."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cloudfs.errors import DirectoryNotEmpty
from tests.emulators.running import Running
from tests.stores.conformance.bench import Bench
from tests.stores.ubuntuone import Folder


@pytest.fixture
def folder(service: Running) -> Folder:
    return Folder.make(service)


@pytest.fixture
async def bench(folder: Folder) -> AsyncIterator[Bench]:
    bench = Bench.of(folder.store)
    await bench.make_directory(b"directory")
    yield bench
    await bench.aclose()


@pytest.mark.parametrize("name", ["é" * 128, "x\u201bC3\u201bA9"], ids=["too long", "not as we write it"])
async def test_a_directory_with_something_hidden_in_it_is_not_empty(bench: Bench, folder: Folder, name: str) -> None:
    folder.emulator.control("directory", path=f"/{folder.path}/some/where/directory/{name}")
    assert await bench.names(b"directory") == []
    with pytest.raises(DirectoryNotEmpty):
        await bench.delete(b"directory")
    assert f"{folder.path}/some/where/directory/{name}" in folder.emulator.control("tree", "GET")
