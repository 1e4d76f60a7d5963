"""A comparison of much that fails says why, and soon, also where ``CI`` is set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.explaining import difference

ROOT = Path(__file__).parent.parent
FAILING = """
ZEROS = bytes(2 << 20)
OTHER = b"x" * (1 << 20) + b"differs" + bytes((1 << 20) - 7)

def test_bytes():
    assert ZEROS == OTHER

def test_bytes_in_a_tuple():
    assert (ZEROS, 1) == (OTHER, 1)

def test_text():
    assert str(ZEROS) == str(OTHER)

def test_little():
    assert list(range(100)) == [*range(99), "other"]
"""

DRIVING = """
import pytest
from tests.explaining import MOUNTS
from tests.mount.driver import Mount

@pytest.mark.parametrize("said", ["INFO mounted", "ERROR it failed\\nTraceback (most recent call last):"])
def test_nothing(request, tmp_path, said):
    mount = Mount(tmp_path)
    request.node.stash[MOUNTS] = [mount]
    (mount.state / "cloudfs.log").write_text(said)
"""


def test_what_is_large_is_explained_at_once_and_what_is_small_in_full(tmp_path: Path) -> None:
    said = run(tmp_path, FAILING)
    assert "4 failed" in said
    assert f"the first 0 and the last {(1 << 20) - 7} are the same" in said
    assert "Full diff" in said
    assert len(said) < 40_000


def test_a_test_in_which_a_driver_failed_inside_has_failed(tmp_path: Path) -> None:
    said = run(tmp_path, DRIVING)
    assert "1 failed, 1 passed" in said
    assert "ERROR it failed" in said


def run(directory: Path, tests: str) -> str:
    """What pytest says of some tests, as on CI."""
    (directory / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-p", "tests.explaining", "--rootdir", str(directory), str(directory)]
    environment = {**os.environ, "CI": "true", "BUILD_NUMBER": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    return done.stdout


def test_where_bytes_differ() -> None:
    same = b"s" * 100_000
    assert difference(same + b"left" + same, same + b"lost") == [
        "200004 bytes == 100004 bytes",
        "the first 100001 and the last 0 are the same",
        "left  from there: b'eftsssssssssssss'",
        "right from there: b'ost'",
    ]
    assert difference(same, same + b"more")[1:] == [
        "the first 100000 and the last 0 are the same",
        "left  from there: nothing, it ends here",
        "right from there: b'more'",
    ]
