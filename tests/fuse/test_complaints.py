"""What the log says of errors that programs were given."""

from __future__ import annotations

import pytest

from cloudfs.errors import Unavailable
from cloudfs.fuse.complaints import Complaints


def test_the_first_is_told_and_those_after_it_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    complaints = Complaints(lambda: now)
    for _ in range(3):
        complaints.failed("read", Unavailable("no route to the store"))
    now = 11.0
    complaints.failed("flush", Unavailable("still none"))
    assert caplog.messages == [
        "a program was told of an I/O error in read: no route to the store",
        "a program was told of an I/O error in flush: still none (2 more since the last such line)",
    ]
