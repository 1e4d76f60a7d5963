"""Who may sign in, how the question has to look, and the answer: a token of the Swift behind it, and a catalogue.

Strict: what Keystone answers with 400 is 400 here as well, so that nothing passes that only we understand.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.emulators.serving import Answer, Request
from tests.servers.swift_files import ACCOUNT, KEY, USER

DOMAIN, DOMAIN_ID = "people", "0123456789abcdef0123456789abcdef"
NAME, USER_ID, PASSWORD = "ann", "a" * 32, "pass word"
PROJECT, PROJECT_ID, PROJECT_DOMAIN = "backup", "b" * 32, "projects"
CREDENTIAL, CREDENTIAL_ID, CREDENTIAL_SECRET = "laptop", "c" * 32, "credential secret"
REGION, ELSEWHERE = "north", "south"

Json = dict[str, Any]


class Wrong(Exception):
    """The question is not one that Keystone understands."""


class Refused(Exception):
    """It is understood, and the credentials are not right."""


class Keystone:
    """``swift`` is where the Swift behind it signs in (v1)."""

    def __init__(self, swift: str) -> None:
        self._swift = swift
        self.asked = 0

    async def handle(self, request: Request) -> Answer:
        signers = {"/v3/auth/tokens": self._v3, "/v2.0/tokens": self._v2}
        if request.path == "/control/asked":
            return Answer.json(200, self.asked)
        if request.path not in signers or request.method != "POST":
            return Answer.json(404, {"error": {"code": 404, "title": "Not Found"}})
        self.asked += 1
        try:
            return await signers[request.path]((await request.json())["auth"])
        except (Wrong, KeyError, TypeError, ValueError) as error:
            return Answer.json(400, {"error": {"code": 400, "title": "Bad Request", "message": repr(error)}})
        except Refused:
            return Answer.json(401, {"error": {"code": 401, "title": "Unauthorized"}})

    async def _v3(self, auth: Json) -> Answer:
        identity, scope = auth["identity"], auth.get("scope")
        only(auth, "identity", "scope")
        (method,) = identity["methods"]
        only(identity, "methods", method)
        if method == "password":
            check_password(identity["password"]["user"])
            check_project(scope)
        elif method == "application_credential":
            check_credential(identity["application_credential"])
            if scope is not None:
                raise Wrong("an application credential has its own scope")
        else:
            raise Wrong(method)
        url, token = await self._grant()
        endpoints = [
            {"id": secrets.token_hex(16), "interface": interface, "region": region, "region_id": region, "url": address}
            for region, address in ((ELSEWHERE, "http://127.0.0.1:9/v1/nobody"), (REGION, url))
            for interface in ("admin", "internal", "public")
        ]
        services = [
            {"type": "compute", "name": "nova", "endpoints": [{**endpoints[-1], "url": "http://127.0.0.1:9/compute"}]},
            {"type": "object-store", "name": "swift", "endpoints": endpoints},
        ]
        answer = {"token": {"expires_at": in_an_hour(), "methods": [method], "catalog": services}}
        return Answer.json(201, answer, {"X-Subject-Token": token})

    async def _v2(self, auth: Json) -> Answer:
        only(auth, "passwordCredentials", "tenantName", "tenantId")
        if auth["passwordCredentials"] != {"username": NAME, "password": PASSWORD}:
            raise Refused
        if (auth.get("tenantName"), auth.get("tenantId")) not in ((PROJECT, None), (None, PROJECT_ID)):
            raise Refused
        url, token = await self._grant()
        endpoints = [
            {"region": ELSEWHERE, "publicURL": "http://127.0.0.1:9/v1/nobody"},
            {"region": REGION, "publicURL": url, "internalURL": url},
        ]
        catalog = [{"type": "object-store", "name": "swift", "endpoints": endpoints}]
        return Answer.json(
            200, {"access": {"token": {"id": token, "expires": in_an_hour()}, "serviceCatalog": catalog}}
        )

    async def _grant(self) -> tuple[str, str]:
        async with httpx.AsyncClient() as client:
            headers = {"X-Auth-User": f"{ACCOUNT}:{USER}", "X-Auth-Key": KEY}
            granted = (await client.get(self._swift, headers=headers)).headers
        return granted["x-storage-url"], granted["x-auth-token"]


def only(found: Json, *known: str) -> None:
    if extra := set(found) - set(known):
        raise Wrong(f"unexpected: {sorted(extra)}")


def check_user(user: Json) -> None:
    if "id" in user:
        right = user["id"] == USER_ID
    else:
        right = user["name"] == NAME and user["domain"] in ({"name": DOMAIN}, {"id": DOMAIN_ID})
    if not right:
        raise Refused


def check_password(user: Json) -> None:
    only(user, "id", "name", "domain", "password")
    check_user(user)
    if user["password"] != PASSWORD:
        raise Refused


def check_project(scope: Any) -> None:
    project = scope["project"]
    only(project, "id", "name", "domain")
    if project not in ({"id": PROJECT_ID}, {"name": PROJECT, "domain": {"name": PROJECT_DOMAIN}}):
        raise Refused


def check_credential(credential: Json) -> None:
    only(credential, "id", "name", "secret", "user")
    if "id" in credential:
        right = credential["id"] == CREDENTIAL_ID
    else:
        check_user(credential["user"])
        right = credential["name"] == CREDENTIAL
    if not right or credential["secret"] != CREDENTIAL_SECRET:
        raise Refused


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def stanza(url: str) -> str:
    """For the configuration file."""
    return (
        f'[remote.keystone]\ntype = "swift"\nauth_url = "{url}/v3"\nuser = "{NAME}"\nkey = "{PASSWORD}"\n'
        f'user_domain = "{DOMAIN}"\nproject = "{PROJECT}"\nproject_domain = "{PROJECT_DOMAIN}"\nregion = "{REGION}"\n'
    )
