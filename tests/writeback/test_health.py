from __future__ import annotations

import time

import pytest

from cloudfs.errors import (
    AccessDenied,
    BrokenAnswer,
    NotFound,
    QuotaExceeded,
    SignInRequired,
    StoreError,
    StoreReadOnly,
    Unavailable,
)
from cloudfs.writeback.backoff import PARKED
from cloudfs.writeback.health import Health, State


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Unavailable("no route"), State.OFFLINE),
        (BrokenAnswer("a short body"), State.OFFLINE),
        (Unavailable("slow down", retry_after=60), State.THROTTLED),
        (SignInRequired("expired"), State.SIGN_IN_REQUIRED),
        (QuotaExceeded("full"), State.FULL),
        (StoreReadOnly("read-only"), State.READ_ONLY),
        (AccessDenied("this file only"), State.ONLINE),
        (NotFound("gone"), State.ONLINE),
    ],
)
def test_what_a_failure_says_of_the_store(error: StoreError, state: State) -> None:
    health = Health(read_only=False)
    health.failed(error)
    assert health.state is state
    assert health.reason == ("" if state is State.ONLINE else str(error))
    assert health.away == (state in (State.OFFLINE, State.THROTTLED, State.SIGN_IN_REQUIRED))


def test_a_throttled_store_says_until_when() -> None:
    health = Health(read_only=False)
    health.failed(Unavailable("slow down", retry_after=60))
    assert health.until == pytest.approx(time.time() + 60, abs=30)
    health.answered()
    assert (health.state, health.until, health.reason) == (State.ONLINE, None, "")


def test_since_when_is_kept_while_the_state_is() -> None:
    health = Health(read_only=False)
    health.failed(Unavailable("one reason"))
    since = health.since
    health.failed(Unavailable("another"))
    assert (health.since, health.reason) == (since, "another")


def test_an_answer_does_not_say_that_there_is_room() -> None:
    health = Health(read_only=False)
    health.failed(QuotaExceeded("full"))
    health.answered()
    assert health.state is State.FULL
    health.succeeded()
    assert str(health.state) == "online"


def test_what_is_mounted_read_only_stays_so() -> None:
    health = Health(read_only=True)
    health.failed(Unavailable("no route"))
    health.succeeded()
    assert health.state is State.READ_ONLY


def test_a_store_is_not_read_only_for_ever_because_it_said_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as something is parked, it is asked again before this is over."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic_ns", lambda: int(now * 1e9))
    health = Health(read_only=False)
    health.failed(StoreReadOnly("for maintenance"))
    now += PARKED + 10
    assert (health.read_only, health.reason) == (True, "for maintenance")
    health.failed(StoreReadOnly("for maintenance"))
    now += PARKED + 10
    assert health.read_only
    now += 100
    assert not health.read_only
    assert (health.state, health.reason) == (State.ONLINE, "")
