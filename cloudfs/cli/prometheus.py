"""Statuses as Prometheus reads them, in its text format (version 0.0.4). Pure.

What has no value is left out, so that ``time() - cloudfs_oldest_pending_timestamp_seconds > 86400`` is true only if
there is something that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Status = Mapping[str, Any]

STATES = ("online", "offline", "throttled", "sign-in required", "store full", "read-only", "silent", "dead")
_NOT_ANSWERING = ("silent", "dead")


@dataclass(frozen=True, slots=True)
class _Metric:
    """``value`` gives None for what nobody knows."""

    name: str
    kind: str
    help: str
    value: Callable[[Status], float | int | None]


def _of(*path: str) -> Callable[[Status], Any]:
    def value(status: Status) -> Any:
        found: Any = status
        for key in path:
            found = None if found is None else found.get(key)
        return found

    return value


def _answers(status: Status) -> bool:
    return status["state"] not in _NOT_ANSWERING


_METRICS = (
    _Metric("cloudfs_up", "gauge", "Whether the driver of the mount answers.", lambda status: int(_answers(status))),
    _Metric(
        "cloudfs_state_timestamp_seconds",
        "gauge",
        "Since when the store is in its state, in seconds since the epoch.",
        _of("since"),
    ),
    _Metric(
        "cloudfs_throttled_until_timestamp_seconds",
        "gauge",
        "When a throttled store wants to be asked again.",
        _of("until"),
    ),
    _Metric("cloudfs_pending_files", "gauge", "Names that are not stored as they should be.", _of("pending", "files")),
    _Metric("cloudfs_pending_bytes", "gauge", "Bytes to be sent.", _of("pending", "bytes")),
    _Metric(
        "cloudfs_oldest_pending_timestamp_seconds",
        "gauge",
        "Since when the change that waits longest is not stored.",
        _of("oldest"),
    ),
    _Metric(
        "cloudfs_uploading_files",
        "gauge",
        "Files that are being sent.",
        lambda status: len(status["uploading"]) if _answers(status) else None,
    ),
    _Metric(
        "cloudfs_parked_files",
        "gauge",
        "Files that need a person (counted up to 1000).",
        lambda status: len(status["parked"]) if _answers(status) else None,
    ),
    _Metric(
        "cloudfs_failing",
        "gauge",
        "Whether some upload was tried in vain.",
        lambda status: int(bool(status.get("failing"))) if _answers(status) else None,
    ),
    _Metric("cloudfs_sent_bytes_total", "counter", "Bytes sent since the mount was made.", _of("sent")),
    _Metric("cloudfs_cache_used_bytes", "gauge", "Cached contents on this machine.", _of("cache", "used")),
    _Metric("cloudfs_cache_limit_bytes", "gauge", "How much of it there may be.", _of("cache", "limit")),
    _Metric("cloudfs_staged_bytes", "gauge", "New bytes on this machine, not stored yet.", _of("staged", "used")),
    _Metric("cloudfs_store_used_bytes", "gauge", "What is used at the store.", _of("store", "used")),
    _Metric("cloudfs_store_total_bytes", "gauge", "What the store has room for.", _of("store", "total")),
)


def exposition(statuses: Sequence[Status]) -> str:
    """The metrics of all mounts, one family after the other."""
    return "".join(f"{line}\n" for line in _lines(statuses))


def _lines(statuses: Sequence[Status]) -> Iterator[str]:
    for metric in _METRICS:
        samples = [(status, value) for status in statuses if (value := metric.value(status)) is not None]
        if samples:
            yield from _head(metric.name, metric.kind, metric.help)
            for status, value in samples:
                yield f"{metric.name}{{{_labels(status)}}} {value}"
    if statuses:
        yield from _head("cloudfs_state", "gauge", "1 for the state that the mount is in.")
        for status in statuses:
            for state in dict.fromkeys((*STATES, str(status["state"]))):
                labels = f'{_labels(status)},state="{_escaped(state)}"'
                yield f"cloudfs_state{{{labels}}} {int(state == status['state'])}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _labels(status: Status) -> str:
    return f'mountpoint="{_escaped(str(status["mountpoint"]))}",source="{_escaped(str(status["source"]))}"'


def _escaped(text: str) -> str:
    """Any bytes that a name may have, as UTF-8 and within double quotes."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return decoded.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
