"""A program that syncs, and says what it relies on. ``python -m tests.crash.promises ROOT SEED`` goes on for ever.

Each line it prints is JSON, ``[path, states]``: from now on, one of ``states`` is what is found at ``path``, whatever
happens to the power. The line comes before what puts an older promise in doubt, and after the ``fsync`` that makes a
new one. Of files that are only closed it says which contents they ever had: the store must never get another one.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
import sys
import time
from pathlib import Path

State = list[object]
"""``["file", sha256, mode, mtime_ns]``, ``["begins", size, sha256]``, ``["dir", mode]``, ``["link", target]``,
``["absent"]``, ``["anything"]``, or ``["was", sha256...]``: absent, or a file with one of these contents."""
ABSENT: State = ["absent"]
ANYTHING: State = ["anything"]
CLOSED = [f"a/closed-{number}" for number in range(6)]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def state_of(path: Path) -> State:
    """What is there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ABSENT
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return ["dir", mode]
    if stat.S_ISLNK(status.st_mode):
        return ["link", os.readlink(path)]
    return ["file", digest(path.read_bytes()), mode, status.st_mtime_ns]


def holds(state: State, path: Path) -> bool:
    """Whether that is what is there."""
    if state == ANYTHING:
        return True
    if state[0] == "begins":
        size = int(str(state[1]))
        return path.is_file() and digest(path.read_bytes()[:size]) == state[2]
    if state[0] == "was":
        return not path.exists() or digest(path.read_bytes()) in state[1:]
    return state_of(path) == state


