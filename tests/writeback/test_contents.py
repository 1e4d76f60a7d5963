"""What the uploader reads of a staged file, and what is remembered of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from cloudfs.cache.blocks import BLOCK, checksums
from cloudfs.catalog.pieces import SentPiece
from cloudfs.catalog.stagings import StagedRow
from cloudfs.types import Extent, Inode
from cloudfs.writeback.contents import Revoked, StagedSource
from cloudfs.writeback.staged import Staged

SIZE = 10 * BLOCK + 777
CONTENT = Random(1).randbytes(SIZE)
PATCH = Extent(3 * BLOCK - 5, 3 * BLOCK + 5)


class Base:
    """The old content of a file. Somebody writes to the file, while ``source`` is waiting for these bytes."""

    size = SIZE

    def __init__(self) -> None:
        self.source: StagedSource | None = None

    def read_nowait(self, start: int, stop: int) -> bytes | None:
        return None

    async def read(self, start: int, stop: int) -> bytes:
        if self.source is not None:
            self.source.revoke()
        return bytes(stop - start)

    async def bring(self, start: int, stop: int) -> None: ...

    def close(self) -> None: ...


async def no_piece(sent: SentPiece, start: int, stop: int) -> bytes:
    raise AssertionError("nothing of these files has left them")


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
    source = StagedSource(staged, SIZE, None, no_piece)
    starts = range(0, SIZE, step)
    assert b"".join([await source.read(at, min(at + step, SIZE)) for at in starts]) == CONTENT
    assert noted(source) == dict(enumerate(checksums(CONTENT)))


@pytest.mark.parametrize("step", [BLOCK, SIZE], ids=["block", "all"])
async def test_the_sums_of_a_change_are_those_of_the_whole_file(patched: Staged, step: int) -> None:
    source = StagedSource(patched, SIZE, Base(), no_piece)
    sent = b"".join([await source.read(at, min(at + step, SIZE)) for at in range(0, SIZE, step)])
    assert sent == CONTENT[PATCH.start : PATCH.stop].rjust(PATCH.stop, b"\0").ljust(SIZE, b"\0")
    assert noted(source) == dict(enumerate(checksums(sent)))


@pytest.mark.parametrize("stop", [BLOCK, 8 * BLOCK], ids=["inline", "in a thread"])
async def test_a_revoked_read_leaves_no_sums(patched: Staged, stop: int) -> None:
    base = Base()
    source = base.source = StagedSource(patched, SIZE, base, no_piece)
    with pytest.raises(Revoked):
        await source.read(0, stop)
    assert noted(source) == {}
