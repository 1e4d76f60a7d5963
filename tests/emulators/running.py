"""An emulator as a process of its own, for tests that start mounts, and a line to its ``/control``."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Running:
    """A running emulator. ``url`` is that of its root, without a slash at the end."""

    url: str
    process: subprocess.Popen[str]

    def control(self, what: str, method: str = "POST", /, **arguments: Any) -> Any:
        """Ask ``/control/WHAT``; raises `urllib.error.HTTPError` for what it does not understand."""
        request = urllib.request.Request(
            f"{self.url}/control/{what}", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
        )
        request.method = method
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")


@contextlib.contextmanager
def running(name: str, state: Path, port: int = 0, *options: str) -> Iterator[Running]:
    """``python -m tests.emulators.NAME``, until the block ends."""
    command = [sys.executable, "-m", f"tests.emulators.{name}", "--port", str(port), "--state", str(state), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:1] == ["ready"], f"{command}: {words}"
            yield Running(words[1], process)
        finally:
            process.kill()
