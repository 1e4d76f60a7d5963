"""Middlewares of our own for the front ends of `tests.servers.swift`; what Swift brings is in its package."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def without_dynamic_large_objects(_: dict[str, str], **__: str) -> Callable[[Application], Application]:
    """Take the manifests of dynamic large objects for empty objects, as some gateways do. (Swift itself puts ``dlo``
    back into every pipeline that lacks it.)"""

    def wrap(application: Application) -> Application:
        def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            environ.pop("HTTP_X_OBJECT_MANIFEST", None)
            return application(environ, start_response)

        return call

    return wrap


def lagging_listings(_: dict[str, str], **__: str) -> Callable[[Application], Application]:
    """Containers whose listings lag behind, by command: ``POST /v1/ACCOUNT/CONTAINER?lag=on`` freezes what is listed,
    until ``?lag=off``; ``?lag=count`` tells how often somebody has been shown that."""
    return _Lagging


class _Lagging:
    def __init__(self, application: Application) -> None:
        self._application = application
        self._frozen: dict[str, list[dict[str, Any]]] = {}
        self._shown: Counter[str] = Counter()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        place = environ["PATH_INFO"].strip("/")
        query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
        if place.count("/") != 2 or not (
            "lag" in query or (environ["REQUEST_METHOD"] == "GET" and place in self._frozen)
        ):
            return self._application(environ, start_response)
        if query.get("lag") == "on":
            self._frozen[place], self._shown[place] = self._listed(environ), 0
        elif query.get("lag") == "off":
            del self._frozen[place]
        answer: object = self._shown[place]
        if "lag" not in query:
            self._shown[place] += 1
            answer = list(_page(self._frozen[place], query))
        body = json.dumps(answer).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _listed(self, environ: dict[str, Any]) -> list[dict[str, Any]]:
        asked = {**environ, "REQUEST_METHOD": "GET", "QUERY_STRING": "format=json", "CONTENT_LENGTH": "0"}
        found: list[dict[str, Any]] = json.loads(b"".join(self._application(asked, lambda *_: None)) or b"[]")
        return found


def _page(rows: Iterable[dict[str, Any]], query: dict[str, str]) -> Iterator[dict[str, Any]]:
    """As Swift does it."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    marker, end, left = query.get("marker", ""), query.get("end_marker", ""), int(query.get("limit", "10000"))
    told = ""
    for row in rows:
        name, is_rolled_up = row["name"], False
        if not name.startswith(prefix):
            continue
        if delimiter and delimiter in name[len(prefix) :]:
            name, is_rolled_up = prefix + name[len(prefix) :].partition(delimiter)[0] + delimiter, True
        if name == told or name.encode() <= marker.encode() or (end and name.encode() >= end.encode()) or not left:
            continue
        told, left = name, left - 1
        yield {"subdir": name} if is_rolled_up else row
