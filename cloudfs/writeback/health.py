"""What the last answers of the store say about it: on line or not, throttled, full, read-only."""

from __future__ import annotations

import logging
import time
from enum import StrEnum

from cloudfs.errors import QuotaExceeded, SignInRequired, StoreError, StoreReadOnly, Unavailable
from cloudfs.writeback.backoff import PARKED

_log = logging.getLogger(__name__)


class State(StrEnum):
    """How the mount stands with its store, in the words that ``status`` shows."""

    ONLINE = "online"
    OFFLINE = "offline"
    THROTTLED = "throttled"
    SIGN_IN_REQUIRED = "sign-in required"
    FULL = "store full"
    READ_ONLY = "read-only"


_STATE_OF = (
    (SignInRequired, State.SIGN_IN_REQUIRED),
    (QuotaExceeded, State.FULL),
    (StoreReadOnly, State.READ_ONLY),
    (Unavailable, State.OFFLINE),
)


_AWAY = (State.OFFLINE, State.THROTTLED, State.SIGN_IN_REQUIRED)
_READ_ONLY_NS = int((PARKED + 60) * 1e9)
"""A store that could not be written to is asked again for what is parked. If nothing is, the next change asks it."""


class Health:
    """The state of the store, with the time since when it is so (s since the epoch) and the reason.

    ``until`` is when a throttled store wants to be asked again (s since the epoch), None in all other states.
    """

    def __init__(self, *, read_only: bool) -> None:
        self._state = State.READ_ONLY if read_only else State.ONLINE
        self._refused_ns = 0
        self.since = time.time()
        self.reason = ""
        self.until: float | None = None
        self._read_only_for_good = read_only

    @property
    def state(self) -> State:
        """As of now: that the store is read-only is believed for a quarter of an hour after it last said so."""
        if self._state is State.READ_ONLY and not self._read_only_for_good and self._has_expired():
            self._become(State.ONLINE, "")
        return self._state

    def _has_expired(self) -> bool:
        return time.monotonic_ns() - self._refused_ns > _READ_ONLY_NS

    @property
    def read_only(self) -> bool:
        """Changes are refused at once."""
        return self.state is State.READ_ONLY

    @property
    def away(self) -> bool:
        """The store answers nobody, so that there is no point in asking about every file."""
        return self.state in _AWAY

    def succeeded(self) -> None:
        """The store did what it was asked to change, so it is neither away nor full."""
        if not self._read_only_for_good:
            self._become(State.ONLINE, "")

    def answered(self) -> None:
        """The store gave an answer: it is not away. That says nothing about whether it is full."""
        if self.away:
            self._become(State.ONLINE, "")

    def failed(self, error: StoreError) -> None:
        wish = error.retry_after if isinstance(error, Unavailable) else None
        if isinstance(error, StoreReadOnly):
            self._refused_ns = time.monotonic_ns()
        for kind, state in _STATE_OF:
            if isinstance(error, kind) and not self._read_only_for_good:
                if state is State.OFFLINE and wish is not None:
                    self._become(State.THROTTLED, str(error), time.time() + wish)
                else:
                    self._become(state, str(error))
                return

    def _become(self, state: State, reason: str, until: float | None = None) -> None:
        if state is not self._state:
            self.since = time.time()
            _log.warning("the store is %s%s", state, f": {reason}" if reason else "")
        self._state = state
        self.reason = reason
        self.until = until
