"""Trees to copy, and what is to be seen of them afterwards."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

DAY_NS = 86_400 * 10**9


class Seen(NamedTuple):
    """One name, as ``tar -p`` and ``rsync -aH`` promise to bring it back."""

    mode: str
    uid: int
    gid: int
    mtime_ns: int
    size: int
    rdev: int
    content: str
    links: tuple[str, ...]
    """All names of the same file, this one included; for directories none."""


def look(root: Path, *, times: bool = True) -> dict[str, Seen]:
    """Everything below ``root``, and ``root`` itself as ``.``."""
    names = {os.fsdecode(os.path.relpath(path, os.fsencode(root))): os.lstat(path) for path in walk(os.fsencode(root))}
    groups: dict[int, list[str]] = {}
    for name, found in names.items():
        groups.setdefault(found.st_ino, []).append(name)
    return {
        name: Seen(
            stat.filemode(found.st_mode),
            found.st_uid,
            found.st_gid,
            found.st_mtime_ns if times else 0,
            found.st_size if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode) else 0,
            found.st_rdev,
            fingerprint(root, name, found),
            () if stat.S_ISDIR(found.st_mode) else tuple(sorted(groups[found.st_ino])),
        )
        for name, found in sorted(names.items())
    }


def walk(top: bytes) -> Iterator[bytes]:
    yield top
    with os.scandir(top) as entries:
        found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for path, is_directory in found:
        if is_directory:
            yield from walk(path)
        else:
            yield path


def fingerprint(root: Path, name: str, found: os.stat_result) -> str:
    path = os.path.join(root, name)
    if stat.S_ISLNK(found.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(found.st_mode):
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:16]


def difference(wanted: dict[str, Seen], found: dict[str, Seen]) -> list[str]:
    """What differs, one line each; for assertions that show the difference and not two trees."""
    lines = [f"missing: {name}" for name in wanted if name not in found]
    lines += [f"too many: {name}" for name in found if name not in wanted]
    for name in wanted:
        if name in found and found[name] != wanted[name]:
            fields = zip(Seen._fields, wanted[name], found[name], strict=True)
            lines += [f"{name}: {field} is {new!r}, was {old!r}" for field, old, new in fields if old != new]
    return lines


def plant(root: Path, *, seed: int = 1, files: int = 60, devices: bool = True) -> None:
    """A tree with everything a backup meets: kinds, modes, owners, times, names, sizes, holes, hard links.

    Hard links of FIFOs are left out, because GNU tar does not keep them.
    """
    dice = random.Random(seed)
    directories = [root, root / "a", root / "a/b", root / "a/b/c", root / "empty", root / "sgid", root / "sticky"]
    for directory in directories[1:]:
        directory.mkdir()
    for number in range(files):
        size = dice.choice([0, 1, 10, 100, 4095, 4096, 4097, 30_000, 131_072, 131_073, 400_000])
        path = dice.choice(directories[:4]) / f"file{number}"
        path.write_bytes(dice.randbytes(size))
        os.chmod(path, dice.choice([0o644, 0o600, 0o755, 0o400, 0o664]))
        os.chown(path, dice.choice([0, 1000, 65534]), dice.choice([0, 1000, 65534]))
        os.utime(path, ns=(0, dice.randrange(0, 20_000) * DAY_NS + dice.randrange(10**9)))
    strange_names(root / "a")
    links(root, dice)
    special(root, devices=devices)
    sparse(root / "sparse", dice)
    os.chown(root / "sgid", 0, 1000)
    os.chmod(root / "sgid", 0o2775)
    os.chmod(root / "sticky", 0o1777)
    os.chmod(root / "a/b/c", 0o700)
    for name in ("a/dangling", "a/long", "symlink", "fifo", "setuid", "sparse", "one", *(("null", "block") * devices)):
        os.utime(root / name, ns=(0, dice.randrange(20_000) * DAY_NS + 45), follow_symlinks=False)
    for number, directory in enumerate(reversed(directories)):
        os.utime(directory, ns=(0, 1_000 * DAY_NS + number * 1_000_000_007))


def strange_names(directory: Path) -> None:
    names = [
        b"new\nline",
        b"\xff\xfe\xfd",
        "späte Größe €".encode(),
        b" spaces ",
        b"-dash",
        b"'\"\\$`",
        b"n" * 255,
        b"...",
        b"CON",
        b"a:b*c?",
    ]
    for name in names:
        with open(os.path.join(os.fsencode(directory), name), "wb") as file:
            file.write(name)


def links(root: Path, dice: random.Random) -> None:
    (root / "one").write_bytes(dice.randbytes(50_000))
    os.link(root / "one", root / "a/two")
    os.link(root / "one", root / "a/b/three")
    os.symlink("one", root / "symlink")
    os.symlink("../nowhere/at all", root / "a/dangling")
    os.symlink("t" * 4000, root / "a/long")
    os.link(root / "symlink", root / "symlink too", follow_symlinks=False)
    os.lchown(root / "a/dangling", 1000, 1000)


def special(root: Path, *, devices: bool) -> None:
    os.mkfifo(root / "fifo", 0o640)
    (root / "setuid").write_bytes(b"#!/bin/sh\n")
    os.chmod(root / "setuid", 0o6755)
    if devices:
        os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(root / "block", stat.S_IFBLK | 0o600, os.makedev(259, 70_000))


def sparse(path: Path, dice: random.Random) -> None:
    with open(path, "wb") as file:
        for offset in (1_000_000, 5_000_000, 9_000_000):
            file.seek(offset)
            file.write(dice.randbytes(10_000))
        file.truncate(12_000_000)
