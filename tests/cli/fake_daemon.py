"""A daemon without a file system: the real registry and control socket, and answers from a script.

``python -m tests.cli.fake_daemon MOUNTPOINT SOURCE SCRIPT`` is run by `tests.cli.conftest`. ``SCRIPT`` is a JSON file
that has for each command the messages of its conversation: events, and then a result; ``"silence"`` never answers,
``"crash"`` ends the process. Every request is appended to ``SCRIPT.requests``.
"""

from __future__ import annotations

import json
import os
import sys
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


async def serve(mountpoint: Path, source: str, script: Path) -> None:
    registry = Registry()
    record = registry.register(mountpoint, source)
    commands = ("status", "wait", "flush", "retry")
    async with trio.open_nursery() as nursery:
        handlers = {command: partial(converse, script, command) for command in commands}
        await nursery.start(ControlServer(record.socket, handlers).serve)
        print("ready", flush=True)


if __name__ == "__main__":
    trio.run(serve, Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
