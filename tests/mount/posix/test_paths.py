"""What every call that takes a path says of a bad one, in the same words.

The areas are those of pjdfstest; ``granular`` is left out: it is about NFSv4 access lists, which Linux does not have.
"""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest

from tests.mount.posix.syscalls import NOW, Identity

LONGEST = "n" * 255
TOO_LONG = "n" * 256
PATH_MAX = 4096

Call = tuple[Any, ...]


def on_existing(path: str) -> dict[str, Call]:
    """Calls that follow a symbolic link at the end of ``path``, on what should exist."""
    return {
        "open": ("attempt", path, os.O_RDONLY),
        "opendir": ("listdir", path),
        "stat": ("stat", path),
        "chmod": ("chmod", path, 0o644),
        "chown": ("chown", path, 0, 0),
        "truncate": ("truncate", path, 0),
        "utimensat": ("utimensat", path, NOW, NOW),
        "statvfs": ("statvfs", path),
    }


def on_entry(path: str) -> dict[str, Call]:
    """Calls on the name itself, which should exist."""
    return {
        "lstat": ("lstat", path),
        "lchown": ("lchown", path, 0, 0),
        "unlink": ("unlink", path),
        "rmdir": ("rmdir", path),
        "rename from": ("rename", path, "elsewhere"),
        "link from": ("link", path, "elsewhere"),
        "readlink": ("readlink", path),
    }


def making(path: str) -> dict[str, Call]:
    """Calls that make a name, which should not exist."""
    return {
        "create": ("attempt", path, os.O_CREAT | os.O_WRONLY),
        "create exclusively": ("attempt", path, os.O_CREAT | os.O_EXCL | os.O_WRONLY),
        "mkdir": ("mkdir", path),
        "mkfifo": ("mkfifo", path),
        "mknod fifo": ("mknod", path, stat.S_IFIFO | 0o644),
        "mknod socket": ("mknod", path, stat.S_IFSOCK | 0o644),
        "mknod block": ("mknod", path, stat.S_IFBLK | 0o644, os.makedev(1, 2)),
        "mknod character": ("mknod", path, stat.S_IFCHR | 0o644, os.makedev(1, 3)),
        "symlink": ("symlink", "target", path),
        "link to": ("link", "file", path),
        "rename to": ("rename", "file", path),
        "rename directory to": ("rename", "directory", path),
    }


def all_calls(path: str) -> dict[str, Call]:
    return on_existing(path) | on_entry(path) | making(path)


EVERY_CALL = sorted(all_calls(""))
MAKING = sorted(making(""))
FOLLOWING = sorted(on_existing(""))


@pytest.fixture(autouse=True)
def furniture(root: Identity) -> None:
    root.create("file")
    root.mkdir("directory", 0o755)


@pytest.mark.parametrize("name", EVERY_CALL)
def test_a_file_is_no_directory(root: Identity, name: str) -> None:
    assert root.outcome(*all_calls("file/x")[name]) == "ENOTDIR"
    assert root.outcome(*all_calls("file/x/y")[name]) == "ENOTDIR"


@pytest.mark.parametrize("name", EVERY_CALL)
def test_a_name_of_256_bytes_is_too_long(root: Identity, name: str) -> None:
    assert root.outcome(*all_calls(TOO_LONG)[name]) == "ENAMETOOLONG"
    assert root.outcome(*all_calls(f"directory/{TOO_LONG}")[name]) == "ENAMETOOLONG"
    assert root.outcome(*all_calls(f"{TOO_LONG}/x")[name]) == "ENAMETOOLONG"


