# ruff: noqa: ASYNC240 - looks at the disk, while nothing else wants to run
"""What is special to the local store: the disk below it, and other programs that use the same directory."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from cloudfs.errors import (
    AccessDenied,
    BrokenAnswer,
    NameRefused,
    NotFound,
    QuotaExceeded,
    StoreError,
    StoreReadOnly,
    TooLarge,
    Unavailable,
    VersionMismatch,
)
from cloudfs.stores.base import Location
from cloudfs.stores.local.content import Draft
from cloudfs.stores.local.errors import store_error
from cloudfs.stores.local.parts import Maker
from cloudfs.stores.local.store import LocalStore
from cloudfs.stores.local.tree import LocalTree
from cloudfs.types import Version
from tests.stores.conformance.bench import FILE, LARGE, Bench, content, of_type
from tests.stores.sources import BytesSource, HeldSource, SparseSource


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "store"
    directory.mkdir()
    return directory


@pytest.fixture
def bench(directory: Path) -> Bench:
    return Bench.of(lambda: LocalStore(directory, durable=False))


@pytest.fixture
def bench_with_names(directory: Path) -> Bench:
    """One whose unfinished uploads have hidden names."""
    return Bench.of(lambda: LocalStore(directory, durable=False, unnamed_drafts=False))


def on_disk(directory: Path) -> set[str]:
    return {os.path.relpath(path, directory) for path in directory.rglob("*")}


# --- plain files -------------------------------------------------------------------------------------------------


async def test_files_are_plain_files(bench: Bench, directory: Path) -> None:
    await bench.make_directory(b"d")
    await bench.put(b"d/file", b"as it is")
    await bench.put(b"link", b"", of_type(stat.S_IFLNK, 0o777, target=b"d/file"))
    await bench.link(b"d/file", b"name")
    assert on_disk(directory) == {"d", "d/file", "link", "name"}
    assert (directory / "link").read_bytes() == b"as it is"
    assert (directory / "name").samefile(directory / "d/file")


async def test_a_terabyte_of_holes_takes_no_room(bench: Bench, directory: Path) -> None:
    size = 1 << 40
    source = SparseSource(size, {0: b"begin", size // 2: b"middle", size - 3: b"end"})
    entry = await bench.put(b"sparse", source)
    assert entry.size == size
    assert await bench.read(b"sparse", size - 5, size) == b"\0\0end"
    assert await bench.read(b"sparse", size // 2 - 1, size // 2 + 7) == b"\0middle\0"
    assert (directory / "sparse").stat().st_blocks * 512 < 1 << 20
    assert source.read_bytes < 1 << 20
    assert await bench.store.checksum(Location(b"sparse"), entry.version) == await bench.store.digest(source)
    copy = await bench.copy(b"sparse", b"copy", FILE)
    assert await bench.store.checksum(Location(b"copy"), copy.version) == await bench.store.digest(source)
    assert (directory / "copy").stat().st_blocks * 512 < 1 << 20


async def test_the_largest_file_fits_and_no_larger_one(bench: Bench, directory: Path) -> None:
    limit = bench.can.max_size
    assert limit is not None
    await bench.put(b"largest", SparseSource(limit, {}))
    with pytest.raises(OSError, match="large"):
        os.truncate(directory / "largest", limit + 1)


async def test_paths_may_be_longer_than_one_call_takes(bench: Bench) -> None:
    path = b""
    for _ in range(20):
        path += b"/" * bool(path) + b"d" * 255
        await bench.make_directory(path)
    assert len(path) > os.pathconf("/", "PC_PATH_MAX")
    entry = await bench.put(path + b"/file", b"deep", replace(FILE, xattrs=((b"user.a", b"1"),)))
    assert await bench.entries(Location(path)) == [entry]
    assert await bench.read(path + b"/file") == b"deep"


async def test_a_small_file_takes_one_trip_to_a_thread(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    trips = 0
    run_sync = trio.to_thread.run_sync

    async def counted(*args: object, **kwargs: object) -> object:
        nonlocal trips
        trips += 1
        return await run_sync(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(trio.to_thread, "run_sync", counted)
    await bench.put(b"small", content(100_000))
    assert trips == 1


# --- versions ----------------------------------------------------------------------------------------------------


async def test_a_version_stays_when_only_names_and_permissions_change(bench: Bench, directory: Path) -> None:
    version = (await bench.put(b"file", b"bytes")).version
    await bench.make_directory(b"d")
    assert (await bench.link(b"file", b"name")).version == version
    assert (await bench.move(b"file", b"d/moved")).version == version
    (directory / "name").chmod(0o600)
    assert (await bench.stat(b"d/moved")).version == version
    attributes = replace(FILE, mode=stat.S_IFREG | 0o604)
    assert (await bench.set_attributes(b"name", version, attributes)).version == version


async def test_a_version_changes_with_content_and_time(bench: Bench, directory: Path) -> None:
    versions = [(await bench.put(b"file", b"bytes")).version]
    (directory / "file").write_bytes(b"other")
    versions.append((await bench.stat(b"file")).version)
    os.utime(directory / "file", ns=(7, 7))
    versions.append((await bench.stat(b"file")).version)
    with (directory / "file").open("ab") as file:
        file.write(b"!")
    os.utime(directory / "file", ns=(7, 7))
    versions.append((await bench.stat(b"file")).version)
    assert len(set(versions)) == 4


async def test_a_file_written_to_while_it_is_read_is_another_version(bench: Bench, directory: Path) -> None:
    version = (await bench.put(b"file", b"before")).version
    (directory / "file").write_bytes(b"after!")
    with pytest.raises(VersionMismatch):
        await bench.store.read(Location(b"file"), version, 0, 6)
    assert await bench.read(b"file") == b"after!"


# --- nothing leads out of the directory --------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path, directory: Path) -> Path:
    """A directory beside the store's, and a link to it inside."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (directory / "way-out").symlink_to(outside)
    (directory / "secret").symlink_to(outside / "secret")
    return outside


