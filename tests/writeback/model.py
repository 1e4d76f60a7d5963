"""What the mount should show: the tree of a file system in its simplest form, with the vocabulary of `Rig`."""

from __future__ import annotations

import copy
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from cloudfs.errors import (
    AlreadyExists,
    DirectoryNotEmpty,
    InvalidArgument,
    IsADirectory,
    NotADirectory,
    NotFound,
    NotPermitted,
)
from cloudfs.vfs.attributes import Change
from cloudfs.vfs.namespace import EXCHANGE, NOREPLACE

OWNER_ID = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One name as somebody may look at it. ``group`` is the first of all names of the same file."""

    mode: int
    uid: int
    gid: int
    data: bytes
    group: bytes
    mtime_ns: int = 0

    def __repr__(self) -> str:
        return (
            f"<{self.mode:o} {self.uid}:{self.gid} {self.data[:24]!r} {len(self.data)} ={self.group!r} {self.mtime_ns}>"
        )


View = Mapping[bytes, Row]
"""Rows by path; the root is not in it."""


def timeless(view: View) -> View:
    return {path: replace(row, mtime_ns=0) for path, row in view.items()}


def assert_same(found: View, expected: View, where: str) -> None:
    """Raises `AssertionError` with one line for each path that differs."""
    wrong = [
        f"{path!r} is {found.get(path)}, not {expected.get(path)}"
        for path in sorted({*found, *expected})
        if found.get(path) != expected.get(path)
    ]
    if wrong:
        raise AssertionError("\n  ".join([f"{where}:", *wrong]))


@dataclass(eq=False)
class Thing:
    """A file of any type. ``data`` is a symbolic link's target, too."""

    mode: int
    uid: int = OWNER_ID
    gid: int = OWNER_ID
    data: bytes = b""
    children: dict[bytes, Thing] = field(default_factory=dict)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


class Model:
    """The tree. Methods raise the errors of the file system, and then have changed nothing."""

    def __init__(self) -> None:
        self.root = Thing(stat.S_IFDIR | 0o755)

    def copy(self) -> Model:
        return copy.deepcopy(self)

    def view(self) -> View:
        firsts: dict[int, bytes] = {}
        things = sorted(self._walk(b"", self.root))
        for path, _, thing in things:
            firsts.setdefault(id(thing), path)
        return {path: Row(thing.mode, thing.uid, thing.gid, thing.data, firsts[id(thing)]) for path, _, thing in things}

    def _walk(self, prefix: bytes, directory: Thing) -> Iterator[tuple[bytes, int, Thing]]:
        for name, thing in directory.children.items():
            yield prefix + name, id(thing), thing
            yield from self._walk(prefix + name + b"/", thing)

    def find(self, path: bytes) -> Thing:
        thing = self.root
        for name in filter(None, path.split(b"/")):
            if not thing.is_directory:
                raise NotADirectory
            if name not in thing.children:
                raise NotFound
            thing = thing.children[name]
        return thing

    def _place(self, path: bytes) -> tuple[Thing, bytes]:
        parent, _, name = path.rpartition(b"/")
        directory = self.find(parent)
        if not directory.is_directory:
            raise NotADirectory
        return directory, name

    def _existing(self, path: bytes) -> tuple[Thing, bytes, Thing]:
        directory, name = self._place(path)
        if name not in directory.children:
            raise NotFound
        return directory, name, directory.children[name]

    def _free(self, path: bytes) -> tuple[Thing, bytes]:
        directory, name = self._place(path)
        if name in directory.children:
            raise AlreadyExists
        return directory, name

    def _regular(self, path: bytes) -> Thing:
        thing = self.find(path)
        if not stat.S_ISREG(thing.mode):
            raise InvalidArgument
        return thing

    # --- the vocabulary ------------------------------------------------------------------------------------------

    def make(self, path: bytes, mode: int, target: bytes | None = None) -> None:
        directory, name = self._free(path)
        directory.children[name] = Thing(mode, data=target or b"")

    def create(self, path: bytes, data: bytes) -> None:
        self.make(path, stat.S_IFREG | 0o644)
        self.write(path, data)

    def write(self, path: bytes, data: bytes, offset: int = 0) -> None:
        self.write_thing(self._regular(path), data, offset)

    @staticmethod
    def write_thing(thing: Thing, data: bytes, offset: int) -> None:
        if data:
            thing.data = thing.data[:offset].ljust(offset, b"\0") + data + thing.data[offset + len(data) :]

    def truncate(self, path: bytes, size: int) -> None:
        thing = self._regular(path)
        thing.data = thing.data[:size].ljust(size, b"\0")

    def change(self, path: bytes, change: Change) -> None:
        thing = self.find(path)
        thing.mode = thing.mode if change.mode is None else stat.S_IFMT(thing.mode) | change.mode
        thing.uid = thing.uid if change.uid is None else change.uid

    def link(self, old: bytes, new: bytes) -> None:
        thing = self.find(old)
        directory, name = self._free(new)
        if thing.is_directory:
            raise NotPermitted
        directory.children[name] = thing

    def unlink(self, path: bytes) -> None:
        directory, name, thing = self._existing(path)
        if thing.is_directory:
            raise IsADirectory
        del directory.children[name]

    def rmdir(self, path: bytes) -> None:
        directory, name, thing = self._existing(path)
        if not thing.is_directory:
            raise NotADirectory
        if thing.children:
            raise DirectoryNotEmpty
        del directory.children[name]

    def rename(self, old: bytes, new: bytes, flags: int = 0) -> None:
        source, old_name, thing = self._existing(old)
        target, new_name = self._place(new)
        victim = target.children.get(new_name)
        if self._is_inside(target, thing):
            raise InvalidArgument
        if flags == EXCHANGE:
            self._exchange(source, old_name, thing, target, new_name, victim)
        elif victim is None:
            target.children[new_name] = source.children.pop(old_name)
        elif flags == NOREPLACE:
            raise AlreadyExists
        elif victim is not thing:
            _check_replaceable(thing, victim)
            target.children[new_name] = source.children.pop(old_name)

    def _exchange(
        self, source: Thing, old_name: bytes, thing: Thing, target: Thing, new_name: bytes, victim: Thing | None
    ) -> None:
        if victim is None:
            raise NotFound
        if self._is_inside(source, victim):
            raise InvalidArgument
        source.children[old_name], target.children[new_name] = victim, thing

    def _is_inside(self, directory: Thing, ancestor: Thing) -> bool:
        return directory is ancestor or any(self._is_inside(directory, child) for child in ancestor.children.values())


def _check_replaceable(thing: Thing, victim: Thing) -> None:
    if victim.is_directory and not thing.is_directory:
        raise IsADirectory
    if thing.is_directory and not victim.is_directory:
        raise NotADirectory
    if victim.children:
        raise DirectoryNotEmpty
