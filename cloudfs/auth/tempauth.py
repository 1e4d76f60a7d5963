"""Swift's first way to sign in, v1 (TempAuth, swauth, Ceph, and many gateways): two headers there, two headers back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cloudfs.auth.swift_session import Grant
from cloudfs.errors import BrokenAnswer, SignInRequired
from cloudfs.http.calls import Calls
from cloudfs.http.message import Request
from cloudfs.http.refusals import refusal
from cloudfs.settings.secret import Secret

_REFUSED = (401, 403)


class TempAuth:
    """``GET auth_url`` with ``X-Auth-User`` and ``X-Auth-Key`` answers ``X-Storage-Url`` and ``X-Auth-Token``.

    The key is asked for anew each time, so that a changed one needs no restart.
    """

    def __init__(self, calls: Calls, auth_url: str, user: str, key: Callable[[], Awaitable[Secret]]) -> None:
        self._calls = calls
        self._url = auth_url
        self._user = user
        self._key = key

    async def sign_in(self) -> Grant:
        key = await self._key()
        headers = {"X-Auth-User": self._user, "X-Auth-Key": key.reveal()}
        request = Request("GET", self._url, headers, what="sign-in")
        answer = await self._calls.send(request)
        if answer.status in _REFUSED:
            raise SignInRequired(f"the server does not accept user {self._user} with this key")
        if not answer.succeeded:
            raise refusal(request, answer)
        url, token = answer.headers.get("x-storage-url"), answer.headers.get("x-auth-token")
        if not url or not token:
            raise BrokenAnswer(f"{self._url} is not an address to sign in to Swift (v1): no token came back")
        expires = answer.headers.get("x-auth-token-expires", "")
        return Grant(url, token, float(expires) if expires.isdecimal() else None)