async def test_symbolic_links_are_entries_and_not_followed(bench: Bench, outside: Path) -> None:
    before = on_disk(outside), outside.stat().st_mtime_ns
    link = await bench.stat(b"way-out")
    assert link.attributes is not None
    assert link.attributes.target == os.fsencode(outside)
    for call in (
        bench.store.list(Location(b"way-out")),
        bench.store.stat(Location(b"way-out/secret")),
        bench.store.read(Location(b"way-out/secret"), link.version, 0, 1),
        bench.put(b"way-out/new", b"x"),
        bench.make_directory(b"way-out/new"),
        bench.store.move(Location(b"way-out"), Location(b"way-out/moved")),
    ):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(NotFound):
        await bench.store.move(Location(b"way-out/secret"), Location(b"moved"))
    await bench.store.delete(Location(b"way-out/secret"), None)
    assert (on_disk(outside), outside.stat().st_mtime_ns) == before


async def test_attributes_of_a_symbolic_link_are_its_own(bench: Bench, outside: Path) -> None:
    before = (outside / "secret").stat()
    link = await bench.stat(b"secret")
    assert link.attributes is not None
    await bench.set_attributes(b"secret", link.version, replace(link.attributes, mtime_ns=5))
    await bench.link(b"secret", b"name")
    await bench.delete(b"secret", (await bench.stat(b"secret")).version)
    after = (outside / "secret").stat()
    assert (before.st_mtime_ns, before.st_nlink, before.st_mode) == (after.st_mtime_ns, after.st_nlink, after.st_mode)


@pytest.mark.parametrize("path", [b"../outside/secret", b"d/../../outside/secret", b"./d", b"/d", b"d/", b"a\0b"])
async def test_paths_that_lead_elsewhere_are_refused(bench: Bench, outside: Path, path: bytes) -> None:
    await bench.make_directory(b"d")
    location, version = Location(path), Version("")
    for call in (
        bench.store.list(location),
        bench.store.stat(location),
        bench.store.read(location, version, 0, 1),
        bench.store.make_directory(location, FILE),
        bench.store.set_attributes(location, version, FILE),
        bench.store.move(Location(b"d"), location),
        bench.store.move(location, Location(b"new")),
        bench.store.link(location, Location(b"new")),
        bench.store.delete(location, None),
        bench.store.delete(location, version),
    ):
        with pytest.raises(NameRefused):
            await call
    assert on_disk(outside) == {"secret"}


