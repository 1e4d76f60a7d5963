"""Scripts for a mount: what applications do, what the world does meanwhile, and how hypothesis makes them up."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from cloudfs.stores.faults import Weather
from cloudfs.vfs.attributes import Change
from cloudfs.vfs.namespace import EXCHANGE, NOREPLACE


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

names = st.sampled_from([b"a", b"b", b"c"])
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
shallow = st.lists(names, min_size=1, max_size=2).map(b"/".join)
contents = st.binary(min_size=1, max_size=4) | st.sampled_from([b"x" * 5000, b"y" * 9000])
offsets = st.sampled_from([0, 1, 4096, 6000])


def _act(method: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Act]:
    return st.builds(Act, st.just(method), st.tuples(*arguments))


def _event(method: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    return st.builds(Event, st.just(method), st.tuples(*arguments))


changes = st.builds(Change, mode=st.sampled_from([0o600, 0o755])) | st.builds(
    Change, uid=st.sampled_from([0, 7]), mtime_ns=st.sampled_from([1, 1_600_000_000_123_456_789])
)

acts = st.one_of(
    _act("create", paths, contents),
    _act("make", shallow, st.just(stat.S_IFDIR | 0o755)),
    _act("make", paths, st.just(stat.S_IFREG | 0o640)),
    _act("make", paths, st.just(stat.S_IFLNK | 0o777), contents),
    _act("make", paths, st.just(stat.S_IFIFO | 0o600)),
    _act("write", paths, contents, offsets),
    _act("truncate", paths, st.sampled_from([0, 3, 5001, 12000])),
    _act("change", paths, changes),
    _act("link", paths, paths),
    _act("unlink", paths),
    _act("rmdir", shallow),
    _act("rename", paths, paths),
    _act("rename", paths, paths),
    _act("rename", shallow, shallow),
    _act("rename", paths, paths, st.sampled_from([EXCHANGE, NOREPLACE])),
)

quiet_events = st.one_of(
    _event("progress", st.integers(1, 12)),
    _event("progress", st.integers(1, 12)),
    _event("sleep", st.sampled_from([0.5, 1.1, 3.5, 70.0])),
    _event("list", shallow),
    _event("drain"),
    _event("remount"),
    _event("lose_cache"),
)
"""Nothing of this is a misfortune."""

open_files = st.one_of(
    _event("open", st.integers(0, 1), paths),
    _event("write_open", st.integers(0, 1), contents, offsets),
    _event("close", st.integers(0, 1)),
)

changing = st.sampled_from(["put", "make_directory", "set_attributes", "move", "copy", "link", "delete"])
faults = st.one_of(
    _event("refuse", changing | st.sampled_from(["list", "stat", "checksum"]), st.integers(1, 3)),
    _event("lose_answer", changing, st.integers(1, 2)),
    _event("cut", st.sampled_from([0, 3, 4097])),
    _event("weather", st.sampled_from([Weather.FAIR, Weather.OFFLINE, Weather.THROTTLED, Weather.FULL])),
)

deaths = st.one_of(_event("kill", st.integers(1, 8)), _event("kill_now"))


def scripts(*events: st.SearchStrategy[Event], longest: int = 25) -> st.SearchStrategy[list[Step]]:
    """As many acts as events, roughly."""
    return st.lists(st.one_of(acts, acts, *events), min_size=1, max_size=longest)


losses = _event("lose_everything")
"""Only for stores that keep attributes."""
