"""Which way to sign in the settings of a remote of type ``swift`` mean."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from cloudfs.auth.keystone import Endpoint, KeystoneV2, KeystoneV3, Person
from cloudfs.auth.secrets import load_secret
from cloudfs.auth.storage import Access, StorageAuth
from cloudfs.auth.swift_session import SignIn, SwiftSession
from cloudfs.auth.tempauth import TempAuth
from cloudfs.config import Remote
from cloudfs.errors import UsageError
from cloudfs.http.calls import Calls
from cloudfs.settings.secret import Secret

_V1 = re.compile(r"/(auth/)?v1(\.\d+)?/?$")
_V2 = re.compile(r"/v2(\.\d+)?/?$")


def storage_auth(remote: Remote, calls: Calls) -> StorageAuth:
    """Raises `UsageError` for settings that do not go together."""

    async def key() -> Secret:
        return await load_secret(remote, "key")

    session = SwiftSession(_sign_in(remote, calls, key), time.monotonic)
    storage_url = remote.text("storage_url")
    return _Elsewhere(session, storage_url) if storage_url else session


def _sign_in(remote: Remote, calls: Calls, key: Callable[[], Awaitable[Secret]]) -> SignIn:
    url = remote.text("auth_url")
    path = urlsplit(url).path
    if _V1.search(path):
        user = remote.text("user")
        if not user:
            raise UsageError(f'remote {remote.name}: user is missing, such as user = "account:user"')
        return TempAuth(calls, url, user, key)
    person = Person(
        user=remote.text("user"),
        user_id=remote.text("user_id"),
        user_domain=remote.text("user_domain"),
        project=remote.text("project"),
        project_id=remote.text("project_id"),
        project_domain=remote.text("project_domain"),
        domain=remote.text("domain"),
        application_id=remote.text("application_credential_id"),
        application_name=remote.text("application_credential_name"),
    )
    if not (person.user or person.user_id or person.application_id):
        raise UsageError(f"remote {remote.name}: user is missing (or user_id, or application_credential_id)")
    endpoint = Endpoint(remote.text("interface"), remote.text("region"))
    keystone = KeystoneV2 if _V2.search(path) else KeystoneV3
    return keystone(calls, url, person, key, endpoint, time.time)


class _Elsewhere:
    """The same tokens, for another address of the account."""

    def __init__(self, inner: StorageAuth, url: str) -> None:
        self._inner = inner
        self._url = url.rstrip("/")

    async def access(self, refused: str = "") -> Access:
        return Access(self._url, (await self._inner.access(refused)).token)
