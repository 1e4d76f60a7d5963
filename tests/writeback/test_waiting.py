"""Who waits for whom: rings are found, whether the names in them wait or are held up by each other's failures."""

from __future__ import annotations

from cloudfs.types import LinkId
from cloudfs.writeback.waiting import Waiting

A, B, C = LinkId(1), LinkId(2), LinkId(3)


def test_nobody_waits() -> None:
    assert not Waiting().is_ring(A, B)


def test_a_ring_of_names_that_wait() -> None:
    waiting = Waiting()
    waiting.begin(B, C)
    assert not waiting.is_ring(A, B)
    waiting.begin(C, A)
    assert waiting.is_ring(A, B)


def test_a_ring_of_names_that_are_held_up() -> None:
    waiting = Waiting()
    waiting.held_up[B] = C
    waiting.held_up[C] = A
    assert waiting.is_ring(A, B)


def test_a_ring_elsewhere_is_none_of_ours() -> None:
    waiting = Waiting()
    waiting.begin(B, C)
    waiting.held_up[C] = B
    assert not waiting.is_ring(A, B)


def test_all_that_comes_first() -> None:
    waiting = Waiting()
    waiting.begin(A, B)
    waiting.held_up[B] = C
    assert waiting.ahead_of(A) == [B, C]
    waiting.held_up[C] = A
    assert waiting.ahead_of(A) == [B, C, A]


def test_those_that_are_held_up_wait_no_longer() -> None:
    waiting = Waiting()
    waiting.begin(A, B)
    assert waiting.hold_up(B) == [A]
    assert A not in waiting
    assert waiting.held_up == {A: B}
    assert waiting.hold_up(B) == []


def test_who_is_gone_holds_nobody_up() -> None:
    waiting = Waiting()
    waiting.begin(B, A)
    waiting.gone([B])
    assert not waiting.is_ring(A, B)
