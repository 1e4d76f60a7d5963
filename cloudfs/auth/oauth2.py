"""OAuth 2.0 without a screen: device code (RFC 8628), pasted redirect (RFC 6749, with PKCE of RFC 7636), refresh.

Written out here because the usual libraries refuse plain HTTP on loopback, which both the registered redirect
``http://localhost`` and every test server need, unless a process-wide switch is set.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import trio

from cloudfs.auth.tokens import Token
from cloudfs.errors import AccessDenied, SignInRequired, Unavailable, UsageError
from cloudfs.http.client import HttpClient
from cloudfs.http.message import Request

_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_TRANSIENT = frozenset({"temporarily_unavailable", "server_error", "too_many_requests"})
_ANSWER_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Application:
    """Who asks: a registered application and its provider's endpoints.

    ``secret`` is for applications registered as confidential only; a public one must not send any. With
    ``basic_auth`` it goes into the Authorization header (RFC 6749 section 2.3.1) and not into the form. ``plain`` is
    for providers that were told nothing beyond RFC 6749: no PKCE, and no scope when a token is renewed, since a person
    may have granted less than was asked for.
    """

    client_id: str
    token_url: str
    authorize_url: str
    redirect_url: str
    scope: str
    secret: str = field(default="", repr=False)
    device_url: str = ""
    basic_auth: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a person types where. ``interval`` and ``expires_in`` are in seconds."""

    code: str = field(repr=False)
    user_code: str
    page: str
    interval: float
    expires_in: float


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that was begun in a browser: the page to open, and what proves that the answer belongs to it.

    ``verifier`` is empty without PKCE.
    """

    page: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)


class DeviceCodeRefused(AccessDenied):
    """The provider does not let this application, or this kind of account, sign in by device code."""


class OAuth2:
    """The conversation with a provider's token endpoint. ``client`` sends the requests, and stays its owner's."""

    def __init__(self, application: Application, client: HttpClient, clock: Callable[[], float] = time.time) -> None:
        self.application = application
        self._client = client
        self._clock = clock

    async def renew(self, token: Token) -> Token:
        """A new access token, and the refresh token to use from now on, which may be another one.

        `SignInRequired` if the refresh token is dead, `Unavailable` if the provider is away.
        """
        form = {"grant_type": "refresh_token", "refresh_token": token.refresh}
        if not self.application.plain:
            form["scope"] = self.application.scope
        return self._token(await self._ask(form), token)

    # --- device code -------------------------------------------------------------------------------------------------

    async def begin_device(self) -> DeviceCode:
        """Raises `DeviceCodeRefused`, `Unavailable`."""
        form = {"client_id": self.application.client_id, "scope": self.application.scope}
        status, found = await self._post(self.application.device_url, form)
        if status != 200:
            raise DeviceCodeRefused(_reason(found))
        return DeviceCode(
            str(found["device_code"]),
            str(found["user_code"]),
            str(found.get("verification_uri") or found.get("verification_url")),
            float(found.get("interval", 5)),
            float(found.get("expires_in", 900)),
        )

    async def finish_device(self, device: DeviceCode) -> Token:
        """Wait until the person has agreed. `SignInRequired` if they refuse, or not within the time."""
        form = {"grant_type": _DEVICE_GRANT, "device_code": device.code}
        interval = device.interval
        with trio.move_on_after(device.expires_in):
            while True:
                await trio.sleep(interval)
                status, found = await self._post(self.application.token_url, self._identified(form))
                if status == 200:
                    return self._token(found)
                error = found.get("error")
                if error == "slow_down":
                    interval += 5
                elif error != "authorization_pending":
                    raise SignInRequired(f"the sign-in was not completed: {_reason(found)}")
        raise SignInRequired("nobody signed in before the code expired")

    # --- pasted redirect ---------------------------------------------------------------------------------------------

    def begin(self, **extra: str) -> SignIn:
        """A page for any browser on any machine, which in the end redirects to an address to be pasted back."""
        state = secrets.token_urlsafe(24)
        verifier = "" if self.application.plain else secrets.token_urlsafe(64)
        query = {
            "client_id": self.application.client_id,
            "response_type": "code",
            "redirect_uri": self.application.redirect_url,
            "scope": self.application.scope,
            "state": state,
            **({"response_mode": "query", **_proof(verifier)} if verifier else {}),
            **extra,
        }
        return SignIn(f"{self.application.authorize_url}?{urlencode(query)}", state, verifier)

    async def finish(self, sign_in: SignIn, address: str) -> Token:
        """``address`` is where the browser ended. `UsageError` if it is not the answer to this request."""
        form = {
            "grant_type": "authorization_code",
            "code": _code(sign_in, address),
            "redirect_uri": self.application.redirect_url,
            **({"code_verifier": sign_in.verifier} if sign_in.verifier else {}),
        }
        return self._token(await self._ask(form))

    # --- the token endpoint ------------------------------------------------------------------------------------------

    async def _ask(self, form: Mapping[str, str]) -> dict[str, Any]:
        status, found = await self._post(self.application.token_url, self._identified(form))
        if status != 200:
            raise SignInRequired(_reason(found))
        return found

    def _identified(self, form: Mapping[str, str]) -> dict[str, str]:
        if self.application.basic_auth:
            return dict(form)
        known = {"client_id": self.application.client_id, **form}
        return {**known, "client_secret": self.application.secret} if self.application.secret else known

    async def _post(self, url: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """The answer, which may be a refusal; `Unavailable` for anything that says nothing about the sign-in."""
        request = Request("POST", url, self._headers(), urlencode(form).encode(), "the sign-in server")
        answer = await self._client.send(request, limit=_ANSWER_LIMIT)
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if answer.status == 200 and isinstance(found, dict):
            return 200, found
        meant = answer.status in (400, 401, 403) and isinstance(found, dict) and found.get("error") not in _TRANSIENT
        if not meant:
            wish = answer.retry_after(self._clock())
            raise Unavailable(f"the sign-in server is busy (status {answer.status})", retry_after=wish)
        return answer.status, found

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self.application.basic_auth:
            pair = f"{quote_plus(self.application.client_id)}:{quote_plus(self.application.secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return headers

    def _token(self, found: dict[str, Any], old: Token | None = None) -> Token:
        access, refresh = found.get("access_token"), found.get("refresh_token") or (old.refresh if old else "")
        if not access or not refresh:
            raise SignInRequired("the provider gave no token that lasts; is the scope offline_access allowed?")
        return Token(
            access=str(access),
            refresh=str(refresh),
            expires_at=self._clock() + float(found.get("expires_in", 3600)),
            scope=str(found.get("scope", "")),
            facts=old.facts if old else {},
        )


def _proof(verifier: str) -> dict[str, str]:
    """PKCE: the answer is good only together with ``verifier``."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return {"code_challenge": challenge.decode(), "code_challenge_method": "S256"}


def _code(sign_in: SignIn, address: str) -> str:
    query = {name: values[0] for name, values in parse_qs(urlsplit(address.strip()).query).items()}
    if "error" in query:
        raise UsageError(f"the sign-in was refused: {query.get('error_description', query['error'])}")
    if "code" not in query:
        raise UsageError("this address has no code in it; paste the whole address that the browser shows in the end")
    if not secrets.compare_digest(query.get("state", "").encode(), sign_in.state.encode()):
        raise UsageError("this address belongs to another sign-in; start again, and use the page that is shown then")
    return query["code"]


def _reason(found: Mapping[str, Any]) -> str:
    """The first line of what the provider says; later ones are identifiers for its support."""
    text = str(found.get("error_description") or found.get("error") or "no reason given")
    return text.splitlines()[0] if text else text
