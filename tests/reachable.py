"""Tests that become another user need what root may read in a home directory: the interpreter and this clone."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_SEARCH = 0o001


@contextlib.contextmanager
def reachable_by_everybody() -> Iterator[None]:
    """Let everybody search the directories above the interpreter and the clone, and take it back afterwards."""
    places = (Path(__file__), Path(sys.executable), Path(sys.base_prefix), Path(sys.prefix))
    above = {parent for place in places for parent in (*place.absolute().parents, *place.resolve().parents)}
    closed = [(path, path.stat().st_mode & 0o7777) for path in sorted(above) if not path.stat().st_mode & _SEARCH]
    try:
        for path, mode in closed:
            os.chmod(path, mode | _SEARCH)
        yield
    finally:
        for path, mode in closed:
            os.chmod(path, mode)
