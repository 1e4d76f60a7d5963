"""Removing a directory with all that is inside in one step."""

from __future__ import annotations

import os

import pytest

from cloudfs.types import ROOT
from cloudfs.vfs.removal import Removal
from tests.writeback.rig import Rig


@pytest.fixture
def removal(rig: Rig) -> Removal:
    return Removal(rig.catalog, rig.health, rig.uploader.kick, rig.stale.append, rig.staging.discard)


async def test_what_was_never_stored_gives_its_space_back(rig: Rig, removal: Removal) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/a", b"x" * 100_000)
    removal.remove(ROOT, b"d")
    rig.forget()
    assert (rig.staging.used, rig.staged_files()) == (0, [])


async def test_what_has_another_name_keeps_its_bytes(rig: Rig, removal: Removal) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/a", b"bytes")
    await rig.link(b"d/a", b"kept")
    removal.remove(ROOT, b"d")
    await rig.drain()
    assert await rig.read(b"kept") == b"bytes"


async def test_what_is_open_keeps_its_bytes_until_it_is_closed(rig: Rig, removal: Removal) -> None:
    await rig.mkdir(b"d")
    await rig.create(b"d/a", b"bytes")
    handle = rig.files.open(await rig.regular(b"d/a"), os.O_RDWR)
    removal.remove(ROOT, b"d")
    assert await rig.read_handle(handle) == b"bytes"
    rig.files.release(handle)
    rig.forget()
    assert (rig.staging.used, rig.staged_files()) == (0, [])
