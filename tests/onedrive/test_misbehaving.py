"""Whatever OneDrive does, what was written is there. The suite of all stores meets the same (``tests/stores``)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators.onedrive.mischief import MISCHIEF, misbehave
from tests.emulators.running import Running
from tests.mount.backup import backup_and_restore
from tests.mount.driver import Mount
from tests.mount.programs import run
from tests.mount.tree import difference, look
from tests.stores.onedrive import Account

SMALL_FRAGMENTS = 'fragment = "320KiB"\n'


@pytest.mark.parametrize("kind", MISCHIEF)
def test_what_was_written_is_there(
    onedrive: Running, mounting: Callable[..., Mount], tmp_path: Path, kind: str
) -> None:
    """In business accounts everything goes by session, in personal ones more goes by batch."""
    where = "personal" if "batches" in kind else "business"
    mount = mounting(Account.make(onedrive, where), settings=SMALL_FRAGMENTS)
    tree = tmp_path / "tree"
    for directory in ("a", "b"):
        (tree / directory).mkdir(parents=True)
        for number in range(12):
            (tree / directory / f"{number}").write_bytes(os.urandom(1000 * number))
    (tree / "large").write_bytes(os.urandom(1_500_000))
    (tree / "link").symlink_to("large")
    misbehave(onedrive, kind)
    run("rsync", "-aH", f"{tree}/", f"{mount.path}/")
    (mount.path / "a").rename(mount.path / "c")
    (mount.path / "b/5").write_bytes(b"again")
    (mount.path / "b/6").unlink()
    mount.wait()
    (tree / "a").rename(tree / "c")
    (tree / "b/5").write_bytes(b"again")
    (tree / "b/6").unlink()
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert difference(look(tree, times=False), look(mount.path, times=False)) == []
    counts = onedrive.control("counts", "GET")
    assert counts["happened"] or ("batches" in kind and counts["requests"].get("batched parts", 0) < 3)
    assert mount.status()["parked"] == []


def test_an_upload_that_has_all_bytes_and_is_never_published(onedrive: Running, mounting: Callable[..., Mount]) -> None:
    """Going on with it would lead nowhere, however often."""
    account = Account.make(onedrive, "business")
    mount = mounting(account, settings=SMALL_FRAGMENTS)
    onedrive.control("trouble", do="partial", match="PUT /upload", skip=1, bytes=1 << 20)
    (mount.path / "file").write_bytes(os.urandom(500_000))
    mount.wait(limit=20)
    assert onedrive.control("counts", "GET")["happened"] == {"partial": 1}


@pytest.mark.parametrize("kind", ["personal", "business", "documentLibrary"])
def test_backup_and_restore_with_everything_going_wrong(
    onedrive: Running, mounting: Callable[..., Mount], tmp_path: Path, kind: str
) -> None:
    mount = mounting(Account.make(onedrive, kind), settings='fragment = "2560KiB"\n')
    misbehave(onedrive)
    backup_and_restore(mount, tmp_path / "tree", files=5)
    assert len(onedrive.control("counts", "GET")["happened"]) >= 4


def test_a_document_that_sharepoint_rewrites_and_does_not_acknowledge(
    onedrive: Running, mounting: Callable[..., Mount]
) -> None:
    """What is there is not what was sent, and yet nobody else has put it there."""
    account = Account.make(onedrive, "documentLibrary")
    mount = mounting(account)
    onedrive.control("trouble", do="lose", match="PUT /upload")
    (mount.path / "letter.docx").write_bytes(b"Dear Sir or Madam")
    mount.wait()
    assert [path for path in account.tree() if "letter" in path] == ["letter.docx"]
    assert onedrive.control("counts", "GET")["happened"] == {"lose": 1}


def test_damage_in_a_library_of_sharepoint_is_not_taken_for_its_own_work(
    onedrive: Running, mounting: Callable[..., Mount]
) -> None:
    mount = mounting(Account.make(onedrive, "documentLibrary"))
    onedrive.control("trouble", do="damage", match="PUT /upload")
    (mount.path / "archive.tar").write_bytes(b"x" * 10_000)
    mount.umount()
    mount.forget_everything()
    mount.start()
    assert (mount.path / "archive.tar").read_bytes() == b"x" * 10_000


def test_checksums_that_are_never_told(onedrive: Running, mounting: Callable[..., Mount]) -> None:
    """Then the file is read back."""
    mount = mounting(Account.make(onedrive, "business"))
    onedrive.control("policy", hashes=False)
    (mount.path / "file").write_bytes(b"x" * 10_000)
    (mount.path / "empty").touch()
    mount.wait()
    assert onedrive.control("counts", "GET")["requests"]["GET download"] >= 1


def test_addresses_that_expire_while_a_file_is_read(onedrive: Running, mounting: Callable[..., Mount]) -> None:
    mount = mounting(Account.make(onedrive))
    content = os.urandom(12_000_000)
    (mount.path / "file").write_bytes(content)
    mount.umount()
    mount.forget_everything()
    mount.start()
    with open(mount.path / "file", "rb") as file:
        assert file.read(1_000_000) == content[:1_000_000]
        onedrive.control("expire", what="downloads")
        assert file.read() == content[1_000_000:]
