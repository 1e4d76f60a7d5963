"""Names that differ in case only, which OneDrive cannot have together: each is found, and none is there twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from cloudfs.errors import VersionMismatch
from cloudfs.stores.base import Location
from tests.mount.driver import Mount
from tests.stores.conformance.bench import Bench
from tests.stores.onedrive import Account


@pytest.fixture
async def bench(account: Account) -> AsyncIterator[Bench]:
    """Of three such names the second one is gone."""
    bench = Bench.of(account.store)
    for name in (b"README", b"Readme", b"readme"):
        await bench.put(name, name)
    await bench.delete(b"Readme", (await bench.stat(b"Readme")).version)
    yield bench
    await bench.aclose()


async def test_the_last_is_found_by_its_name(bench: Bench) -> None:
    listed = await bench.stat(b"readme")
    assert await bench.store.stat(Location(b"readme")) == listed


async def test_the_last_is_replaced_by_another_file(bench: Bench) -> None:
    old = await bench.stat(b"readme")
    await bench.put(b"new", b"new")
    await bench.move(b"new", b"readme", old.version)
    assert await bench.names() == [b"README", b"readme"]
    assert await bench.read(b"readme") == b"new"


async def test_a_new_file_does_not_get_a_name_that_is_taken(bench: Bench) -> None:
    """Of a client that does not know of it."""
    with pytest.raises(VersionMismatch):
        await bench.put(b"readme", b"another")
    assert await bench.names() == [b"README", b"readme"]
    assert await bench.read(b"readme") == b"readme"


async def test_a_moved_file_does_not_get_a_name_that_is_taken(bench: Bench) -> None:
    await bench.put(b"new", b"new")
    with pytest.raises(VersionMismatch):
        await bench.move(b"new", b"readme")
    assert await bench.names() == [b"README", b"new", b"readme"]


async def test_a_new_directory_does_not_get_a_name_that_is_taken(bench: Bench) -> None:
    with pytest.raises(VersionMismatch):
        await bench.make_directory(b"readme")
    assert await bench.names() == [b"README", b"readme"]


async def test_a_name_that_is_free_is_given(bench: Bench) -> None:
    await bench.put(b"Readme", b"again")
    await bench.make_directory(b"READme")
    assert await bench.names() == [b"README", b"READme", b"Readme", b"readme"]
    assert await bench.read(b"Readme") == b"again"


async def test_what_is_moved_to_where_it_is_stays_there(bench: Bench) -> None:
    """So it is when the first answer was lost."""
    await bench.move(b"readme", b"readme")
    assert await bench.names() == [b"README", b"readme"]
    assert await bench.read(b"readme") == b"readme"


def test_a_stored_file_is_moved_onto_the_last_by_a_mount(account: Account, mounting: Callable[..., Mount]) -> None:
    mount = mounting(account)
    for name in ("README", "Readme", "readme"):
        (mount.path / name).write_text(name)
        mount.wait()
    (mount.path / "Readme").unlink()
    (mount.path / "new").write_text("new")
    mount.wait()
    (mount.path / "new").rename(mount.path / "readme")
    mount.wait()
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert {path.name: path.read_text() for path in mount.path.iterdir()} == {"README": "README", "readme": "new"}
