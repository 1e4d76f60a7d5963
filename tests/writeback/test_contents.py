"""What the uploader reads of a staged file, and what is remembered of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from cloudfs.cache.blocks import BLOCK, checksums
from cloudfs.cache.contract import CachedContent
from cloudfs.catalog.pieces import SentPiece
from cloudfs.catalog.stagings import StagedRow
from cloudfs.errors import NotFound
from cloudfs.stores.base import Piece
from cloudfs.types import Extent, Inode
from cloudfs.writeback.contents import Revoked, StagedReader, StagedSource
from cloudfs.writeback.staged import Staged

SIZE = 10 * BLOCK + 777
CONTENT = Random(1).randbytes(SIZE)
PATCH = Extent(3 * BLOCK - 5, 3 * BLOCK + 5)


class Base:
    """The old content of a file, all zeros. ``meanwhile()`` is what happens while somebody waits for these bytes."""

    size = SIZE

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None

    def read_nowait(self, start: int, stop: int) -> bytes | None:
        return None

    async def read(self, start: int, stop: int) -> bytes:
        self.meanwhile()
        return bytes(stop - start)

    async def bring(self, start: int, stop: int) -> None: ...

    def close(self) -> None: ...


class Elsewhere:
    """Opens the ``base``, and has the bytes of every piece; ``meanwhile()`` as in `Base`."""

    def __init__(self, base: Base | None = None) -> None:
        self.base = base
        self.meanwhile: Callable[[], object] = lambda: None

    def open(self, ino: Inode, content: int, size: int) -> CachedContent:
        assert self.base is not None, "this file is all new"
        return self.base

    def has(self, ino: Inode, content: int) -> bool:
        return True

    async def read_piece(self, sent: SentPiece, start: int, stop: int) -> bytes:
        self.meanwhile()
        return CONTENT[start:stop]


def staged_with(path: Path, extents: tuple[Extent, ...]) -> Staged:
    """With ``extents`` it is a change of those to a `Base`."""
    row = StagedRow(Inode(5), 1, 1 if extents else 0, SIZE if extents else 0, extents, writing=False)
    path.write_bytes(CONTENT)
    return Staged(row, os.open(path, os.O_RDWR | os.O_CLOEXEC), lambda change: None)


@pytest.fixture
def staged(tmp_path: Path) -> Iterator[Staged]:
    staged = staged_with(tmp_path / "whole", ())
    yield staged
    staged.close()


@pytest.fixture
def patched(tmp_path: Path) -> Iterator[Staged]:
    staged = staged_with(tmp_path / "patch", (PATCH,))
    yield staged
    staged.close()


def noted(source: StagedSource) -> dict[int, int]:
    return {block: source.sums.chapters[0][block] for run in source.sums.blocks for block in range(*run)}


@pytest.mark.parametrize("step", [BLOCK, 3 * BLOCK, 5 * BLOCK, SIZE], ids=["block", "few", "in threads", "all"])
async def test_the_sums_of_all_that_was_read_are_noted(staged: Staged, step: int) -> None:
    source = StagedSource(staged, SIZE, Elsewhere())
    starts = range(0, SIZE, step)
    assert b"".join([await source.read(at, min(at + step, SIZE)) for at in starts]) == CONTENT
    assert noted(source) == dict(enumerate(checksums(CONTENT)))


@pytest.mark.parametrize("step", [BLOCK, SIZE], ids=["block", "all"])
async def test_the_sums_of_a_change_are_those_of_the_whole_file(patched: Staged, step: int) -> None:
    source = StagedSource(patched, SIZE, Elsewhere(Base()))
    sent = b"".join([await source.read(at, min(at + step, SIZE)) for at in range(0, SIZE, step)])
    assert sent == CONTENT[PATCH.start : PATCH.stop].rjust(PATCH.stop, b"\0").ljust(SIZE, b"\0")
    assert noted(source) == dict(enumerate(checksums(sent)))


@pytest.mark.parametrize("stop", [BLOCK, 8 * BLOCK], ids=["inline", "in a thread"])
async def test_a_revoked_read_leaves_no_sums(patched: Staged, stop: int) -> None:
    base = Base()
    source = StagedSource(patched, SIZE, Elsewhere(base))
    base.meanwhile = source.revoke
    with pytest.raises(Revoked):
        await source.read(0, stop)
    assert noted(source) == {}


def sent_piece(number: int, *, punched: bool) -> SentPiece:
    """Of two blocks."""
    piece = Piece(number * 2 * BLOCK, (number + 1) * 2 * BLOCK, f"piece {number}")
    return SentPiece(number + 1, Inode(5), 1, piece, punched=punched, offered=None)


def punch(staged: Staged, number: int) -> None:
    """As `cloudfs.writeback.ahead` does when space is needed."""
    sent = sent_piece(number, punched=True)
    staged.sent.put(sent)
    staged.punch(sent.start, sent.stop)


async def test_what_is_punched_while_an_earlier_part_is_fetched_is_fetched_too(staged: Staged) -> None:
    punch(staged, 0)
    staged.sent.put(sent_piece(1, punched=False))
    elsewhere = Elsewhere()
    elsewhere.meanwhile = lambda: punch(staged, 1)
    assert await StagedReader(staged, elsewhere).read(0, SIZE) == CONTENT


async def test_what_is_punched_while_a_thread_reads_it_is_read_again(staged: Staged) -> None:
    class Punched(Staged):
        """Space is needed at the very moment that a thread has begun to read."""

        __slots__ = ()

        def read(self, start: int, stop: int) -> bytes:
            if not self.sent:
                punch(self, 0)
            return super().read(start, stop)

    staged.__class__ = Punched
    assert await StagedSource(staged, SIZE, Elsewhere()).read(0, SIZE) == CONTENT


async def test_what_was_stored_while_an_earlier_part_is_fetched_is_read_from_there(patched: Staged) -> None:
    """The upload is confirmed in the middle: what had been punched of it shows through from now on."""
    punch(patched, 4)
    old, new = Base(), Base()
    elsewhere = Elsewhere(old)

    def stored() -> None:
        elsewhere.base = new
        patched.rebase(2, list(patched.sent))

    elsewhere.meanwhile = stored
    found = await StagedReader(patched, elsewhere).read(8 * BLOCK, SIZE)
    assert found == CONTENT[8 * BLOCK : 10 * BLOCK] + bytes(777)


@pytest.mark.parametrize(("stored", "base"), [(3, 7), (7, 7), (9, 9)])
@pytest.mark.parametrize("pieces", [False, True], ids=["whole", "in pieces"])
def test_what_shows_through_is_never_an_older_version(patched: Staged, stored: int, base: int, *, pieces: bool) -> None:
    """One name of a file may get stored, or moved, with less than another name of it has already."""
    patched.base = 7
    if pieces:
        punch(patched, 4)
    patched.rebase(stored, list(patched.sent))
    assert (patched.base, patched.holds(8 * BLOCK, 9 * BLOCK)) == (base, False)


async def test_bytes_that_are_staged_no_longer_are_not_read_here(staged: Staged) -> None:
    staged.gone = True
    with pytest.raises(NotFound):
        await StagedReader(staged, Elsewhere()).read(0, SIZE)
