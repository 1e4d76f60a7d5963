"""What this mount changed at the store in the last minutes."""

from __future__ import annotations

from cloudfs.catalog.recent import LAG, Recent


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_change_is_remembered_for_as_long_as_listings_lag() -> None:
    clock = Clock()
    recent = Recent(clock)
    recent.add((1, b"name"))
    assert recent.has(1, b"name")
    assert recent.has_in(1)
    assert not recent.has(1, b"other")
    assert not recent.has_in(2)
    clock.now += LAG
    assert not recent.has(1, b"name")
    assert not recent.has_in(1)


def test_changing_again_begins_anew() -> None:
    clock = Clock()
    recent = Recent(clock)
    recent.add((1, b"name"))
    clock.now += LAG - 1
    recent.add((1, b"name"))
    clock.now += LAG - 1
    assert recent.has(1, b"name")


def test_what_an_earlier_process_did_is_not_known() -> None:
    clock = Clock()
    recent = Recent(clock)
    assert not recent.is_complete()
    clock.now += LAG
    assert recent.is_complete()


def test_it_says_when_there_was_too_much_to_remember() -> None:
    clock = Clock()
    recent = Recent(clock)
    clock.now += LAG
    for number in range(100_001):
        recent.add((1, b"%d" % number))
    assert not recent.has(1, b"0")
    assert recent.has(1, b"1")
    assert not recent.is_complete()
    clock.now += LAG
    assert recent.is_complete()
