"""What others may know of a process that holds secrets: nothing."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import ctypes, os, resource, subprocess, sys
from cloudfs.daemon.privacy import keep_private
os.umask(0)
keep_private()
open(sys.argv[1], "w").close()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))
sys.stdout.flush()
os.abort()
"""
"""3 is PR_GET_DUMPABLE."""


def test_no_core_no_look_inside_and_files_of_its_own(tmp_path: Path) -> None:
    made = tmp_path / "made"
    command = [sys.executable, "-c", PROGRAM, str(made)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.stdout == "0 (0, 0)\n"
    assert done.returncode == -signal.SIGABRT
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["made"], "no core file"
