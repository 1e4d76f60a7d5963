"""A plug-in of pytest: what the drivers of a failed test had to say, and why two large things are not equal, said at
once and in a few lines. A test in which a driver failed inside has failed, although it may have seen nothing of that.

At a terminal pytest is brief. Where ``CI`` is set it writes down both sides and compares them line by line; for 16 MiB
of bytes that takes so long that the test fails by its timeout, and nobody learns why.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from tests.mount.driver import Mount

MOUNTS = pytest.StashKey[list[Mount]]()
"""What a test has mounted."""
_LARGE = 1 << 16
"""Characters of both sides together, written down: up to here every detail is welcome."""
_ON_CI = ("CI", "BUILD_NUMBER")
"""By these variables of the environment pytest knows."""
_SHOWN = 16


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    mounts = item.stash.get(MOUNTS, [])
    if report.when == "call" and report.passed and any(mount.has_failed for mount in mounts):
        report.outcome = "failed"
        report.longrepr = "all went well, but a driver failed inside"
    if report.failed:
        for mount in mounts:
            report.sections.append((f"Log of the driver at {mount.path}", mount.last_words()))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_assertrepr_compare(op: str, left: object, right: object) -> Generator[None, list[object], list[object]]:
    if len(repr(left)) + len(repr(right)) <= _LARGE:
        return (yield)
    with _as_at_a_terminal():
        usual = yield
    if op == "==" and isinstance(left, bytes | bytearray) and isinstance(right, bytes | bytearray):
        return [difference(left, right)]
    return usual


def difference(left: bytes | bytearray, right: bytes | bytearray) -> list[str]:
    """How two byte strings that are not equal differ."""
    start = _common_start(left, right)
    end = _common_start(left[start:][::-1], right[start:][::-1])
    return [
        f"{len(left)} bytes == {len(right)} bytes",
        f"the first {start} and the last {end} are the same",
        f"left  from there: {_glimpse(left, start)}",
        f"right from there: {_glimpse(right, start)}",
    ]


def _common_start(left: bytes | bytearray, right: bytes | bytearray) -> int:
    same, differs = 0, min(len(left), len(right)) + 1
    while differs - same > 1:
        middle = (same + differs) // 2
        if left[same:middle] == right[same:middle]:
            same = middle
        else:
            differs = middle
    return same


def _glimpse(content: bytes | bytearray, start: int) -> str:
    if start == len(content):
        return "nothing, it ends here"
    return repr(bytes(content[start : start + _SHOWN]))


@contextmanager
def _as_at_a_terminal() -> Iterator[None]:
    with patch.dict(os.environ):
        for name in _ON_CI:
            os.environ.pop(name, None)
        yield
