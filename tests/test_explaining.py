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


def test_what_is_large_is_explained_at_once_and_what_is_small_in_full(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-p", "tests.explaining", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {**os.environ, "CI": "true", "BUILD_NUMBER": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert "4 failed" in done.stdout
    assert f"the first 0 and the last {(1 << 20) - 7} are the same" in done.stdout
    assert "Full diff" in done.stdout
    assert len(done.stdout) < 40_000


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
