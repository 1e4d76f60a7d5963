"""A daemon without a file system: the real registry and control socket, and answers from a script.

``python -m tests.cli.fake_daemon MOUNTPOINT SOURCE SCRIPT`` is run by `tests.cli.conftest`. ``SCRIPT`` is a JSON file
that has for each command the daemon knows the messages of its conversation: events, and then a result; ``"silence"``
never answers, ``"crash"`` ends the process. Every request is appended to ``SCRIPT.requests``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import trio

from cloudfs.daemon.control import ControlServer, Report
from cloudfs.daemon.registry import Registry
from cloudfs.errors import Unavailable


def note_and_look_up(script: Path, command: str, arguments: dict[str, Any]) -> list[Any]:
    with open(f"{script}.requests", "a") as requests:
        requests.write(json.dumps([command, arguments]) + "\n")
    messages: list[Any] = json.loads(script.read_text())[command]
    return messages


class Daemon:
    """Ends on SIGTERM, as soon as nobody waits for an answer."""

    def __init__(self, script: Path) -> None:
        self._script = script
        self._talking = 0
        self._silence = trio.Condition()

    async def answer(self, command: str, arguments: dict[str, Any], report: Report) -> object:
        self._talking += 1
        try:
            return await converse(self._script, command, arguments, report)
        finally:
            self._talking -= 1
            with trio.CancelScope(shield=True):
                async with self._silence:
                    self._silence.notify_all()

    async def end_on_signal(self) -> None:
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                async with self._silence:
                    while self._talking:
                        await self._silence.wait()
                return


async def converse(script: Path, command: str, arguments: dict[str, Any], report: Report) -> object:
    for message in note_and_look_up(script, command, arguments):
        match message:
            case "silence":
                await trio.sleep_forever()
            case "crash":
                os._exit(1)
            case {"event": event}:
                await report(event)
            case {"error": text}:
                raise Unavailable(text)
            case {"result": result}:
                return result
    return None


async def serve(mountpoint: Path, source: str, script: Path, commands: Iterable[str]) -> None:
    registry = Registry()
    record = registry.register(mountpoint, source)
    daemon = Daemon(script)
    async with trio.open_nursery() as nursery:
        handlers = {command: partial(daemon.answer, command) for command in commands}
        await nursery.start(ControlServer(record.socket, handlers).serve)
        nursery.start_soon(announce)
        await daemon.end_on_signal()
        nursery.cancel_scope.cancel()


async def announce() -> None:
    """Signals are caught from here on."""
    print("ready", flush=True)


if __name__ == "__main__":
    answers = Path(sys.argv[3])
    trio.run(serve, Path(sys.argv[1]), sys.argv[2], answers, list(json.loads(answers.read_text())))