async def test_the_root_stays(bench: Bench, directory: Path) -> None:
    await bench.make_directory(b"d")
    for call in (
        bench.store.delete(Location(b""), None),
        bench.store.move(Location(b""), Location(b"d/root")),
        bench.store.move(Location(b"d"), Location(b"")),
        bench.put(b"", b"x"),
    ):
        with pytest.raises(AccessDenied):
            await call
    assert on_disk(directory) == {"d"}


# --- unfinished uploads ------------------------------------------------------------------------------------------


async def test_hidden_names_are_hidden_and_cannot_be_used(bench_with_names: Bench, directory: Path) -> None:
    bench = bench_with_names
    source = HeldSource(BytesSource(content(LARGE)), LARGE - 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.put, b"large", source)
        await source.reached.wait()
        (hidden,) = on_disk(directory)
        assert await bench.names() == await bench.through(bench.other).names() == []
        with pytest.raises(NameRefused):
            await bench.stat(os.fsencode(hidden))
        with pytest.raises(NameRefused):
            await bench.put(os.fsencode(hidden), b"mine")
        source.gate.set()
    assert on_disk(directory) == {"large"}


async def test_a_cancelled_upload_leaves_nothing(bench_with_names: Bench, directory: Path) -> None:
    source = HeldSource(BytesSource(content(LARGE)), LARGE - 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench_with_names.put, b"large", source)
        await source.reached.wait()
        assert len(on_disk(directory)) == 1
        nursery.cancel_scope.cancel()
    assert on_disk(directory) == set()


async def test_names_that_only_look_like_hidden_ones_are_ordinary(bench: Bench, directory: Path) -> None:
    for name in (b".cloudfs-aside-1", b".cloudfs-0123.part", Maker.this_process().new_part().upper()):
        await bench.put(name, b"x")
    assert len(await bench.names()) == 3


# --- the disk ----------------------------------------------------------------------------------------------------


def calls(bench: Bench) -> list[Coroutine[Any, Any, object]]:
    root, file = Location(b""), Location(b"file")
    return [
        bench.store.list(root),
        bench.store.stat(file),
        bench.store.read(file, Version("v"), 0, 1),
        bench.put(b"file", b"x"),
        bench.make_directory(b"d"),
        bench.store.delete(file, Version("v")),
        bench.store.move(file, Location(b"new")),
        bench.store.usage(),
    ]


async def test_a_missing_root_is_a_store_that_is_away(bench: Bench, directory: Path) -> None:
    await bench.put(b"file", b"x")
    aside = directory.with_name("aside")
    directory.rename(aside)
    for call in calls(bench):
        with pytest.raises(Unavailable):
            await call
    directory.mkdir()
    for call in calls(bench):
        with pytest.raises(Unavailable):
            await call
    assert on_disk(directory) == set()
    directory.rmdir()
    aside.rename(directory)
    assert await bench.names() == [b"file"]


async def test_a_root_that_comes_later(directory: Path) -> None:
    """A disk that is plugged in, a share that is mounted: whatever is there first is what the store is."""
    bench = Bench(LocalStore(directory / "disk"), LocalStore(directory / "disk"))
    assert not LocalStore(directory / "disk").read_only
    for call in calls(bench):
        with pytest.raises(Unavailable):
            await call
    (directory / "disk").mkdir()
    await bench.put(b"file", b"x")
    assert (directory / "disk/file").read_bytes() == b"x"
    (directory / "disk").rename(directory / "aside")
    (directory / "disk").mkdir()
    with pytest.raises(Unavailable, match="another directory"):
        await bench.names()


