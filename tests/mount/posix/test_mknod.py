"""mknod and mkfifo: kinds, modes, numbers, whose."""

from __future__ import annotations

import os
import stat

import pytest

from tests.mount.posix.syscalls import Identity, Syscalls

TYPES = {
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "block": stat.S_IFBLK,
    "character": stat.S_IFCHR,
    "regular": stat.S_IFREG,
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("mode", "umask", "wanted"), [(0o755, 0, 0o755), (0o151, 0, 0o151), (0o345, 0o070, 0o305), (0o345, 0o501, 0o244)]
)
def test_kind_mode_and_umask(worker: Syscalls, kind: str, mode: int, umask: int, wanted: int) -> None:
    device = os.makedev(11, 12) if kind in ("block", "character") else 0
    maker = worker.identity(0, umask=umask)
    assert maker.effect("mknod", "x", TYPES[kind] | mode, device, on=["."]) == ("OK", "mc")
    found = worker.identity(0).lstat("x")
    assert (found.st_mode, found.st_rdev, found.st_nlink, found.st_size) == (TYPES[kind] | wanted, device, 1, 0)


@pytest.mark.parametrize("numbers", [(1, 3), (255, 255), (259, 1_048_575), (4095, 256)])
def test_device_numbers(root: Identity, numbers: tuple[int, int]) -> None:
    root.mknod("x", stat.S_IFBLK | 0o600, os.makedev(*numbers))
    found = root.stat("x").st_rdev
    assert (os.major(found), os.minor(found)) == numbers


@pytest.mark.parametrize("kind", ["block", "character"])
def test_devices_are_for_root(root: Identity, alice: Identity, kind: str) -> None:
    root.chmod(".", 0o777)
    assert alice.effect("mknod", "x", TYPES[kind] | 0o644, os.makedev(1, 3), on=["."]) == ("EPERM", "")


@pytest.mark.parametrize("kind", ["fifo", "socket", "regular"])
def test_the_rest_is_for_all(root: Identity, worker: Syscalls, kind: str) -> None:
    root.chmod(".", 0o777)
    worker.identity(65534, 65533).mknod("x", TYPES[kind] | 0o644)
    assert (root.stat("x").st_uid, root.stat("x").st_gid) == (65534, 65533)


def test_directories_are_not_made_by_mknod(root: Identity) -> None:
    assert root.outcome("mknod", "x", stat.S_IFDIR | 0o755) == "EPERM"


def test_a_device_works(root: Identity) -> None:
    root.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    fd = root.open("null", os.O_RDWR)
    assert (root.write(fd, b"gone"), root.read(fd, 10)) == (4, b"")


def test_a_fifo_carries_bytes(root: Identity) -> None:
    root.mkfifo("p", 0o600)
    reader = root.open("p", os.O_RDONLY | os.O_NONBLOCK)
    writer = root.open("p", os.O_WRONLY | os.O_NONBLOCK)
    root.write(writer, b"through")
    assert root.read(reader, 100) == b"through"
    assert root.stat("p").st_size == 0


def test_a_socket_is_bound(root: Identity) -> None:
    root.bind("s")
    assert stat.S_ISSOCK(root.stat("s").st_mode)
    assert root.outcome("bind", "s") == "EADDRINUSE"
