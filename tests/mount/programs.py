"""Real programs, with a time limit and their complaints in the assertion."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

LIMIT = 90.0
PLAIN = {
    **os.environ,
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def run(*command: str | Path, cwd: Path | None = None, status: int = 0, stdin: bytes = b"") -> str:
    """The output of a program that ends with ``status``."""
    done = subprocess.run(
        [os.fspath(word) for word in command],
        cwd=cwd,
        env=PLAIN,
        input=stdin,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    output, errors = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
    assert done.returncode == status, f"{command}: exit {done.returncode}\n{output[-2000:]}\n{errors[-2000:]}"
    return output


def shell(script: str, cwd: Path, *arguments: str | Path) -> str:
    return run("bash", "-euo", "pipefail", "-c", script, "bash", *arguments, cwd=cwd)