async def test_a_disk_that_lies_is_found_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Draft.write

    def forgetful(draft: Draft, pieces: object) -> None:
        write(draft, pieces)  # type: ignore[arg-type]
        os.pwrite(draft.fd, b"?", 10)

    monkeypatch.setattr(Draft, "write", forgetful)
    for data in (b"a small file, written wrongly", content(LARGE)):
        with pytest.raises(BrokenAnswer):
            await bench.put(b"file", data)
    assert await bench.names() == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, NotFound),
        (errno.EACCES, AccessDenied),
        (errno.EPERM, AccessDenied),
        (errno.EROFS, StoreReadOnly),
        (errno.ENOSPC, QuotaExceeded),
        (errno.EDQUOT, QuotaExceeded),
        (errno.ENAMETOOLONG, NameRefused),
        (errno.EFBIG, TooLarge),
        (errno.EIO, Unavailable),
        (errno.ESTALE, Unavailable),
        (errno.EMFILE, Unavailable),
    ],
)
def test_what_the_disk_says_in_the_words_of_a_store(number: int, kind: type[StoreError]) -> None:
    error = store_error(OSError(number, os.strerror(number)), "a file")
    assert type(error) is kind
    assert str(error) == f"a file: {os.strerror(number)}"


async def test_a_full_disk_publishes_nothing(bench: Bench, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = await bench.put(b"file", b"old")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("cloudfs.stores.local.content.os.pwrite", full)
        for data in (b"small", content(LARGE)):
            with pytest.raises(QuotaExceeded):
                await bench.put(b"file", data, replaces=old.version)
    assert await bench.read(b"file") == b"old"
    assert on_disk(directory) == {"file"}


async def test_attributes_too_large_for_the_file_system_do_not_say_that_the_store_is_full(
    bench: Bench, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_file_system_takes_that = replace(FILE, xattrs=((b"user.a", bytes((64 << 10) + 1)),))
    with pytest.raises(AccessDenied, match="65543 bytes of extended attributes"):
        await bench.put(b"file", b"x", no_file_system_takes_that)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    space = os.statvfs(directory)
    monkeypatch.setattr("cloudfs.stores.local.attributes.os.setxattr", refuse)
    for free, expected in ((1000, AccessDenied), (0, QuotaExceeded)):
        answer = SimpleNamespace(f_bavail=free, f_frsize=space.f_frsize)
        monkeypatch.setattr("cloudfs.stores.local.attributes.os.statvfs", lambda path, answer=answer: answer)
        with pytest.raises(expected):
            await bench.put(b"file", b"x", replace(FILE, xattrs=((b"user.a", b"1"),)))
    assert on_disk(directory) == set()


async def test_usage_is_that_of_the_disk(bench: Bench, directory: Path) -> None:
    usage = await bench.store.usage()
    assert usage.total == shutil.disk_usage(directory).total
    assert usage.free is not None
    assert 0 < usage.free <= usage.total


async def test_nothing_is_left_open(bench_with_names: Bench) -> None:
    bench = bench_with_names

    async def everything() -> None:
        await bench.make_directory(b"d")
        entry = await bench.put(b"d/file", content(LARGE))
        await bench.copy(b"d/file", b"copy", FILE)
        await bench.put(b"d/link", b"", of_type(stat.S_IFLNK, 0o777, target=b"x"))
        with pytest.raises(VersionMismatch):
            await bench.put(b"d/file", content(LARGE + 1))
        with pytest.raises(NotFound):
            await bench.put(b"missing/file", b"x")
        await bench.delete(b"d/file", entry.version)
        for name in await bench.names(b"d"):
            await bench.delete(b"d/" + name, (await bench.stat(b"d/" + name)).version)
        await bench.delete(b"d")
        await bench.delete(b"copy", (await bench.stat(b"copy")).version)

    await everything()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await everything()
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_thread_at_a_time_changes_a_directory(directory: Path) -> None:
    tree = LocalTree(os.fsencode(directory))
    inside: list[int] = []
    together: set[int] = set()

    def change(number: int) -> None:
        for _ in range(300):
            with tree.open(b"") as fd, tree.changing(fd, fd):
                inside.append(number)
                (directory / str(number)).touch()
                together.add(len(inside))
                (directory / str(number)).unlink()
                inside.remove(number)

    threads = [threading.Thread(target=change, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {1}
