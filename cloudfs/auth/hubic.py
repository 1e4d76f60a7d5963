"""hubiC's way to a Swift account: an OAuth2 access token (six hours) buys a Swift token (about a day).

Two layers of expiry, so two of renewal: when Swift refuses its token, or shortly before its end, credentials are asked
for again; when that is refused, the access token is renewed first. The refresh token is all that is kept on disk.

Protocol: ``GET /1.0/account/credentials`` answers ``{"token", "endpoint", "expires"}``, ``GET /1.0/account/usage``
answers ``{"quota", "used"}``, both in bytes and for an ``Authorization: Bearer`` with the scopes ``credentials.r`` and
``usage.r``. (OVH's hubiC API, closed in 2022.)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import trio

from cloudfs.auth.bearer import Bearer
from cloudfs.auth.oauth2 import Application
from cloudfs.auth.storage import Access
from cloudfs.config import Remote
from cloudfs.errors import AccessDenied, BrokenAnswer, SignInRequired, Unavailable
from cloudfs.http.calls import Calls
from cloudfs.http.message import Answer, Request
from cloudfs.settings.secret import Secret

_log = logging.getLogger(__name__)
_MARGIN = 300.0
"""Seconds before the end of a Swift token at which it is replaced."""
_LIFE = 3600.0
"""Seconds to use a Swift token for if its end makes no sense."""
_ANSWER_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Quota:
    """Bytes, as the account counts them."""

    used: int
    total: int | None


def application(remote: Remote, secret: Secret) -> Application:
    """Who asks, as `cloudfs.auth.oauth2` wants to know it. The addresses end in a slash: without it they moved."""
    api = remote.text("api_url").rstrip("/")
    return Application(
        client_id=remote.text("client_id"),
        token_url=f"{api}/oauth/token/",
        authorize_url=f"{api}/oauth/auth/",
        redirect_url=remote.text("redirect_url"),
        scope=remote.text("scope"),
        secret=secret.reveal(),
        basic_auth=True,
        plain=True,
    )


class HubicAccount:
    """A `cloudfs.auth.storage.StorageAuth`. ``api`` is the address below which ``/1.0/account`` is.

    ``calls`` sends the requests and stays its owner's; ``now`` is the wall clock, in seconds since the epoch.
    """

    def __init__(self, name: str, api: str, bearer: Bearer, calls: Calls, now: Callable[[], float]) -> None:
        self._name = name
        self._api = api.rstrip("/")
        self._bearer = bearer
        self._calls = calls
        self._now = now
        self._access: Access | None = None
        self._renew_at = self._ends_at = 0.0
        self._turn = trio.Lock()

    async def access(self, refused: str = "") -> Access:
        if (known := self._known(refused, self._renew_at)) is not None:
            return known
        async with self._turn:
            if (known := self._known(refused, self._renew_at)) is not None:
                return known
            try:
                return await self._renewed(refused)
            except Unavailable:
                if (known := self._known(refused, self._ends_at)) is None:
                    raise
                return known

    @property
    def remaining(self) -> float:
        """Seconds until the Swift token that `access` gave last has to end."""
        return max(0.0, self._ends_at - self._now())

    async def usage(self) -> Quota:
        """What is used of the account. `AccessDenied` if its owner did not allow to ask for that."""
        found = await self._ask("usage", "/usage")
        used, total = found.get("used"), found.get("quota")
        if not isinstance(used, int | float):
            raise BrokenAnswer(f"{self._name}: the account's usage is not told in bytes")
        return Quota(int(used), int(total) if isinstance(total, int | float) and total > 0 else None)

    async def email(self) -> str:
        """Whose account it is; empty if its owner did not allow to ask for that."""
        try:
            return str((await self._ask("its owner", "")).get("email", ""))
        except AccessDenied:
            return ""

    def _known(self, refused: str, until: float) -> Access | None:
        known = self._access
        return known if known is not None and known.token != refused and self._now() < until else None

    async def _renewed(self, refused: str) -> Access:
        found = await self._ask("credentials", "/credentials")
        access = self._read(found)
        if access.token == refused:
            # Asking at once again would not end, and until when it goes on like this is known to nobody.
            raise Unavailable(f"{self._name}: the provider gives out a token that its own storage does not accept")
        if self._access is not None and self._access.url != access.url:
            _log.info("%s: the storage is at %s from now on", self._name, access.url)
        life = self._life(str(found.get("expires", "")))
        self._access, self._ends_at = access, self._now() + life
        # Well before its end, but not so early that a short life is none at all.
        self._renew_at = self._now() + max(life - _MARGIN, life / 2)
        return access

    def _read(self, found: dict[str, Any]) -> Access:
        token, endpoint = found.get("token"), found.get("endpoint")
        if not isinstance(token, str) or not isinstance(endpoint, str) or not token or not endpoint:
            raise BrokenAnswer(f"{self._name}: the provider's answer has no token, or does not say for which storage")
        return Access(endpoint.rstrip("/"), token)

    def _life(self, expires: str) -> float:
        """Seconds until a token's end: RFC 3339 with an offset. A time without one is no moment.

        An end that is over already tells of a clock that is wrong, here or there, and nothing of the token.
        """
        try:
            moment = datetime.fromisoformat(expires)
        except ValueError:
            return _LIFE
        life = moment.timestamp() - self._now() if moment.tzinfo else 0.0
        return life if life > 0 else _LIFE

    async def _ask(self, what: str, place: str) -> dict[str, Any]:
        """The answer at a place below ``/1.0/account``, where ``what`` is told."""
        token = await self._bearer.token()
        answer = await self._get(what, place, token)
        if answer.status == 401:
            answer = await self._get(what, place, await self._bearer.token(refused=token))
        if answer.status == 401:
            raise SignInRequired(f"the provider does not accept the sign-in any more; run: cloudfs login {self._name}")
        if answer.status == 403:
            raise AccessDenied(f"{self._name}: the sign-in does not allow to ask for {what} ({answer.text()})")
        found = _object(answer)
        if not answer.succeeded or found is None:
            raise BrokenAnswer(
                f"{self._name}: no answer to the question for {what} ({answer.status} {answer.text(80)})"
            )
        return found

    async def _get(self, what: str, place: str, token: str) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        request = Request("GET", f"{self._api}/1.0/account{place}", headers, what=f"{self._name}: {what}")
        return await self._calls.send(request, limit=_ANSWER_LIMIT)


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
