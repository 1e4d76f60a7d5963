"""api.hubic.com: consent, tokens, credentials, usage."""

from __future__ import annotations

import base64
import binascii
import hmac
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta, timezone
from email import message_from_bytes
from email.message import Message
from urllib.parse import parse_qs, quote, urlencode

from tests.emulators.hubic.accounts import CLIENT_ID, CLIENT_SECRET, LOGIN, PASSWORD, REDIRECT, Accounts
from tests.emulators.serving import Answer, Request

_FORM = """<!DOCTYPE html><html><body><form method="post" action="/oauth/auth/">
<input type="hidden" name="oauth" value="{number}"><input type="hidden" name="action" value="accepted">
{scopes}<input name="login"><input name="user_pwd" type="password"><p class="{mark}">{text}</p></form></body></html>"""
_PARIS = timezone(timedelta(hours=2))


class Api:
    """Answers everything but the storage, which is on ``port``. ``chance`` decides which questions fail.

    ``measure`` tells how many bytes the storage holds, which are used besides those that the settings say.
    """

    def __init__(
        self,
        accounts: Accounts,
        chance: random.Random,
        port: int,
        *,
        auto_accept: bool,
        measure: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._accounts = accounts
        self._chance = chance
        self._auto_accept = auto_accept
        self._pending: dict[str, Mapping[str, str]] = {}
        self._port = port
        self._measure = measure

    async def answer(self, request: Request) -> Answer:
        match request.method, request.path.rstrip("/"):
            case "GET", "/oauth":
                return Answer(301, headers={"Location": "/oauth/"})
            case "GET", "/oauth/auth":
                return self._consent(request.query)
            case "POST", "/oauth/auth":
                return self._decide(parse_qs((await request.read()).decode(), keep_blank_values=True))
            case "POST", "/oauth/token":
                return await self._token(request)
            case "GET", "/1.0/account/credentials":
                return self._guarded(request, "credentials.r") or self._credentials()
            case "GET", "/1.0/account/usage":
                return self._guarded(request, "usage.r") or await self._usage(request)
            case "GET", "/1.0/account":
                return self._guarded(request, "account.r") or Answer.json(200, {"email": LOGIN})
        return _refused(404, "not_found", "no such thing")

    # --- consent -----------------------------------------------------------------------------------------------------

    def _consent(self, query: Mapping[str, str]) -> Answer:
        if query.get("client_id") != CLIENT_ID or query.get("redirect_uri") != REDIRECT:
            return _redirect(query, error="invalid_client", error_description="unknown client or redirection")
        if query.get("response_type") != "code":
            return _redirect(query, error="unsupported_response_type", error_description="response_type=code only")
        if self._auto_accept:
            return _redirect(query, code=self._accounts.new_code(query.get("scope", "")), scope=query.get("scope", ""))
        number = str(self._chance.randrange(10**6, 10**7))
        self._pending[number] = query
        return _page(200, self._form(number, query, "", ""))

    def _decide(self, form: Mapping[str, list[str]]) -> Answer:
        number = form.get("oauth", [""])[0]
        query = self._pending.get(number)
        if query is None:
            return _page(412, "this form is not valid any more")
        if form.get("action") != ["accepted"]:
            return _redirect(query, error="access_denied", error_description="the user refused")
        if form.get("login") != [LOGIN] or form.get("user_pwd") != [PASSWORD]:
            return _page(200, self._form(number, query, "text-error", "wrong login or password"))
        del self._pending[number]
        agreed = ",".join(
            f"{name}.{''.join(rights)}" for name, rights in form.items() if set("".join(rights)) <= set("rwd")
        )
        wanted = ",".join(each for each in query.get("scope", "").split(",") if each in agreed.split(","))
        return _redirect(query, code=self._accounts.new_code(wanted), scope=wanted)

    def _form(self, number: str, query: Mapping[str, str], mark: str, text: str) -> str:
        asked = [scope.partition(".") for scope in query.get("scope", "").split(",") if scope]
        boxes = "".join(f'<input type="checkbox" name="{name}" value="{rights}" checked>' for name, _, rights in asked)
        return _FORM.format(number=number, scopes=boxes, mark=mark, text=text)

    # --- tokens ------------------------------------------------------------------------------------------------------

    async def _token(self, request: Request) -> Answer:
        form = _fields(await request.read(), request.headers.get("content-type", ""))
        if not _is_application(request.headers.get("authorization", ""), form):
            return _refused(401, "invalid_client", "unknown client or wrong secret")
        life = int(self._accounts.settings.access_life) or 1
        common = {"expires_in": life, "token_type": "Bearer"}
        if form.get("grant_type") == "authorization_code":
            if form.get("redirect_uri") != REDIRECT:
                return _refused(400, "invalid_request", "redirect_uri is not the one of the request")
            found = self._accounts.use_code(form.get("code", ""))
            if found is None:
                return _refused(400, "invalid_grant", "invalid code")
            return Answer.json(200, {"access_token": found[0], "refresh_token": found[1], **common})
        if form.get("grant_type") == "refresh_token":
            if not self._accounts.refresh or form.get("refresh_token") != self._accounts.refresh:
                return _refused(400, "invalid_grant", "invalid refresh token")
            # No new refresh token: the old one stays good.
            return Answer.json(200, {"access_token": self._accounts.new_access(), **common})
        return _refused(400, "unsupported_grant_type", "grant_type is missing or unknown")

    # --- the account -------------------------------------------------------------------------------------------------

    def _guarded(self, request: Request, scope: str) -> Answer | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        allowed = self._accounts.may(token, scope) if kind == "Bearer" else None
        if allowed is None:
            return _refused(401, "invalid_token", "expired or unknown access token")
        return None if allowed else _refused(403, "insufficient_scope", f"{scope} was not granted")

    def _credentials(self) -> Answer:
        if self._chance.random() < self._accounts.settings.failures:
            return Answer(self._chance.choice([500, 502, 503]), b"<html>oops</html>", {"Content-Type": "text/html"})
        endpoint, token, expires = self.credentials()
        headers = {"Content-Type": "application/json; charset=utf8"}
        return Answer.json(200, {"token": token, "endpoint": endpoint, "expires": expires}, headers)

    def credentials(self) -> tuple[str, str, str]:
        """The address of the storage, a token for it, and when that ends."""
        token, expires_at = self._accounts.swift_token()
        expires = datetime.fromtimestamp(expires_at, _PARIS).isoformat(timespec="seconds")
        host = self._accounts.settings.host
        return f"http://{host}:{self._port}/v1/AUTH_{'0123456789abcdef' * 2}", token, expires

    async def _usage(self, request: Request) -> Answer:
        if "format" in request.query:
            return Answer(500, b"oops")
        settings = self._accounts.settings
        used = settings.used + (await self._measure() if self._measure else 0)
        return Answer.json(200, {"quota": settings.quota, "used": used})


def _redirect(query: Mapping[str, str], **answer: str) -> Answer:
    target = query.get("redirect_uri") or REDIRECT
    more = urlencode({**answer, **({"state": query["state"]} if "state" in query else {})}, quote_via=quote)
    return Answer(302, headers={"Location": f"{target}{'&' if '?' in target else '?'}{more}"})


def _page(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


def _refused(status: int, error: str, description: str) -> Answer:
    return Answer.json(status, {"error": error, "error_description": description})


def _is_application(authorization: str, form: Mapping[str, str]) -> bool:
    """Both ways of RFC 6749, section 2.3.1, are good."""
    kind, _, encoded = authorization.partition(" ")
    try:
        basic = base64.b64decode(encoded, validate=True).decode() if kind == "Basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        return False
    given = basic or f"{form.get('client_id', '')}:{form.get('client_secret', '')}"
    return hmac.compare_digest(given.encode(), f"{CLIENT_ID}:{CLIENT_SECRET}".encode())


def _fields(body: bytes, content_type: str) -> dict[str, str]:
    """Of a form, urlencoded or multipart."""
    if not content_type.startswith("multipart/form-data"):
        return {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = [part for part in message.walk() if not part.is_multipart()]
    return {_name(part): bytes(part.get_payload(decode=True) or b"").decode() for part in parts}


def _name(part: Message) -> str:
    return str(part.get_param("name", header="content-disposition"))
