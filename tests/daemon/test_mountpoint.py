"""Mountpoints in every state a mount can be in, made with the kernel and without a driver: dead when nobody holds
``/dev/fuse`` any more, hung when somebody holds it and never answers."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudfs.daemon.mountinfo import mounted_at, read_mounts
from cloudfs.daemon.mountpoint import Busy, is_dead, prepare_mountpoint, probe, register_helper, unmount, using
from cloudfs.errors import UsageError

needs_root = pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/dev/fuse"), reason="mounting needs root")

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2


def mount(kind: str, mountpoint: Path, data: str = "") -> None:
    if _libc.mount(b"local:/x", os.fsencode(mountpoint), kind.encode(), 0, data.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")


@pytest.fixture
def mountpoint(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "mnt"
    path.mkdir()
    yield path
    while mounted_at(path, read_mounts()):
        assert _libc.umount2(os.fsencode(path), _MNT_DETACH) == 0


@pytest.fixture
def mount_hung(mountpoint: Path) -> Iterator[Callable[..., int]]:
    """Mounts a FUSE file system that does not answer while the descriptor it gives is open."""
    descriptors: list[int] = []

    def make(kind: str = "fuse.cloudfs") -> int:
        descriptors.append(os.open("/dev/fuse", os.O_RDWR))
        mount(kind, mountpoint, f"fd={descriptors[-1]},rootmode=40000,user_id=0,group_id=0")
        return descriptors[-1]

    yield make
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def mount_dead(mountpoint: Path) -> Callable[..., None]:
    """Mounts a FUSE file system whose daemon has died."""

    def make(kind: str = "fuse.cloudfs") -> None:
        descriptor = os.open("/dev/fuse", os.O_RDWR)
        mount(kind, mountpoint, f"fd={descriptor},rootmode=40000,user_id=0,group_id=0")
        os.close(descriptor)

    return make


def test_a_plain_directory_is_ready(mountpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mountpoint.parent / "link").symlink_to("mnt")
    monkeypatch.chdir(mountpoint.parent)
    for spelling in ("mnt", "./mnt/", "link", "mnt/../mnt"):
        assert prepare_mountpoint(Path(spelling)) == mountpoint


def test_a_missing_directory_is_to_be_made(tmp_path: Path) -> None:
    missing = tmp_path / "not there"
    with pytest.raises(UsageError, match=f"there is no directory {missing}; create it with: mkdir -p '{missing}'"):
        prepare_mountpoint(missing)


def test_a_file_is_no_mountpoint(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is not a directory"):
        prepare_mountpoint(tmp_path / "file")


def test_what_a_probe_says(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert probe(tmp_path) == 0
    assert probe(tmp_path / "file") == errno.ENOTDIR
    assert probe(tmp_path / "none") == errno.ENOENT


@needs_root
def test_dead_mounts_of_ours_are_cleared_away(mountpoint: Path, mount_dead: Callable[..., None]) -> None:
    mount_dead()
    mount_dead()
    assert is_dead(mountpoint)
    assert prepare_mountpoint(mountpoint) == mountpoint
    assert mounted_at(mountpoint, read_mounts()) is None


@needs_root
def test_dead_mounts_of_others_are_left_alone(mountpoint: Path, mount_dead: Callable[..., None]) -> None:
    mount_dead("fuse.sshfs")
    with pytest.raises(UsageError, match=r"another file system \(fuse\.sshfs\)"):
        prepare_mountpoint(mountpoint)
    assert mounted_at(mountpoint, read_mounts()) is not None


@needs_root
def test_a_hung_mount_is_not_dead_and_hangs_nobody(
    mountpoint: Path, mount_hung: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    mount_hung()
    assert probe(mountpoint, 0.1) == errno.ETIMEDOUT
    monkeypatch.setattr("cloudfs.daemon.mountpoint.is_dead", lambda path: probe(path, 0.1) == errno.ENOTCONN)
    with pytest.raises(UsageError, match="mounted already, with local:/x; unmount it with: cloudfs umount"):
        prepare_mountpoint(mountpoint)


@needs_root
@pytest.mark.parametrize("lazy", [False, True])
def test_unmounting_a_hung_mount(mountpoint: Path, mount_hung: Callable[..., int], lazy: bool) -> None:
    mount_hung()
    unmount(mountpoint, lazy=lazy)
    assert mounted_at(mountpoint, read_mounts()) is None


@needs_root
def test_any_other_mount_is_just_a_directory(mountpoint: Path) -> None:
    mount("tmpfs", mountpoint)
    assert prepare_mountpoint(mountpoint) == mountpoint
    assert mounted_at(mountpoint, read_mounts()) is not None


@needs_root
def test_a_busy_mount_stays_and_says_who_uses_it(mountpoint: Path) -> None:
    mount("tmpfs", mountpoint)
    with open(mountpoint / "file", "w") as opened:
        assert os.getpid() in using(mountpoint)
        with pytest.raises(Busy, match=rf"in use by .*\(process {os.getpid()}\)"):
            unmount(mountpoint)
        assert opened.writable()
    assert os.getpid() not in using(mountpoint)
    unmount(mountpoint)
    assert mounted_at(mountpoint, read_mounts()) is None


@needs_root
def test_who_cannot_be_found_in_a_mount_is_waited_for(mountpoint: Path) -> None:
    """A mapping without a descriptor keeps it busy, and so does a call that waits for an answer."""
    mount("tmpfs", mountpoint)
    with open(mountpoint / "file", "w+b") as file:
        file.write(b"content")
        file.flush()
        _libc.mmap.restype = ctypes.c_void_p
        where = _libc.mmap(None, 7, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), ctypes.c_long(0))
    assert using(mountpoint) == []
    leaving = threading.Timer(2.5, _libc.munmap, (ctypes.c_void_p(where), 7))
    leaving.start()
    unmount(mountpoint)
    assert mounted_at(mountpoint, read_mounts()) is None
    leaving.join()


@needs_root
def test_what_is_not_mounted_cannot_be_unmounted(mountpoint: Path) -> None:
    with pytest.raises(UsageError, match=f"cannot unmount {mountpoint}: .*not mounted"):
        unmount(mountpoint)


def test_without_the_program(mountpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"the program (umount|fusermount3) is missing"):
        unmount(mountpoint)


class TestHelper:
    """The entry in util-linux's table, written by a ``mount`` of the test's own."""

    @pytest.fixture
    def world(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (tmp_path / "mount").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\nexit 0\n')
        (tmp_path / "mount").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        monkeypatch.setattr("cloudfs.daemon.mountpoint.HELPER", tmp_path / "umount.cloudfs")
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        return tmp_path

    def test_a_fake_mount_names_the_helper(self, world: Path) -> None:
        (world / "umount.cloudfs").touch()
        register_helper(Path("/mnt/x"), "backup:photos")
        expected = "-i -c -f -t fuse.cloudfs -o helper=cloudfs,_netdev -- backup:photos /mnt/x\n"
        assert (world / "called").read_text() == expected

    def test_nothing_is_done_without_the_helper(self, world: Path) -> None:
        register_helper(Path("/mnt/x"), "backup:photos")
        assert not (world / "called").exists()

    def test_nothing_is_done_for_others_than_root(self, world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (world / "umount.cloudfs").touch()
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        register_helper(Path("/mnt/x"), "backup:photos")
        assert not (world / "called").exists()

    def test_a_refusal_is_a_warning(self, world: Path, caplog: pytest.LogCaptureFixture) -> None:
        (world / "umount.cloudfs").touch()
        (world / "mount").write_text("#!/bin/sh\necho no >&2\nexit 1\n")
        register_helper(Path("/mnt/x"), "backup:photos")
        assert "umount will not wait for uploads: no" in caplog.text
