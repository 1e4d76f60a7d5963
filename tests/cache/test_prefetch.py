"""`Trail`: how many of the next files are fetched, and when that ends."""

from __future__ import annotations

from cloudfs.cache.prefetch import (
    AT_ONCE,
    BYTES_AT_ONCE,
    FIRST_BYTES,
    FIRST_FILES,
    MOST_FILES,
    WHOLE,
    Pace,
    Trail,
    Upcoming,
)

PLENTY = 1 << 30


def fill(trail: Trail, files: list[Upcoming]) -> list[Upcoming]:
    """Offer files as long as the trail takes some; those that are to be fetched."""
    taken: list[Upcoming] = []
    while True:
        if trail.is_hungry and files:
            trail.offer(files.pop(0))
        file = trail.take()
        if file is None:
            return taken
        taken.append(file)


def small(count: int, size: int = 1000, first: int = 100) -> list[Upcoming]:
    return [Upcoming(first + number, 1, size) for number in range(count)]


def test_it_begins_with_a_few() -> None:
    trail = Trail(1, PLENTY)
    assert [file.ino for file in fill(trail, small(50))] == [100 + number for number in range(FIRST_FILES)]


def test_a_reader_who_catches_up_gets_more_and_more() -> None:
    trail, files = Trail(1, PLENTY), small(10_000)
    waiting = fill(trail, files)
    most = 0
    while files:
        file = waiting.pop(0)
        trail.read(file.ino)
        trail.landed(file)
        waiting += fill(trail, files)
        most = max(most, len(waiting))
    assert most == AT_ONCE


def test_a_reader_who_finds_everything_here_gets_no_more_than_he_needs() -> None:
    trail, files = Trail(1, PLENTY), small(100)
    waiting = fill(trail, files)
    while files:
        for file in waiting:
            trail.landed(file)
        trail.read(waiting.pop(0).ino)
        waiting += fill(trail, files)
        assert len(waiting) <= FIRST_FILES


def test_not_more_is_ahead_than_may_be() -> None:
    trail = Trail(1, 2 * FIRST_BYTES, Pace(MOST_FILES, 2 * FIRST_BYTES))
    taken = fill(trail, small(100, FIRST_BYTES // 4))
    assert sum(file.fetched for file in taken) == 2 * FIRST_BYTES
    trail.read(taken[0].ino)
    assert trail.pace.bytes == 2 * FIRST_BYTES


def test_not_more_is_on_its_way_than_the_line_needs() -> None:
    trail = Trail(1, PLENTY, Pace(MOST_FILES, PLENTY))
    files = small(100, 1 << 20)
    taken = fill(trail, files)
    assert sum(file.fetched for file in taken) == BYTES_AT_ONCE
    trail.landed(taken[0])
    assert len(fill(trail, files)) == 1


def test_a_large_file_is_left_to_who_reads_it() -> None:
    trail = Trail(1, PLENTY)
    [file] = fill(trail, [Upcoming(7, 1, WHOLE + 1)])
    assert file.fetched == FIRST_BYTES
    assert Upcoming(7, 1, WHOLE).fetched == WHOLE


def test_a_file_larger_than_the_pace_is_fetched_alone() -> None:
    trail = Trail(1, PLENTY)
    assert len(fill(trail, small(3, WHOLE))) == 1


def test_who_reads_something_else_is_not_followed_for_long() -> None:
    trail, files = Trail(1, PLENTY), small(1000)
    read = 0
    while not trail.is_lost:
        taken = fill(trail, files)
        trail.read(taken[-1].ino)
        read += 1
    assert read <= 2


def test_who_skips_a_file_now_and_then_is_followed_on() -> None:
    trail, files = Trail(1, PLENTY), small(1000)
    waiting = fill(trail, files)
    for number in range(500):
        file = waiting.pop(0)
        if number % 3:
            trail.read(file.ino)
        trail.landed(file)
        waiting += fill(trail, files)
        assert not trail.is_lost


def test_several_who_read_side_by_side_are_one_reader() -> None:
    """``xargs -P 4``: a file is read before the one in front of it."""
    trail, files = Trail(1, PLENTY), small(1000)
    waiting = fill(trail, files)
    for _ in range(250):
        first, second = waiting.pop(0), waiting.pop(0)
        for file in (second, first):
            assert trail.expects(file.ino)
            trail.read(file.ino)
            trail.landed(file)
        waiting += fill(trail, files)
        assert not trail.is_lost


def test_what_was_read_is_not_expected_again() -> None:
    trail = Trail(1, PLENTY)
    [first, *_] = fill(trail, small(3))
    trail.read(first.ino)
    assert not trail.expects(first.ino)
    assert trail.last == first.ino


def test_what_failed_to_come_makes_room() -> None:
    trail = Trail(1, PLENTY, Pace(MOST_FILES, PLENTY))
    files = small(200)
    taken = fill(trail, files)
    assert len(taken) == AT_ONCE
    for file in taken:
        trail.landed(file)
    assert len(fill(trail, files)) == AT_ONCE


def test_who_overtakes_it_is_followed_faster() -> None:
    """What comes next is not on its way yet, and he reads it himself."""
    trail, files = Trail(1, PLENTY), small(100)
    for file in fill(trail, files):
        trail.landed(file)
        trail.read(file.ino)
    pace = trail.pace
    [*_, last] = fill(trail, files)
    trail.offer(Upcoming(last.ino + 1, 1, 1000))
    assert trail.expects(last.ino + 1)
    trail.read(last.ino + 1)
    assert trail.pace.files == 2 * pace.files
    assert not trail.is_lost
