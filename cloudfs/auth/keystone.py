"""OpenStack's identity service: JSON there; a token and a catalogue of endpoints, by kind and region, back.

v3 takes a password (with domains and a project) or an application credential, which brings its project along; v2 is
what old providers still have. (OpenStack Identity API v3: "Password authentication with scoped authorization",
"Authenticating with an Application Credential"; v2.0: ``POST /v2.0/tokens``.)
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cloudfs.auth.swift_session import Grant
from cloudfs.errors import BrokenAnswer, SignInRequired, UsageError
from cloudfs.http.calls import Calls
from cloudfs.http.message import Answer, Request
from cloudfs.http.refusals import refusal
from cloudfs.settings.secret import Secret

_KIND = "object-store"
JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in, and for which project. Empty is unknown; an id needs no domain. ``application_*`` excludes a user.

    ``domain`` stands for whatever of the two domains is not given: by name, or by id if it looks like one
    (``default``, or 32 hexadecimal digits).
    """

    user: str = ""
    user_id: str = ""
    user_domain: str = ""
    project: str = ""
    project_id: str = ""
    project_domain: str = ""
    domain: str = ""
    application_id: str = ""
    application_name: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which of a catalogue's endpoints: ``interface`` is ``public``, ``internal`` or ``admin``; any region if empty."""

    interface: str = "public"
    region: str = ""


Key = Callable[[], Awaitable[Secret]]


class KeystoneV3:
    """``auth_url`` ends in ``/v3``, or gets that appended."""

    def __init__(
        self, calls: Calls, auth_url: str, person: Person, key: Key, endpoint: Endpoint, now: Callable[[], float]
    ) -> None:
        """``now`` is the wall clock."""
        self._calls = calls
        self._url = _with_version(auth_url, "v3") + "/auth/tokens"
        self._person = person
        self._key = key
        self._endpoint = endpoint
        self._now = now

    async def sign_in(self) -> Grant:
        question = {"auth": _v3_question(self._person, (await self._key()).reveal())}
        answer = await _ask(self._calls, self._url, question)
        token = answer.headers.get("x-subject-token")
        found = _object(answer).get("token")
        if not token or not isinstance(found, dict):
            raise BrokenAnswer(f"{self._url} is not an address of Keystone v3: no token came back")
        url = _choose(self._v3_endpoints(found.get("catalog")), self._endpoint)
        return Grant(url, token, _life(found.get("expires_at"), found.get("issued_at"), self._now()))

    def _v3_endpoints(self, catalog: object) -> Iterator[tuple[str, str]]:
        """The regions and addresses of the interface."""
        for endpoint in _endpoints(catalog):
            if endpoint.get("interface") == self._endpoint.interface:
                yield str(endpoint.get("region") or endpoint.get("region_id") or ""), str(endpoint.get("url"))


class KeystoneV2:
    """``auth_url`` ends in ``/v2.0``."""

    def __init__(
        self, calls: Calls, auth_url: str, person: Person, key: Key, endpoint: Endpoint, now: Callable[[], float]
    ) -> None:
        self._calls = calls
        self._url = _with_version(auth_url, "v2.0") + "/tokens"
        self._person = person
        self._key = key
        self._endpoint = endpoint
        self._now = now

    async def sign_in(self) -> Grant:
        person = self._person
        question: JsonObject = {
            "passwordCredentials": {"username": person.user, "password": (await self._key()).reveal()}
        }
        if person.project_id:
            question["tenantId"] = person.project_id
        elif person.project:
            question["tenantName"] = person.project
        answer = await _ask(self._calls, self._url, {"auth": question})
        access = _object(answer).get("access")
        token = access.get("token") if isinstance(access, dict) else None
        if not isinstance(access, dict) or not isinstance(token, dict) or not token.get("id"):
            raise BrokenAnswer(f"{self._url} is not an address of Keystone v2: no token came back")
        url = _choose(self._v2_endpoints(access.get("serviceCatalog")), self._endpoint)
        return Grant(url, str(token["id"]), _life(token.get("expires"), token.get("issued_at"), self._now()))

    def _v2_endpoints(self, catalog: object) -> Iterator[tuple[str, str]]:
        for endpoint in _endpoints(catalog):
            if url := endpoint.get(f"{self._endpoint.interface}URL"):
                yield str(endpoint.get("region") or ""), str(url)


def _v3_question(person: Person, key: str) -> JsonObject:
    if person.application_id or person.application_name:
        credential: JsonObject = {"secret": key}
        if person.application_id:
            credential["id"] = person.application_id
        else:
            credential["name"] = person.application_name
            credential["user"] = _user(person)
        return {"identity": {"methods": ["application_credential"], "application_credential": credential}}
    user = {**_user(person), "password": key}
    question: JsonObject = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if person.project_id:
        question["scope"] = {"project": {"id": person.project_id}}
    elif person.project:
        domain = _domain(person.project_domain or person.domain or person.user_domain)
        question["scope"] = {"project": {"name": person.project, "domain": domain}}
    return question


def _user(person: Person) -> JsonObject:
    if person.user_id:
        return {"id": person.user_id}
    return {
        "name": person.user,
        "domain": _domain(person.user_domain or person.domain or person.project_domain),
    }


def _domain(text: str) -> JsonObject:
    is_id = text == "default" or (len(text) == 32 and all(letter in "0123456789abcdef" for letter in text))
    return {"id": text} if is_id else {"name": text or "Default"}


async def _ask(calls: Calls, url: str, question: JsonObject) -> Answer:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = Request("POST", url, headers, json.dumps(question).encode(), what="sign-in")
    answer = await calls.send(request)
    if answer.status in (401, 403):
        raise SignInRequired("the identity service does not accept these credentials")
    if not answer.succeeded:
        raise refusal(request, answer)
    return answer


def _object(answer: Answer) -> JsonObject:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _endpoints(catalog: object) -> Iterator[Mapping[str, Any]]:
    services: Sequence[Any] = catalog if isinstance(catalog, list) else ()
    for service in services:
        if isinstance(service, dict) and service.get("type") == _KIND:
            yield from (each for each in service.get("endpoints") or () if isinstance(each, dict))


def _choose(found: Iterator[tuple[str, str]], wanted: Endpoint) -> str:
    """The first address in the region. `UsageError` that names the regions there are."""
    regions = dict(reversed(list(found)))
    if not regions:
        raise UsageError(f"this project has no object storage with a {wanted.interface} interface")
    if not wanted.region:
        return list(regions.values())[-1]
    if wanted.region not in regions:
        raise UsageError(f"no object storage in region {wanted.region}; there is {', '.join(sorted(regions))}")
    return regions[wanted.region]


def _life(expires: object, issued: object, now: float) -> float | None:
    """Seconds, by the clock of whoever issued the token if that says when, because ours may be wrong.

    An end that has passed already says nothing but that one of them is.
    """
    begin, end = _moment(issued), _moment(expires)
    if end is None:
        return None
    life = end - (now if begin is None else begin)
    return life if life > 0 else None


def _moment(text: object) -> float | None:
    """Seconds since the epoch; without a time zone it is UTC."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _with_version(url: str, version: str) -> str:
    url = url.rstrip("/")
    return url if urlsplit(url).path.rpartition("/")[2] == version else f"{url}/{version}"
