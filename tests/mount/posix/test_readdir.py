"""readdir: complete, and stable while entries come and go."""

from __future__ import annotations

import pytest

from tests.mount.posix.syscalls import KINDS, Identity

COUNT = 3_000


def fill(root: Identity, count: int = COUNT) -> set[str]:
    root.mkdir("d")
    names = {f"file-{number:05d}" for number in range(count)}
    for name in names:
        root.mknod(f"d/{name}", 0o100644)
    return names


def drain(root: Identity, stream: int, limit: int = 100_000) -> list[str]:
    found: list[str] = []
    for _ in range(limit):
        name = root.readdir(stream)
        if name is None:
            return found
        if name not in (".", ".."):
            found.append(name)
    raise AssertionError("a listing without end")


def test_every_name_once(root: Identity) -> None:
    names = fill(root)
    listed = root.listdir("d")
    assert len(listed) == COUNT
    assert set(listed) == names


def test_dot_and_dotdot_are_listed(root: Identity) -> None:
    root.mkdir("d")
    stream = root.opendir("d")
    assert sorted([root.readdir(stream), root.readdir(stream)]) == [".", ".."]
    assert root.readdir(stream) is None
    root.closedir(stream)


def test_kinds_are_listed(root: Identity) -> None:
    for kind in KINDS:
        root.make(kind, kind)
    assert sorted(root.listdir(".")) == sorted(KINDS)


def test_removing_while_listing_loses_nothing_else(root: Identity) -> None:
    """As ``rm -r`` does: what is there from beginning to end is listed exactly once."""
    names = fill(root)
    stream = root.opendir("d")
    seen: list[str] = []
    while (name := root.readdir(stream)) is not None:
        if name in (".", ".."):
            continue
        seen.append(name)
        if name.endswith(("1", "3", "5", "7", "9")):
            root.unlink(f"d/{name}")
    root.closedir(stream)
    assert len(seen) == len(set(seen))
    assert {name for name in names if name[-1] in "02468"} <= set(seen)
    assert sorted(root.listdir("d")) == sorted(name for name in names if name[-1] in "02468")


def test_removing_all_while_listing(root: Identity) -> None:
    fill(root)
    stream = root.opendir("d")
    while (name := root.readdir(stream)) is not None:
        if name not in (".", ".."):
            root.unlink(f"d/{name}")
    root.closedir(stream)
    assert root.listdir("d") == []
    root.rmdir("d")


def test_adding_while_listing_repeats_nothing(root: Identity) -> None:
    names = fill(root, 1_000)
    stream = root.opendir("d")
    seen = [root.readdir(stream) for _ in range(100)]
    for number in range(500):
        root.create(f"d/new-{number}")
    seen += drain(root, stream)
    root.closedir(stream)
    assert len(seen) == len(set(seen))
    assert names <= set(seen)
    assert len(root.listdir("d")) == 1_500


def test_renaming_while_listing_repeats_nothing_else(root: Identity) -> None:
    names = fill(root, 1_000)
    stream = root.opendir("d")
    first = [name for name in (root.readdir(stream) for _ in range(50)) if name not in (".", "..")]
    moved = sorted(names - set(first))[:20]
    for name in moved:
        root.rename(f"d/{name}", f"d/moved-{name}")
    seen = first + drain(root, stream)
    root.closedir(stream)
    assert len(seen) == len(set(seen))
    assert names - set(moved) <= set(seen)


@pytest.mark.parametrize("count", [0, 1, 10, 500])
def test_going_back_to_a_place(root: Identity, count: int) -> None:
    fill(root, 1_000)
    stream = root.opendir("d")
    for _ in range(count):
        root.readdir(stream)
    place = root.telldir(stream)
    rest = drain(root, stream)
    root.seekdir(stream, place)
    assert drain(root, stream) == rest
    root.seekdir(stream, place)
    for name in rest[: len(rest) // 2]:
        root.unlink(f"d/{name}")
    assert set(rest[len(rest) // 2 :]) <= set(drain(root, stream))
    root.closedir(stream)


def test_a_new_listing_shows_what_changed(root: Identity) -> None:
    root.mkdir("d")
    for number in range(50):
        root.create(f"d/{number}")
        assert len(root.listdir("d")) == number + 1
    for number in range(50):
        root.unlink(f"d/{number}")
        assert len(root.listdir("d")) == 49 - number