@pytest.mark.parametrize("name", EVERY_CALL)
def test_a_path_of_path_max_bytes_is_too_long(root: Identity, name: str) -> None:
    path = "./" * (PATH_MAX // 2 - 1) + "xy"
    assert len(path) == PATH_MAX
    assert root.outcome(*all_calls(path)[name]) == "ENAMETOOLONG"


@pytest.mark.parametrize("name", EVERY_CALL)
def test_a_directory_that_does_not_exist(root: Identity, name: str) -> None:
    assert root.outcome(*all_calls("absent/x")[name]) == "ENOENT"


@pytest.mark.parametrize("name", sorted(set(EVERY_CALL) - set(MAKING)))
def test_a_name_that_does_not_exist(root: Identity, name: str) -> None:
    assert root.outcome(*all_calls("absent")[name]) == "ENOENT"
    assert root.outcome(*all_calls("")[name]) == "ENOENT"


@pytest.mark.parametrize("name", EVERY_CALL)
def test_search_permission_on_the_way(root: Identity, alice: Identity, name: str) -> None:
    root.chmod(".", 0o777)
    root.mkdir("closed", 0o755)
    root.mkdir("closed/inner", 0o777)
    root.chown("closed/inner", alice.uid, alice.gid)
    root.chmod("closed", 0o766)
    root.chown("file", alice.uid, alice.gid)
    root.chown("directory", alice.uid, alice.gid)
    assert alice.outcome(*all_calls("closed/inner/x")[name]) == "EACCES"
    assert alice.outcome(*all_calls("closed/x")[name]) == "EACCES"


@pytest.mark.parametrize("name", EVERY_CALL)
def test_links_in_a_circle_on_the_way(root: Identity, name: str) -> None:
    root.symlink("there", "here")
    root.symlink("here", "there")
    assert root.outcome(*all_calls("here/x")[name]) == "ELOOP"


@pytest.mark.parametrize("name", FOLLOWING)
def test_links_in_a_circle_at_the_end(root: Identity, name: str) -> None:
    root.symlink("there", "here")
    root.symlink("here", "there")
    assert root.outcome(*on_existing("here")[name]) == "ELOOP"
    assert root.outcome("attempt", "here", os.O_CREAT | os.O_WRONLY) == "ELOOP"


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_link_to_nothing(root: Identity, name: str) -> None:
    root.symlink("absent", "dangling")
    assert root.outcome(*on_existing("dangling")[name]) == "ENOENT"


@pytest.mark.parametrize("name", sorted(set(MAKING) - {"create", "rename to", "rename directory to"}))
@pytest.mark.parametrize("kind", ["regular", "directory", "fifo", "socket", "block", "character", "symlink"])
def test_a_name_that_is_taken(root: Identity, name: str, kind: str) -> None:
    root.make(kind, "taken")
    assert root.effect(*making("taken")[name], on=["taken", "."]) == ("EEXIST", "", "")


@pytest.mark.parametrize("name", MAKING)
def test_a_directory_one_may_not_write(root: Identity, alice: Identity, name: str) -> None:
    root.mkdir("readable", 0o755)
    root.chmod(".", 0o777)
    for path in ("file", "directory"):
        root.chown(path, alice.uid, alice.gid)
    assert alice.effect(*making("readable/x")[name], on=["readable"]) == ("EACCES", "")
    assert root.listdir("readable") == []


@pytest.mark.parametrize("name", MAKING)
def test_a_name_of_255_bytes_works(root: Identity, name: str) -> None:
    assert root.effect(*making(LONGEST)[name], on=["."]) == ("OK", "mc")
    assert LONGEST in root.listdir(".")
    assert root.outcome("rmdir" if "dir" in name else "unlink", LONGEST) == "OK"
    assert root.outcome("lstat", LONGEST) == "ENOENT"


@pytest.mark.parametrize("name", MAKING)
def test_names_are_bytes(root: Identity, name: str) -> None:
    wild = os.fsdecode(b'\xff\xfe new\nline \\ \xe2\x82\xac \x01*?:"<>|')
    assert root.outcome(*making(wild)[name]) == "OK"
    assert wild in root.listdir(".")


@pytest.mark.parametrize("name", MAKING)
def test_a_path_of_path_max_less_one_bytes_works(root: Identity, name: str) -> None:
    path = "./" * (PATH_MAX // 2 - 1) + "x"
    assert len(path) == PATH_MAX - 1
    assert root.outcome(*making(path)[name]) == "OK"
    assert "x" in root.listdir(".")


def test_a_deep_path_near_path_max(root: Identity) -> None:
    """255 bytes a name, fifteen names: what can be named in one call, and what lies beyond."""
    depth = 15
    bottom = root.nested(LONGEST, depth)
    path = "/".join([LONGEST] * depth)
    rest = PATH_MAX - 1 - len(path) - 1
    root.create(f"{path}/{'f' * rest}", 0o640, b"deep")
    assert root.content(f"{path}/{'f' * rest}") == b"deep"
    assert root.outcome("create", f"{path}/{'g' * (rest + 1)}") == "ENAMETOOLONG"
    beyond = root.open("b" * 255, os.O_CREAT | os.O_RDWR, 0o600, dir_fd=bottom)
    assert root.write(beyond, b"beyond") == 6
    assert root.pread(beyond, 10, 0) == b"beyond"
    assert sorted(root.listdir(bottom)) == ["b" * 255, "f" * rest]


def test_a_deeper_path_than_path_max(root: Identity) -> None:
    bottom = root.nested("d" * 200, 40)
    root.mkdir("x", 0o755, dir_fd=bottom)
    root.symlink("target", "s", dir_fd=bottom)
    root.rename("x", "y", src_dir_fd=bottom, dst_dir_fd=bottom)
    assert sorted(root.listdir(bottom)) == ["s", "y"]


def test_dot_and_dotdot(root: Identity) -> None:
    root.mkdir("directory/inner")
    assert root.stat("directory/inner/..").st_ino == root.stat("directory").st_ino
    assert root.stat("directory/inner/.").st_ino == root.stat("directory/inner").st_ino
    assert root.outcome("mkdir", "directory/.") == "EEXIST"
    assert root.outcome("mkdir", "directory/..") == "EEXIST"
    assert root.outcome("rmdir", "directory/inner/.") == "EINVAL"
    assert root.outcome("rmdir", "directory/inner/..") == "ENOTEMPTY"


def test_trailing_slashes(root: Identity) -> None:
    assert root.outcome("mkdir", "made/") == "OK"
    assert root.outcome("rename", "made/", "named/") == "OK"
    assert root.outcome("rmdir", "named/") == "OK"
    assert root.outcome("stat", "file/") == "ENOTDIR"
    assert root.outcome("unlink", "file/") == "ENOTDIR"
    assert root.outcome("attempt", "new/", os.O_CREAT | os.O_WRONLY) == "EISDIR"
