"""A command for all mounts: one that does not answer is named, and is in nobody's way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import STORED, World

ROW = {
    "path": "a",
    "type": "file",
    "state": "waiting",
    "change": "new",
    "bytes": 1,
    "since": 0.0,
    "attempts": 0,
    "reason": "",
    "from": "",
}
USAGE = {
    "path": "",
    "bytes": 5,
    "files": 1,
    "entries": [],
    "store": {"used": 5, "total": None, "free": None},
}
VERIFIED = {"differences": [], "count": 0, "checked": {"names": 1, "bytes": 5}, "read": {"files": 0, "bytes": 0}}

ANSWERS: list[tuple[str, str, Any, str]] = [
    ("pending", "pending", {"rows": [ROW], "more": False}, "/mnt/b/a"),
    ("usage", "usage", USAGE, "/mnt/b"),
    ("verify", "verify", VERIFIED, "/mnt/b: 1 name compared"),
    ("wait", "wait", STORED, ""),
    ("flush", "flush", {}, ""),
    ("retry", "retry", {}, ""),
]


@pytest.mark.parametrize(("word", "request_", "answer", "shown"), ANSWERS, ids=[word for word, *_ in ANSWERS])
def test_the_others_answer(world: World, word: str, request_: str, answer: object, shown: str) -> None:
    world.daemon("/mnt/a", "backup:a", **{request_: ["crash"]})
    world.daemon("/mnt/b", "backup:b", **{request_: [{"result": answer}]})
    world.mount("/mnt/dead", "x:y")
    done = world.run(word)
    assert done.returncode == 1
    assert shown in done.stdout
    ended, dead = done.stderr.splitlines()
    assert ended == "cloudfs: /mnt/a: the daemon ended before it answered"
    assert dead.startswith("cloudfs: /mnt/dead: no daemon of yours answers") and "cloudfs mount x:y /mnt/dead" in dead
    assert [name for name, _ in world.requests("/mnt/b")] == [request_]


def test_what_nobody_knows_is_not_called_stored(world: World) -> None:
    world.mount("/mnt/dead", "x:y")
    done = world.run("pending")
    assert (done.returncode, done.stdout) == (1, "")
    listed = world.run("pending", "list", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (1, [])


@pytest.mark.parametrize("word", [word for word, *_ in ANSWERS])
def test_nothing_is_mounted(world: World, word: str) -> None:
    done = world.run(word)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "cloudfs: nothing is mounted\n")
