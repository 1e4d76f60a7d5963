"""Scripts for a mount: what applications do, what the world does meanwhile, and how hypothesis makes them up.

Places are chosen when the script is played, so that most of what is tried can succeed: `There` is one of the names
that exist by then, `Here` a name in one of the directories.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from cloudfs.stores.faults import Weather
from cloudfs.vfs.attributes import Change
from cloudfs.vfs.namespace import EXCHANGE, NOREPLACE
from tests.writeback.model import Model


@dataclass(frozen=True, slots=True)
class There:
    """One of the names that exist, in order."""

    number: int

    def choose(self, model: Model) -> bytes:
        paths = sorted(model.view())
        return paths[self.number % len(paths)] if paths else b"a"


@dataclass(frozen=True, slots=True)
class Here:
    """That name, whether it exists or not, in one of the directories."""

    number: int
    name: bytes

    def choose(self, model: Model) -> bytes:
        directories = [b"", *(path + b"/" for path, row in sorted(model.view().items()) if stat.S_ISDIR(row.mode))]
        return directories[self.number % len(directories)] + self.name


Place = There | Here


class Long(bytes):
    """So many bytes, in a few words."""

    def __new__(cls, size: int) -> Long:
        return super().__new__(cls, b"x" * size)

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        return bytes, (bytes(self),)

    def __repr__(self) -> str:
        return f"Long({len(self)})"


@dataclass(frozen=True, slots=True)
class Act:
    """An application calls that method of `Rig`, which `Model` has, too."""

    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something happens to the driver or around it: that method of `Play`."""

    method: str
    arguments: tuple[Any, ...] = ()


Step = Act | Event


def settled(step: Step, model: Model) -> Step:
    """The same with its places chosen."""
    chosen = [part.choose(model) if isinstance(part, There | Here) else part for part in step.arguments]
    return type(step)(step.method, tuple(chosen))


def _act(method: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Act]:
    return st.builds(Act, st.just(method), st.tuples(*arguments))


def _event(method: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    return st.builds(Event, st.just(method), st.tuples(*arguments))


there = st.builds(There, st.integers(0, 9))
here = st.builds(Here, st.integers(0, 4), st.sampled_from([b"a", b"b", b"c"]))
anywhere = there | here
contents = st.binary(min_size=1, max_size=4) | st.builds(Long, st.sampled_from([5000, 9000, 20000]))
offsets = st.sampled_from([0, 1, 4096, 6000, 18000])
changes = st.builds(Change, mode=st.sampled_from([0o600, 0o755])) | st.builds(
    Change, uid=st.sampled_from([0, 7]), mtime_ns=st.sampled_from([1, 1_600_000_000_123_456_789])
)

acts = st.one_of(
    _act("create", here, contents),
    _act("make", here, st.sampled_from([stat.S_IFDIR | 0o755, stat.S_IFREG | 0o640, stat.S_IFIFO | 0o600])),
    _act("make", here, st.just(stat.S_IFLNK | 0o777), contents),
    _act("write", there, contents, offsets),
    _act("truncate", there, st.sampled_from([0, 3, 5001, 12000, 30000])),
    _act("change", there, changes),
    _act("link", there, here),
    _act("unlink", there),
    _act("unlink", there),
    _act("rmdir", there),
    _act("rename", there, here),
    _act("rename", there, anywhere),
    _act("rename", there, there),
    _act("rename", there, there, st.sampled_from([EXCHANGE, NOREPLACE])),
)

quiet_events = st.one_of(
    _event("progress", st.integers(1, 12)),
    _event("progress", st.integers(1, 40)),
    _event("sleep", st.sampled_from([0.5, 1.1, 3.5, 70.0])),
    _event("list", there),
    _event("drain"),
    _event("remount"),
    _event("lose_cache"),
)
"""Nothing of this is a misfortune."""

open_files = st.one_of(
    _event("open", st.integers(0, 1), there),
    _event("write_open", st.integers(0, 1), contents, offsets),
    _event("write_open", st.integers(0, 1), contents, offsets),
    _event("close", st.integers(0, 1)),
)

changing = st.sampled_from(["put", "put_piece", "make_directory", "set_attributes", "move", "copy", "link", "delete"])
faults = st.one_of(
    _event(
        "refuse",
        changing | st.sampled_from(["list", "stat", "checksum", "read_piece", "drop_piece"]),
        st.integers(1, 3),
    ),
    _event("lose_answer", changing, st.integers(1, 2)),
    _event("cut", st.sampled_from([0, 3, 4097])),
    _event("weather", st.sampled_from([Weather.FAIR, Weather.OFFLINE, Weather.THROTTLED, Weather.FULL])),
)

deaths = st.one_of(_event("kill", st.integers(1, 8)), _event("kill_now"))

growth = st.one_of(
    _event("open", st.just(0), st.just(b"b")),
    _event("write_open", st.just(0), st.builds(Long, st.sampled_from([5000, 9000])), offsets | st.just(27000)),
    _event("press"),
    _event("press"),
    _event("close", st.just(0)),
    _event("sleep", st.sampled_from([1.1, 3.5])),
    _event("progress", st.integers(1, 40)),
    _event("lose_answer", st.sampled_from(["put", "put_piece"]), st.just(1)),
    _event("lose_cache"),
)
"""One large file is written on while it is being stored, and the disk is needed."""

losses = _event("lose_everything")
"""Only for stores that keep attributes."""


def scripts(*events: st.SearchStrategy[Event], longest: int = 30) -> st.SearchStrategy[list[Step]]:
    """Acts and events."""
    return st.lists(st.one_of(acts, acts, *events), min_size=10, max_size=longest)


def histories_of_a_file() -> st.SearchStrategy[list[Step]]:
    """Nearly all of it about one file."""
    return st.lists(st.one_of(growth, growth, growth, growth, acts), min_size=20, max_size=60)
