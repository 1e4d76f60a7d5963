"""Microsoft Graph as one drive sees it: requests with a token, answers as JSON, refusals as our errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from cloudfs.auth.bearer import Bearer
from cloudfs.errors import (
    AccessDenied,
    BrokenAnswer,
    NameRefused,
    NotFound,
    QuotaExceeded,
    SignInRequired,
    StoreError,
    TooLarge,
    Unavailable,
    VersionMismatch,
)
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.message import Answer, Body, Request

_log = logging.getLogger(__name__)
ANSWER_LIMIT = 64 << 20
_SAFE = "!$&'()*+,;=@"
_LONG_NAMES = frozenset({"pathIsTooLong", "nameIsTooLong"})

Json = dict[str, Any]


class Conflict(VersionMismatch):
    """409 ``nameAlreadyExists``: something has the name already."""


class Invalid(AccessDenied):
    """400: the request makes no sense to Graph."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. ``path`` is relative to Graph's base and quoted; ``what`` is how messages call it.

    ``naming`` says that it gives a name to something, so that a refusal as invalid is one of the name.
    """

    method: str
    path: str = field(repr=False)
    json: Json | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    what: str = ""
    naming: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What Graph said to an `Ask`. ``json`` is empty where there was no body, or none that is JSON."""

    status: int
    json: Json = field(repr=False)
    retry_after: float | None = None

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300


def segment(name: str) -> str:
    """One part of a path in an address."""
    return quote(name, safe=_SAFE)


class Graph:
    """``url`` is Graph's base, such as ``https://graph.microsoft.com/v1.0``. Nothing with a token goes anywhere else.

    ``calls``, and the client that ``bearer`` renews its token with, are closed together with it.
    """

    def __init__(self, url: str, calls: Calls, bearer: Bearer, renewing: HttpClient | None = None) -> None:
        self.url = url.rstrip("/")
        self.calls = calls
        self.bearer = bearer
        self._renewing = renewing

    async def aclose(self) -> None:
        await self.calls.aclose()
        if self._renewing is not None:
            await self._renewing.aclose()

    async def get(self, path: str, what: str = "", *, inside: bool = False) -> Json:
        """The answer to a GET by itself; raises what `refusal` makes of anything else."""
        ask = Ask("GET", path, what=what)
        return settled(ask, await self.send(ask, inside=inside))

    async def follow(self, url: str, what: str) -> Json:
        """What is at an address that Graph gave for a next page."""
        if not url.startswith(f"{self.url}/"):
            raise BrokenAnswer(f"{what}: the next page is said to be somewhere else")
        return await self.get(url[len(self.url) :], what)

    async def send(self, ask: Ask, body: bytes | Body | None = None, *, inside: bool = False) -> Reply:
        """One request of its own, with ``body`` instead of JSON if given; any status that is meant.

        ``inside`` is as for `Calls.send`.
        """
        answer = await self._authorized(ask, body, inside=inside)
        return Reply(answer.status, _json(answer), answer.retry_after(0.0))

    async def _authorized(self, ask: Ask, body: bytes | Body | None, *, inside: bool) -> Answer:
        token = await self.bearer.token()
        answer = await self.calls.send(self._request(ask, body, token), limit=ANSWER_LIMIT, inside=inside)
        if answer.status != 401:
            return answer
        # Expired in spite of its date, or revoked: a new one answers that, and only a second refusal is one.
        token = await self.bearer.token(refused=token)
        answer = await self.calls.send(self._request(ask, body, token), limit=ANSWER_LIMIT, inside=inside)
        if answer.status == 401:
            if "RPS" in answer.text(1000):
                raise Unavailable("OneDrive cannot check who we are at the moment")
            raise SignInRequired(f"OneDrive does not accept the sign-in: {_message(_json(answer))}")
        return answer

    def _request(self, ask: Ask, body: bytes | Body | None, token: str) -> Request:
        headers = {"Accept": "application/json", **ask.headers, "Authorization": f"Bearer {token}"}
        if body is None and ask.json is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(ask.json).encode()
        elif body is not None:
            headers.setdefault("Content-Type", "application/octet-stream")
        return Request(ask.method, self.url + ask.path, headers, b"" if body is None else body, ask.what)


def settled(ask: Ask, reply: Reply) -> Json:
    """The body of a success; raises the error that anything else is."""
    if not reply.succeeded:
        raise refusal(ask, reply)
    return reply.json


def refusal(ask: Ask, reply: Reply) -> StoreError:
    """Graph's error as ours. The deepest code that we know decides, then the status."""
    codes = _codes(reply.json)
    message = f"{ask.what or 'OneDrive'}: {_message(reply.json)} ({reply.status})"
    kind = _kind(reply.status, codes, naming=ask.naming)
    if issubclass(kind, Unavailable):
        return kind(message, retry_after=reply.retry_after)
    return kind(message)


def _kind(status: int, codes: frozenset[str], *, naming: bool) -> type[StoreError]:
    if codes & _LONG_NAMES:
        return NameRefused
    if "quotaLimitReached" in codes or status == 507:
        return QuotaExceeded
    if "resourceModified" in codes or status == 412:
        return VersionMismatch
    if "nameAlreadyExists" in codes or status == 409:
        return Conflict
    if status == 400:
        return NameRefused if naming else Invalid
    return _KINDS.get(status, AccessDenied if status < 500 else BrokenAnswer)


_KINDS: Mapping[int, type[StoreError]] = {
    401: SignInRequired,
    404: NotFound,
    408: Unavailable,
    410: NotFound,
    413: TooLarge,
    424: Unavailable,
    429: Unavailable,
    503: Unavailable,
    504: Unavailable,
    509: Unavailable,
}


def _codes(found: Json) -> frozenset[str]:
    codes: set[str] = set()
    error = found.get("error")
    while isinstance(error, dict):
        codes.add(str(error.get("code", "")))
        error = error.get("innerError") or error.get("innererror")
    return frozenset(codes)


def _message(found: Json) -> str:
    error = found.get("error")
    return str(error.get("message") or error.get("code")) if isinstance(error, dict) else "no reason given"


def _json(answer: Answer) -> Json:
    try:
        found = json.loads(answer.body) if answer.body else {}
    except ValueError:
        found = {}
    if answer.succeeded and answer.body and not isinstance(found, dict):
        raise BrokenAnswer("OneDrive answered with something else than JSON")
    return found if isinstance(found, dict) else {}


def part_of_batch(ask: Ask, number: str) -> Json:
    """An `Ask` as a batch holds it."""
    part: Json = {"id": number, "method": ask.method, "url": ask.path, "headers": dict(ask.headers)}
    if ask.json is not None:
        part["headers"]["Content-Type"] = "application/json"
        part["body"] = ask.json
    return part


def with_match(ask: Ask, etag: str) -> Ask:
    """The same, on condition that the item is still what ``etag`` says."""
    return replace(ask, headers={**ask.headers, "If-Match": etag}) if etag else ask
