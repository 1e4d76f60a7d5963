"""Somebody at a terminal who answers what a command asks."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Sequence

from tests.cli.conftest import World

_PATIENCE = 60.0


def answering(world: World, answers: Sequence[tuple[str, str]], *arguments: str) -> tuple[int, str]:
    """The command on a terminal of its own, told each answer once its question is there; its status, and the screen."""
    screen, terminal = pty.openpty()
    environment = {**world.environment, "TERM": "xterm"}
    with subprocess.Popen(
        world.command(*arguments),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        try:
            shown = _talk(screen, list(answers))
            status = process.wait(_PATIENCE)
        finally:
            process.kill()
            os.close(screen)
    return status, shown


def _talk(screen: int, answers: list[tuple[str, str]]) -> str:
    """Until nobody has the other end open any more."""
    shown, start = "", 0
    deadline = time.monotonic() + _PATIENCE
    while select.select([screen], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            shown += os.read(screen, 4096).decode()
        except OSError:
            assert answers == [], shown
            return shown
        if answers and answers[0][0] in shown[start:]:
            start = len(shown)
            os.write(screen, f"{answers.pop(0)[1]}\n".encode())
    raise AssertionError(f"it waits for something: {shown}")
