# ruff: noqa: ASYNC240 - looks at the disk, while nothing else wants to run
"""What an ordinary user may not set is noted in extended attributes (`cloudfs.stores.local.attributes`).

Root needs no notes, so ``test_local_unprivileged.py`` runs this as an ordinary user.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from cloudfs.errors import AccessDenied
from cloudfs.stores.base import Location
from cloudfs.stores.local.store import LocalStore
from cloudfs.types import Attributes
from tests.stores.conformance.bench import DIRECTORY, FILE, Bench, of_type

LOCKED = replace(FILE, mode=stat.S_IFREG | 0o070)
DEVICE = of_type(stat.S_IFBLK, 0o660, rdev=os.makedev(8, 1))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    assert os.geteuid() != 0
    return tmp_path


@pytest.fixture
def bench(directory: Path) -> Bench:
    return Bench(LocalStore(directory), LocalStore(directory))


async def attributes_of(bench: Bench, name: bytes) -> Attributes | None:
    return (await bench.through(bench.other).stat(name)).attributes


async def test_a_mode_that_locks_the_owner_out_is_widened(bench: Bench, directory: Path) -> None:
    entry = await bench.put(b"file", b"x", LOCKED)
    assert entry.attributes == LOCKED == await attributes_of(bench, b"file")
    assert stat.S_IMODE((directory / "file").stat().st_mode) == 0o670
    assert os.getxattr(directory / "file", "user.cloudfs.mode") == b"0070=0670"
    closed = replace(DIRECTORY, mode=stat.S_IFDIR)
    await bench.make_directory(b"d", closed)
    assert await attributes_of(bench, b"d") == closed
    assert stat.S_IMODE((directory / "d").stat().st_mode) == 0o700


async def test_a_note_goes_when_it_is_not_needed_any_more(bench: Bench, directory: Path) -> None:
    entry = await bench.put(b"file", b"x", replace(LOCKED, uid=0, gid=0))
    assert len(os.listxattr(directory / "file")) == 2
    await bench.set_attributes(b"file", entry.version, FILE)
    assert os.listxattr(directory / "file") == []


async def test_a_note_is_void_when_the_disk_was_changed_by_hand(bench: Bench, directory: Path) -> None:
    await bench.put(b"file", b"x", LOCKED)
    (directory / "file").chmod(0o644)
    attributes = await attributes_of(bench, b"file")
    assert attributes is not None
    assert stat.S_IMODE(attributes.mode) == 0o644


async def test_devices_are_empty_files_with_a_note(bench: Bench, directory: Path) -> None:
    await bench.put(b"device", b"", DEVICE)
    assert stat.S_ISREG((directory / "device").stat().st_mode)
    assert os.getxattr(directory / "device", "user.cloudfs.special") == b"060000:8:1"
    (directory / "device").write_bytes(b"now it has bytes")
    attributes = await attributes_of(bench, b"device")
    assert attributes is not None
    assert attributes.is_regular


@pytest.mark.parametrize("value", [b"", b"=", b"x", b"0644", b"1=2=3", b"99999999999999999999:0:0", b"060000:-1:0"])
async def test_notes_that_make_no_sense_are_no_notes(bench: Bench, directory: Path, value: bytes) -> None:
    await bench.put(b"file", b"", FILE)
    for name in ("mode", "owner", "special"):
        os.setxattr(directory / "file", f"user.cloudfs.{name}", value)
    assert await attributes_of(bench, b"file") == FILE


async def test_notes_are_not_the_users_own_attributes(bench: Bench, directory: Path) -> None:
    forged = replace(FILE, xattrs=((b"user.cloudfs.mode", b"7777=0640"), (b"user.mine", b"1")))
    await bench.put(b"file", b"", forged)
    assert os.listxattr(directory / "file") == ["user.mine"]
    assert await attributes_of(bench, b"file") == replace(FILE, xattrs=((b"user.mine", b"1"),))


async def test_what_is_not_permitted_is_denied(bench: Bench, directory: Path) -> None:
    await bench.make_directory(b"d")
    file = await bench.put(b"d/file", b"x")
    (directory / "d").chmod(0o500)
    with pytest.raises(AccessDenied):
        await bench.put(b"d/new", b"x")
    with pytest.raises(AccessDenied):
        await bench.make_directory(b"d/e")
    with pytest.raises(AccessDenied):
        await bench.move(b"d/file", b"file")
    with pytest.raises(AccessDenied):
        await bench.delete(b"d/file", file.version)
    (directory / "d").chmod(0o300)
    with pytest.raises(AccessDenied):
        await bench.store.list(Location(b"d"))


async def test_a_directory_of_somebody_else_is_read_only(directory: Path) -> None:
    assert not LocalStore(directory).read_only
    assert LocalStore(Path("/")).read_only
    directory.chmod(0o500)
    assert LocalStore(directory).read_only