class Program:
    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.dice = random.Random(seed)
        self.files: set[str] = set()
        self.closed: dict[str, list[str]] = {}
        self.serial = 0
        self.directories = ["a", "a/b", "c"]

    def run(self) -> None:
        for directory in self.directories:
            (self.root / directory).mkdir(mode=0o755)
            self.promise(directory, ["dir", 0o755])
        self.sync_directory("a")
        actions = [self.save] * 4 + [self.rewrite, self.append, self.touch, self.move, self.remove]
        actions += [self.link, self.symlink, self.empty, self.pause, self.directory]
        actions += [self.close, self.close, self.close_patched, self.close_sparse, self.close_slowly]
        while True:
            self.dice.choice(actions)()

    # What is said

    def promise(self, name: str, *states: State) -> None:
        print(json.dumps([name, states]), flush=True)

    # What is done

    def save(self) -> None:
        """As editors do, and rsync."""
        name = self.some_name()
        temporary = f"{Path(name).parent}/.{self.number()}.tmp"
        old = state_of(self.root / name)
        self.promise(temporary, ANYTHING)
        self.write(temporary, self.bytes(), "wb", mode=self.dice.choice([0o600, 0o644, 0o4755]))
        new = state_of(self.root / temporary)
        self.promise(temporary, new)
        self.promise(temporary, new, ABSENT)
        self.promise(name, old, new)
        os.rename(self.root / temporary, self.root / name)
        self.sync_directory(str(Path(name).parent))
        self.promise(name, new)
        self.promise(temporary, ABSENT)
        self.files.add(name)

    def rewrite(self) -> None:
        """In the middle of a file that may be stored already."""
        name = self.some_file()
        size = (self.root / name).stat().st_size
        offset = self.dice.randrange(size + 1)
        self.promise(name, ["begins", offset, digest((self.root / name).read_bytes()[:offset])])
        with (self.root / name).open("r+b") as file:
            file.seek(offset)
            file.write(self.bytes())
            file.flush()
            os.fsync(file.fileno())
        self.promise(name, state_of(self.root / name))

    def append(self) -> None:
        name = self.some_file()
        data = (self.root / name).read_bytes()
        self.promise(name, ["begins", len(data), digest(data)])
        self.write(name, self.bytes(), "ab")
        self.promise(name, state_of(self.root / name))

    def touch(self) -> None:
        name = self.some_file()
        old = state_of(self.root / name)
        _, content, _, _ = old
        mode, mtime_ns = self.dice.choice([0o400, 0o640]), self.dice.randrange(10**18)
        steps = [old, ["file", content, mode, old[3]], ["file", content, mode, mtime_ns]]
        self.promise(name, *steps)
        fd = os.open(self.root / name, os.O_RDONLY)
        try:
            os.fchmod(fd, mode)
            os.utime(fd, ns=(mtime_ns, mtime_ns))
            os.fsync(fd)
        finally:
            os.close(fd)
        self.promise(name, steps[-1])

    def move(self) -> None:
        """To another directory, over whatever is there."""
        name, target = self.some_file(), self.some_name()
        if name == target:
            return
        moved = state_of(self.root / name)
        self.promise(name, moved, ABSENT)
        self.promise(target, state_of(self.root / target), moved)
        os.rename(self.root / name, self.root / target)
        self.sync_directory(str(Path(target).parent))
        self.promise(name, ABSENT)
        self.promise(target, moved)
        self.files.discard(name)
        self.files.add(target)

    def remove(self) -> None:
        name = self.some_file()
        self.promise(name, state_of(self.root / name), ABSENT)
        os.unlink(self.root / name)
        self.sync_directory(str(Path(name).parent))
        self.promise(name, ABSENT)
        self.files.discard(name)

    # Without fsync. Nothing is promised of these, but that they hurt nobody, and that half of one is never stored.

    def close(self) -> None:
        data = self.bytes()
        with self.closing(data).open("wb") as file:
            file.write(data)

    def close_slowly(self) -> None:
        data = self.bytes()
        with self.closing(data).open("wb", buffering=0) as file:
            for start in range(0, len(data), 100_000):
                file.write(data[start : start + 100_000])
                time.sleep(0.02)

    def close_patched(self) -> None:
        """In the middle of what may be stored already."""
        name = self.dice.choice(CLOSED)
        if name not in self.closed:
            return
        data, patch = bytearray((self.root / name).read_bytes()), self.bytes()
        offset = self.dice.randrange(len(data) + 1)
        data[offset : offset + len(patch)] = patch
        with self.closing(bytes(data), name).open("r+b") as file:
            file.seek(offset)
            file.write(patch)

    def close_sparse(self) -> None:
        """A hole, bytes, and another hole."""
        hole, data = bytes(self.dice.choice([10_000, 300_000])), self.bytes()
        with self.closing(hole + data + hole).open("wb") as file:
            file.truncate(2 * len(hole) + len(data))
            file.seek(len(hole))
            file.write(data)

    def closing(self, data: bytes, name: str = "") -> Path:
        """Such a file is about to get this content."""
        name = name or self.dice.choice(CLOSED)
        known = self.closed.setdefault(name, [digest(b"")])
        known.append(digest(data))
        self.promise(name, ["was", *known])
        return self.root / name

    # More names

    def link(self) -> None:
        name, other = self.some_file(), f"c/link-{self.number()}"
        found = state_of(self.root / name)
        self.promise(other, ABSENT, found)
        os.link(self.root / name, self.root / other)
        self.sync_directory("c")
        self.promise(other, found)
        self.promise(other, ABSENT, found)
        os.unlink(self.root / other)

    def symlink(self) -> None:
        name = f"c/symlink-{self.number()}"
        self.promise(name, ABSENT, ["link", "target"])
        os.symlink("target", self.root / name)
        self.sync_directory("c")
        self.promise(name, ["link", "target"])

    def empty(self) -> None:
        """A lock file, say: made, synced, never written."""
        name = f"c/empty-{self.number()}"
        self.promise(name, ANYTHING)
        self.write(name, b"", "xb")
        self.promise(name, state_of(self.root / name))

    def directory(self) -> None:
        name = f"a/directory-{self.number()}"
        self.promise(name, ABSENT, ["dir", 0o711])
        (self.root / name).mkdir(mode=0o711)
        self.sync_directory("a")
        self.promise(name, ["dir", 0o711])

    def pause(self) -> None:
        """So that things get stored."""
        time.sleep(self.dice.choice([0.01, 0.1, 0.5]))

    # With what

    def write(self, name: str, data: bytes, how: str, *, mode: int | None = None) -> None:
        with (self.root / name).open(how) as file:
            file.write(data)
            file.flush()
            if mode is not None:
                mtime_ns = self.dice.randrange(10**18)
                os.fchmod(file.fileno(), mode)
                os.utime(file.fileno(), ns=(mtime_ns, mtime_ns))
            os.fsync(file.fileno())

    def sync_directory(self, name: str) -> None:
        fd = os.open(self.root / name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def bytes(self) -> bytes:
        return self.dice.randbytes(self.dice.choice([1, 100, 5_000, 200_000, 700_000]))

    def number(self) -> int:
        self.serial += 1
        return self.serial

    def some_name(self) -> str:
        return f"{self.dice.choice(self.directories)}/f{self.dice.randrange(5)}"

    def some_file(self) -> str:
        if not self.files:
            self.save()
        return self.dice.choice(sorted(self.files))


if __name__ == "__main__":
    Program(Path(sys.argv[1]), int(sys.argv[2])).run()
