"""Large files leave in pieces while they are written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from cloudfs.catalog.database import Database
from cloudfs.stores.base import Capabilities, Piece
from cloudfs.stores.faults import LoseAnswer
from cloudfs.stores.memory.pieces import MemoryPieces
from cloudfs.stores.memory.store import MemoryStore
from cloudfs.stores.memory.tree import MemoryTree
from cloudfs.stores.sparse import ALGORITHM
from cloudfs.writeback.staged import Staged
from tests.writeback.full_disk import FullDisk
from tests.writeback.rig import Rig, mounted

PIECE = 4096


@pytest.fixture
def store(tree: MemoryTree) -> MemoryStore:
    return MemoryStore(tree, Capabilities(server_copy=True, attributes=True, checksum=ALGORITHM), piece_size=PIECE)


@pytest.fixture
async def rig(tmp_path: Path, store: MemoryStore) -> AsyncIterator[Rig]:
    async with mounted(tmp_path, store) as rig:
        yield rig


async def opened(rig: Rig, name: bytes, pieces: int) -> int:
    """A handle of a new file of that many pieces, and a little."""
    handle = rig.files.open((await rig.make(name)).ino, os.O_RDWR)
    for number in range(pieces):
        await rig.write_handle(handle, number * PIECE, bytes([number + 1]) * PIECE)
    await rig.write_handle(handle, pieces * PIECE, b"end")
    return handle


async def test_what_was_written_whole_leaves_before_the_file_is_closed(rig: Rig, tree: MemoryTree) -> None:
    handle = await opened(rig, b"a", 3)
    await trio.sleep(2)
    assert len(tree.pieces) == 3
    assert list(tree.root.children) == []
    rig.files.release(handle)
    await rig.drain()
    assert len(await rig.read(b"a")) == 3 * PIECE + 3


async def test_a_file_without_a_name_is_left_alone_and_nobody_runs_in_circles(
    rig: Rig, tree: MemoryTree, store: MemoryStore
) -> None:
    handle = await opened(rig, b"a", 3)
    await rig.unlink(b"a")
    await trio.sleep(100)
    assert tree.pieces == {}
    assert store.calls["put"] == 0
    assert await rig.read_handle(handle) == b"".join(bytes([n + 1]) * PIECE for n in range(3)) + b"end"
    rig.files.release(handle)
    rig.forget()
    await rig.drain()
    assert rig.staged_files() == []


async def test_what_is_written_again_is_sent_again(rig: Rig, tree: MemoryTree) -> None:
    handle = await opened(rig, b"a", 2)
    await trio.sleep(5)
    await rig.write_handle(handle, 10, b"other")
    rig.files.release(handle)
    await rig.drain()
    assert (await rig.read(b"a"))[:16] == b"\x01" * 10 + b"other" + b"\x01"
    stored = tree.root.children[b"a"].content
    assert stored.read(0, 16) == b"\x01" * 10 + b"other" + b"\x01"


@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "open"])
async def test_what_was_published_without_an_answer_is_the_base_of_what_is_written_then(
    rig: Rig, tree: MemoryTree, *, is_open: bool
) -> None:
    """The store has the only copy of what was punched, and from now on as a part of its object."""
    handle = await opened(rig, b"a", 3)
    await punched(rig, tree, 3)
    rig.files.release(handle)
    rig.plan.add("put", LoseAnswer())
    rig.hasten()
    while rig.plan.pending:
        await rig.uploader.progressed()
    rig.cache.shrink(0)
    await rig.write(b"a", b"more", 3 * PIECE + 3)
    handle = rig.files.open((await rig.resolve(b"a")).ino, os.O_RDWR)
    if not is_open:
        rig.files.release(handle)
    await rig.drain()
    expected = b"".join(bytes([number + 1]) * PIECE for number in range(3)) + b"endmore"
    assert tree.root.children[b"a"].content.read(0, len(expected)) == expected
    rig.cache.shrink(0)
    assert await rig.read(b"a") == expected


async def punched(rig: Rig, tree: MemoryTree, pieces: int) -> None:
    """Return when the space of so many pieces was given back."""
    assert rig.ahead is not None
    while len(tree.pieces) < pieces or rig.staging.used > 2 * PIECE:
        rig.ahead.make_room()
        await trio.sleep(1)


async def test_what_is_brought_back_is_not_punched_out(
    rig: Rig, tree: MemoryTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow: while it confirms that a piece may go, a program writes to it."""
    assert rig.ahead is not None
    handle = await opened(rig, b"a", 3)
    await trio.sleep(2)
    assert len(tree.pieces) == 3
    confirming, confirm = trio.Event(), trio.Event()
    at_once = trio.to_thread.run_sync

    async def slowly(work: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if getattr(work, "__func__", None) is Database.sync:
            confirming.set()
            await confirm.wait()
        if getattr(work, "__func__", None) is Staged.sync:
            confirm.set()
            await trio.sleep(1)
        return await at_once(work, *arguments, **options)

    monkeypatch.setattr(trio.to_thread, "run_sync", slowly)
    rig.ahead.make_room()
    await confirming.wait()
    await rig.write_handle(handle, 10, b"other")
    confirm.set()
    assert await rig.read_handle(handle) == patched()
    rig.files.release(handle)
    await rig.drain()
    assert tree.root.children[b"a"].content.read(0, len(patched())) == patched()


async def test_a_file_opened_again_is_written_where_it_was_punched(rig: Rig, tree: MemoryTree) -> None:
    handle = await opened(rig, b"a", 3)
    await punched(rig, tree, 3)
    rig.files.release(handle)
    await rig.write(b"a", b"other", 10)
    await rig.drain()
    assert await rig.read(b"a") == patched()
    assert tree.root.children[b"a"].content.read(0, len(patched())) == patched()


def patched() -> bytes:
    """What `opened` has written, with other bytes in the first piece."""
    first = b"\x01" * 10 + b"other" + b"\x01" * (PIECE - 15)
    return first + b"\x02" * PIECE + b"\x03" * PIECE + b"end"


@pytest.mark.parametrize("sent", [0, 3])
async def test_a_full_disk_does_not_end_who_makes_room(
    rig: Rig, tree: MemoryTree, monkeypatch: pytest.MonkeyPatch, sent: int
) -> None:
    disk = FullDisk(monkeypatch)
    assert rig.ahead is not None
    handle = await opened(rig, b"a", 3)
    await trio.sleep(2 if sent else 0)
    assert len(tree.pieces) == sent
    disk.full = True
    rig.ahead.make_room()
    await trio.sleep(10)
    disk.full = False
    await punched(rig, tree, 3)
    rig.files.release(handle)


def on_the_disk(home: Path, question: str) -> list[Any]:
    """What the catalogue would answer after a power cut: what was not committed is not in it."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("catalog.db", "catalog.db-wal"):
            shutil.copy(home / "state" / name, directory)
        with closing(sqlite3.connect(Path(directory) / "catalog.db")) as connection:
            return connection.execute(question).fetchall()


async def test_no_space_is_given_back_before_the_disk_knows_that_the_store_has_the_bytes(
    rig: Rig, tree: MemoryTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[Any] = []
    punch = Staged.punch

    def look(staged: Staged, start: int, stop: int) -> None:
        known.append(on_the_disk(tmp_path, f"SELECT punched FROM pieces WHERE start = {start}"))
        punch(staged, start, stop)

    monkeypatch.setattr(Staged, "punch", look)
    handle = await opened(rig, b"a", 3)
    await punched(rig, tree, 3)
    rig.files.release(handle)
    assert known == [[(1,)]] * 3


async def test_no_piece_is_dropped_before_the_disk_knows_that_it_is_not_needed(
    rig: Rig, tree: MemoryTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[Any] = []
    drop = MemoryPieces.drop

    async def look(pieces: MemoryPieces, piece: Piece) -> None:
        known.append(on_the_disk(tmp_path, f"SELECT ino FROM pieces WHERE token = '{piece.token}'"))
        await drop(pieces, piece)

    monkeypatch.setattr(MemoryPieces, "drop", look)
    handle = await opened(rig, b"a", 3)
    await trio.sleep(2)
    assert len(tree.pieces) == 3
    await rig.write_handle(handle, 10, b"other")
    await trio.sleep(5)
    rig.files.release(handle)
    assert known == [[(None,)]]
