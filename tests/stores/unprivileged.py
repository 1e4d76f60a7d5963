"""A pytest plug-in that lets the tests run as an ordinary user, though pytest was started by root.

Privileges are dropped when all tests are imported, so that neither they nor the interpreter have to be readable for
that user.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.reachable import reachable_by_everybody

NOBODY = 65534


def pytest_collection_finish() -> None:
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def run_unprivileged(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as an ordinary user: nobody, or whoever this is if not root."""
    owner = os.geteuid() or NOBODY
    with reachable_by_everybody(), tempfile.TemporaryDirectory() as directory:
        os.chown(directory, owner, -1)
        command = [sys.executable, "-m", "pytest", "-q", "-p", __name__, f"--basetemp={directory}/tests", *arguments]
        return subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"CLOUDFS_TEST_OWNER": str(owner)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
