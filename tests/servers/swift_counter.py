"""A filter for the pipeline of Swift's front end: it counts what clients ask for, and tells when it is asked itself.

``GET /counted`` answers with the number of requests, and the bytes of bodies from clients and to them, so far;
``GET /counted/kinds`` with how many requests there were of each kind, such as ``HEAD object``.
"""

from __future__ import annotations

import json
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

PATH = "/counted"
KINDS = "/counted/kinds"

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(slots=True)
class Counts:
    requests: int = 0
    sent: int = 0
    received: int = 0


class Body:
    """What a client sends, counted as it is read."""

    def __init__(self, body: Any, counts: Counts) -> None:
        self._body = body
        self._counts = counts

    def read(self, *arguments: Any, **keywords: Any) -> bytes:
        data: bytes = self._body.read(*arguments, **keywords)
        self._counts.sent += len(data)
        return data

    def readline(self, *arguments: Any, **keywords: Any) -> bytes:
        data: bytes = self._body.readline(*arguments, **keywords)
        self._counts.sent += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


class Answer:
    """What a client gets, counted as it is taken."""

    def __init__(self, parts: Iterable[bytes], counts: Counts) -> None:
        self._parts = parts
        self._counts = counts

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self._counts.received += len(part)
            yield part

    def close(self) -> None:
        close = getattr(self._parts, "close", None)
        if close is not None:
            close()


class Counter:
    """The filter."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._counts = Counts()
        self._kinds: Tally[str] = Tally()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] in (PATH, KINDS):
            answer = json.dumps(asdict(self._counts) if environ["PATH_INFO"] == PATH else self._kinds).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
            return [answer]
        self._counts.requests += 1
        self._kinds[_kind(environ)] += 1
        environ["wsgi.input"] = Body(environ["wsgi.input"], self._counts)
        return Answer(self._application(environ, start_response), self._counts)


def _kind(environ: dict[str, Any]) -> str:
    """The method, and what of ``/v1/ACCOUNT/CONTAINER/OBJECT`` it is about."""
    path = environ["PATH_INFO"].strip("/")
    what = ("account", "container", "object")[min(path.count("/"), 3) - 1] if path.startswith("v1/") else "other"
    return f"{environ['REQUEST_METHOD']} {what}"


def filter_factory(_global: dict[str, str], **_local: str) -> Callable[[Application], Counter]:
    """As paste.deploy wants it."""
    return Counter
