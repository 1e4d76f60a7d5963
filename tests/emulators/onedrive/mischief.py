"""What the real service has been seen to do, one kind of it after the other, and all of it together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.emulators.running import Running

_EVER = 1_000_000
_GRAPH = "/v1.0/"
_BUSY = {"error": {"code": "activityLimitReached", "message": "The request has been throttled"}}
_AWAY = {"error": {"code": "serviceNotAvailable", "message": "The service is not available"}}

Order = Mapping[str, Any]

MISCHIEF: Mapping[str, Sequence[Order]] = {
    "429 with Retry-After": [
        {"do": "answer", "status": 429, "headers": {"Retry-After": "1"}, "body": _BUSY, "every": 20, "times": 3}
    ],
    "429 without Retry-After": [{"do": "answer", "status": 429, "body": _BUSY, "every": 25, "times": 3}],
    "503": [{"do": "answer", "status": 503, "body": _AWAY, "every": 20, "times": 3}],
    "500, 502, 504": [
        {"do": "answer", "status": status, "match": _GRAPH, "every": every, "times": _EVER}
        for status, every in ((500, 31), (502, 37), (504, 41))
    ],
    "busy parts of batches": [
        {"do": "part", "status": 429, "headers": {"Retry-After": "0"}, "body": _BUSY, "every": 3, "times": _EVER},
        {"do": "part", "status": 503, "body": _AWAY, "every": 53, "times": 5},
    ],
    "lost answers": [{"do": "lose", "match": _GRAPH, "every": 13, "times": _EVER}],
    "broken connections": [{"do": "refuse", "every": 11, "times": _EVER}],
    "partial acceptance": [{"do": "partial", "match": "PUT /upload", "bytes": 70_000, "every": 3, "times": _EVER}],
    "lost answers to fragments": [{"do": "lose", "match": "PUT /upload", "every": 3, "times": _EVER}],
    "empty final bodies": [{"do": "empty", "match": "PUT /upload", "every": 2, "times": _EVER}],
    "wrong sizes": [{"do": "wrong_size", "match": "PUT /upload", "every": 2, "times": _EVER}],
    "sessions that end": [{"do": "tempauth", "match": "PUT /upload", "every": 4, "times": _EVER}],
    "damaged uploads": [{"do": "damage", "match": "PUT .*(/upload|content)", "every": 7, "times": _EVER}],
    "short downloads": [{"do": "cut", "match": "GET /download", "bytes": 500, "every": 4, "times": _EVER}],
}
"""Orders by what they are called. ``every`` is a prime where two of a kind meet."""

SELDOM = 7
"""How many times as seldom each of them is when all come together."""
ALONE = ("damaged uploads",)
"""What makes sense by itself only: damage that nobody tells of cannot be told from somebody else's file."""


def misbehave(emulator: Running, *kinds: str) -> None:
    """From now on, until ``DELETE /control/trouble``; without ``kinds`` in all ways, each seldom."""
    for kind in kinds or [kind for kind in MISCHIEF if kind not in ALONE]:
        for order in MISCHIEF[kind]:
            every = order.get("every", 1) * (1 if kinds else SELDOM)
            emulator.control("trouble", **{**order, "every": every, "skip": every - 1})
