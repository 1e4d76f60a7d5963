"""Documents in a library of SharePoint, which rewrites them: whose they are is not told by size or checksum."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cloudfs.errors import Unavailable, VersionMismatch
from cloudfs.stores.base import Entry, Location, Store
from cloudfs.stores.onedrive.store import OneDriveStore
from tests.emulators.running import Running
from tests.stores.conformance.bench import FILE, Bench
from tests.stores.onedrive import Account
from tests.stores.sources import BytesSource, Progress

LETTER = Location(b"letter.docx")
OURS, THEIRS = b"our letter", b"their letter, which is longer"


@pytest.fixture
def library(onedrive: Running) -> Account:
    return Account.make(onedrive, "documentLibrary")


@pytest.fixture
async def bench(library: Account) -> AsyncIterator[Bench]:
    bench = Bench.of(library.store)
    yield bench
    await bench.aclose()


@pytest.fixture
async def hasty(library: Account) -> AsyncIterator[OneDriveStore]:
    """A client that gives up soon, and comes back as the other one after that."""
    store = library.store(patience=0.5)
    yield store
    await store.aclose()


async def put(store: Store, transfer: Progress) -> Entry:
    return await store.put(LETTER, BytesSource(OURS), FILE, replaces=None, transfer=transfer)


async def test_one_of_somebody_else_is_not_taken_for_ours(bench: Bench) -> None:
    """Of the same time, as a program gives it to both that unpacks archives."""
    await bench.through(bench.other).put(LETTER.path, THEIRS)
    with pytest.raises(VersionMismatch):
        await put(bench.store, Progress())
    assert (await bench.read(LETTER.path)).startswith(THEIRS)


async def test_the_old_one_is_not_taken_for_the_new_one(onedrive: Running, bench: Bench) -> None:
    """Saved twice in one second; and the session ends just before the last bytes."""
    old = await bench.put(LETTER.path, THEIRS)
    onedrive.control("trouble", do="answer", status=404, match="PUT /upload")
    new = await bench.put(LETTER.path, OURS, replaces=old.version)
    assert new.version != old.version
    assert (await bench.read(LETTER.path)).startswith(OURS)


async def test_ours_is_known_again_when_the_answer_was_lost(onedrive: Running, bench: Bench) -> None:
    onedrive.control("trouble", do="lose", match="PUT /upload")
    entry = await bench.put(LETTER.path, OURS)
    assert await bench.stat(LETTER.path) == entry


async def test_ours_is_known_again_by_the_next_process(
    onedrive: Running, library: Account, hasty: OneDriveStore, bench: Bench
) -> None:
    """The line broke with the answer, and was away for longer than anybody waited."""
    transfer = Progress()
    onedrive.control("trouble", do="lose", match="PUT /upload")
    onedrive.control("trouble", do="refuse", match="/upload", times=1000)
    with pytest.raises(Unavailable):
        await put(hasty, transfer)
    onedrive.control("trouble", "DELETE")
    assert [path for path in library.tree() if path] == [LETTER.path.decode()]
    assert await put(bench.store, transfer) == await bench.stat(LETTER.path)


async def test_what_never_arrived_is_sent_by_the_next_process(
    onedrive: Running, hasty: OneDriveStore, bench: Bench
) -> None:
    transfer = Progress()
    onedrive.control("trouble", do="refuse", match="/upload", times=1000)
    with pytest.raises(Unavailable):
        await put(hasty, transfer)
    onedrive.control("trouble", "DELETE")
    onedrive.control("expire", what="sessions")
    await put(bench.store, transfer)
    assert (await bench.read(LETTER.path)).startswith(OURS)
