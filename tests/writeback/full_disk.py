"""The disk with the state directory, when it is full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from cloudfs.catalog.redo import RedoLog, Statement


class FullDisk:
    """While it is ``full``, nothing that was done to the catalogue can be written down."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        append = RedoLog.append

        def append_if_there_is_room(log: RedoLog, statements: Sequence[Statement]) -> None:
            if self.full:
                raise no_space()
            append(log, statements)

        monkeypatch.setattr(RedoLog, "append", append_if_there_is_room)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """What is done inside fails for want of space."""
        self.full = True
        with pytest.raises(OSError, match="No space"):
            yield
        self.full = False


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
