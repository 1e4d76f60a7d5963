"""Ubuntu One's tokens: from the configuration, as users of u1sync have them, or from Ubuntu SSO.

The API of SSO (version 2) trades e-mail, password and perhaps a one-time password for a token under a name; the older
one (1.0) does so by a signed GET, and the file service has to be told of the new token. Names begin with
``Ubuntu One @``: others were not taken for machines.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from cloudfs.auth.oauth1 import Credentials
from cloudfs.auth.secrets import find_secret
from cloudfs.auth.tokens import Token, TokenHome
from cloudfs.config import Remote
from cloudfs.errors import AccessDenied, BrokenAnswer, SignInRequired, UsageError
from cloudfs.http.calls import Calls
from cloudfs.http.message import Answer, Request
from cloudfs.settings.secret import Secret

_DESKTOP = "ubuntuone:hammertime"
"""The consumer of Canonical's own clients, whose tokens u1sync took."""
_NEVER = 32503680000.0
"""The year 3000: these tokens do not end by themselves."""
_PING = "/oauth/sso-finished-so-get-tokens/"


class OneTimePasswordNeeded(SignInRequired):
    """Right so far; now the second factor."""


def configured(remote: Remote) -> Credentials | None:
    """From the settings ``oauth`` and ``consumer``; None without the former. May block; raises `UsageError`."""
    pair = find_secret(remote, "oauth")
    return None if pair is None else pasted(remote, pair)


def pasted(remote: Remote, pair: Secret) -> Credentials:
    """A token that somebody has, of the consumer in the settings. May block; raises `UsageError`.

    ``TOKEN:SECRET``, or as the keyring of the desktop client had it: ``oauth_token=...&oauth_token_secret=...``.
    """
    consumer = find_secret(remote, "consumer") or Secret(_DESKTOP)
    fields = dict(parse_qsl(pair.reveal()))
    if {"oauth_token", "oauth_token_secret"} <= set(fields):
        pair = Secret(f"{fields['oauth_token']}:{fields['oauth_token_secret']}")
    return Credentials(*_halves(remote, "consumer", consumer), *_halves(remote, "oauth", pair))


async def stored(remote: Remote, home: TokenHome) -> Credentials:
    """From the last `cloudfs login`. Raises `SignInRequired`."""
    token = await home.load()
    if token is None:
        raise SignInRequired(f"nobody is signed in; run: cloudfs login {remote.name}")
    try:
        consumer, consumer_secret, token_secret = json.loads(token.refresh)
        return Credentials(str(consumer), str(consumer_secret), token.access, str(token_secret))
    except (ValueError, TypeError):
        raise SignInRequired(f"the stored sign-in is damaged; run: cloudfs login {remote.name}") from None


def as_token(credentials: Credentials, email: str) -> Token:
    """The credentials in the form in which a `TokenHome` keeps them; all secrets are where it keeps secrets."""
    secrets = json.dumps([credentials.consumer, credentials.consumer_secret, credentials.token_secret])
    return Token(credentials.token, secrets, _NEVER, facts={"account": email})


class UbuntuSso:
    """``url`` is that of SSO; ``calls`` stays its owner's. ``machine`` names this computer in the account."""

    def __init__(self, url: str, calls: Calls, machine: str) -> None:
        self._url = url.rstrip("/")
        self._calls = calls
        self._name = f"Ubuntu One @ {machine}"

    async def sign_in(self, email: str, password: Secret, otp: str = "") -> Credentials:
        """`OneTimePasswordNeeded`; `SignInRequired` if what was typed is wrong; `AccessDenied` for a closed account."""
        asked = {"email": email, "password": password.reveal(), "token_name": self._name}
        body = json.dumps({**asked, "otp": otp} if otp else asked).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = Request("POST", f"{self._url}/api/v2/tokens/oauth", headers, body, "Ubuntu SSO")
        answer = await self._calls.send(request)
        if answer.status == 404:
            return await self._sign_in_first(email, password)
        found = _json(answer)
        if not answer.succeeded:
            raise _refusal(answer, found)
        return _credentials(found, "token_key")

    async def _sign_in_first(self, email: str, password: Secret) -> Credentials:
        """By the API before. Its tokens have to be announced, with `announcement`."""
        pair = base64.b64encode(f"{email}:{password.reveal()}".encode()).decode()
        url = f"{self._url}/api/1.0/authentications?ws.op=authenticate&token_name={quote(self._name)}"
        headers = {"Authorization": f"Basic {pair}", "Accept": "application/json"}
        answer = await self._calls.send(Request("GET", url, headers, what="Ubuntu SSO"))
        if answer.status == 401:
            raise SignInRequired("wrong e-mail or password")
        if not answer.succeeded:
            raise BrokenAnswer(f"Ubuntu SSO: {answer.status} {answer.text()}")
        return _credentials(_json(answer), "token")


def announcement(api_url: str, email: str) -> Request:
    """What tells Ubuntu One to fetch a new token from SSO; to be signed with that token."""
    return Request("GET", f"{api_url.rstrip('/')}{_PING}{quote(email, safe='@')}", what="Ubuntu One")


def _credentials(found: Mapping[str, Any], token: str) -> Credentials:
    try:
        return Credentials(
            str(found["consumer_key"]), str(found["consumer_secret"]), str(found[token]), str(found["token_secret"])
        )
    except KeyError as error:
        raise BrokenAnswer(f"Ubuntu SSO: no {error} in the answer") from None


def _refusal(answer: Answer, found: Mapping[str, Any]) -> Exception:
    code, message = str(found.get("code", "")), str(found.get("message", "")) or answer.text()
    if code == "TWOFACTOR_REQUIRED":
        return OneTimePasswordNeeded("a one-time password is needed")
    if code in ("INVALID_CREDENTIALS", "TWOFACTOR_FAILURE", "INVALID_DATA") or answer.status == 401:
        return SignInRequired(f"Ubuntu SSO: {message}")
    return AccessDenied(f"Ubuntu SSO: {message} ({code or answer.status})")


def _json(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BrokenAnswer(f"Ubuntu SSO: an answer that makes no sense ({answer.status})")
    return found


def _halves(remote: Remote, name: str, secret: Secret) -> tuple[str, str]:
    first, colon, second = secret.reveal().partition(":")
    if not first or not colon or not second:
        raise UsageError(f"remote {remote.name}: {name} is two words with a colon between them")
    return first, second
