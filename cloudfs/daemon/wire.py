"""What daemon and command line say to each other: one JSON object a line over a Unix socket, one request a connection.

The client sends ``{"command": ..., "arguments": {...}}``. The daemon answers any number of ``{"event": {...}}`` and
then one of ``{"result": ...}`` and ``{"error": {"kind": ..., "message": ...}}``. A client that closes the connection
withdraws its request. File names travel as `os.fsdecode` gives them (surrogateescape), which JSON carries as escapes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_LINE = 16 << 20
"""Bytes; a longer line is an error."""

_SUN_PATH_MAX = 107


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message in ``line``; `ValueError` if it is none."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """What to give to ``bind`` or ``connect`` for ``path``, however long it is; valid inside the ``with``."""
    if len(os.fsencode(path)) <= _SUN_PATH_MAX:
        yield os.fspath(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
