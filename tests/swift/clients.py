"""Other programs that people use with the same account: python-swiftclient's ``swift``, and rclone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers.swift import Swift

_LIMIT = 60


@dataclass(frozen=True)
class Clients:
    swift: Swift

    def swiftclient(self, *words: str | Path, cwd: Path | None = None) -> str:
        """``swift``, as its package installs it. Its own warnings are not ours."""
        command = [sys.executable, "-W", "ignore", "-m", "swiftclient.shell", *(os.fspath(word) for word in words)]
        environment = {"ST_AUTH": self.swift.auth_url, "ST_USER": self.swift.user, "ST_KEY": self.swift.key}
        return _run(command, environment, cwd)

    def rclone(self, *words: str | Path) -> str:
        """With ``swift:`` for the account."""
        environment = {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_SWIFT_TYPE": "swift",
            "RCLONE_CONFIG_SWIFT_AUTH": self.swift.auth_url,
            "RCLONE_CONFIG_SWIFT_USER": self.swift.user,
            "RCLONE_CONFIG_SWIFT_KEY": self.swift.key,
        }
        return _run(["rclone", *(os.fspath(word) for word in words)], environment, None)


def _run(command: list[str], environment: dict[str, str], cwd: Path | None) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "ST_", "RCLONE_"))}
    done = subprocess.run(
        command, env={**kept, **environment}, cwd=cwd, capture_output=True, text=True, timeout=_LIMIT, check=False
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout
