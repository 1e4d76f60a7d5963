"""What the driver does about memory that is free."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from pathlib import Path
from cloudfs.daemon.memory import give_back_large_buffers

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

assert give_back_large_buffers()
bytes(8 << 20)  # without it, what is as large as this is kept from now on
before = resident()
buffers = [b"x" * (4 << 20) for _ in range(32)]
small = [b"y" * 200_000 for _ in range(8)]  # on top of the heap
del buffers
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux" or "CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="needs glibc")
def test_large_buffers_are_given_back() -> None:
    kept = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=60)
    assert int(kept.stdout) < 16 << 20
