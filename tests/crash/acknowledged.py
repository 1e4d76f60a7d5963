"""A process that says how far it got: the truth about it outlives the driver, because it goes through a pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


class Writer:
    """``python -m MODULE ARGUMENTS``, which prints 0, 1, 2 and so on, each after it has done something."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
        )
        self.acknowledged = 0

    def read_until(self, count: float) -> bool:
        """Whether it came so far; False if it ended before."""
        assert self._process.stdout is not None
        while self.acknowledged < count and (line := self._process.stdout.readline()):
            assert int(line) == self.acknowledged
            self.acknowledged += 1
        return self.acknowledged >= count

    def end(self) -> None:
        """Until it found out; something may have been done after the last one read and before the end."""
        self.read_until(float("inf"))
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait(60)
