"""Microsoft's sign-in: authorize, device code, token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.emulators.onedrive.accounts import Accounts
from tests.emulators.onedrive.database import Database
from tests.emulators.serving import Answer, Request

CLIENT_ID = "00000000-1111-2222-3333-444444444444"
REDIRECTS = (
    "https://login.microsoftonline.com/common/oauth2/nativeclient",
    "https://login.live.com/oauth20_desktop.srf",
    "http://localhost",
)
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_CODE_SECONDS = 600.0
_PAGE = b'<form method="post"><label>Code <input name="code"></label> <button>Next</button></form>\n'


class No(Exception):
    """How the token endpoint refuses: an RFC 6749 word and Microsoft's own text."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.answer = Answer.json(
            status,
            {
                "error": error,
                "error_description": f"{description}\r\nTrace ID: 0\r\nTimestamp: 2026-01-01 00:00:00Z",
                "error_codes": [70000],
                "trace_id": "0",
            },
        )


class SignIn:
    """Who opens the page of a sign-in has agreed, and so has who types a device code.

    There are no such codes for personal accounts, nor for anybody if ``/control/policy`` says so.
    """

    def __init__(self, database: Database, accounts: Accounts, url: str) -> None:
        self._database = database
        self._accounts = accounts
        self._url = url
        self.interval = 1

    async def handle(self, request: Request) -> Answer:
        if request.path == "/devicelogin":
            return await self._type_code(request)
        _, tenant, rest = [*request.path.split("/", 2), ""][:3]
        try:
            if (request.method, rest) == ("GET", "oauth2/v2.0/authorize"):
                return self._authorize(request.query)
            form = await self._form(request)
            if rest == "oauth2/v2.0/devicecode":
                return self._device(tenant, form)
            if rest == "oauth2/v2.0/token":
                return Answer.json(200, self._token(form))
        except No as no:
            return no.answer
        return Answer(404)

    async def _form(self, request: Request) -> dict[str, str]:
        if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise No("invalid_request", "AADSTS900144: The request body must be a form.")
        form = await request.form()
        if form.get("client_id") != CLIENT_ID:
            raise No("unauthorized_client", "AADSTS700016: There is no such application.", 400)
        return form

    # --- browsers ----------------------------------------------------------------------------------------------------

    def _authorize(self, query: Mapping[str, str]) -> Answer:
        redirect = query.get("redirect_uri", "")
        if query.get("client_id") != CLIENT_ID or not redirect.startswith(REDIRECTS):
            return Answer(400, b"AADSTS50011: The redirect URI does not match.")
        state = {"state": query["state"]} if "state" in query else {}
        if query.get("response_type") != "code" or "offline_access" not in query.get("scope", ""):
            refused = {"error": "invalid_request", "error_description": "the request is not understood", **state}
            return Answer(302, headers={"Location": f"{redirect}?{urlencode(refused)}"})
        account = query.get("login_hint") or self._accounts.only()
        code = self._accounts.issue(
            account,
            "code",
            _CODE_SECONDS,
            redirect=redirect,
            challenge=query.get("code_challenge", ""),
            method=query.get("code_challenge_method", ""),
        )
        return Answer(302, headers={"Location": f"{redirect}?{urlencode({'code': code, **state})}"})

    # --- device codes ------------------------------------------------------------------------------------------------

    def _device(self, tenant: str, form: Mapping[str, str]) -> Answer:
        if not self._accounts.policy.device_code or tenant == "consumers":
            raise No("invalid_client", "AADSTS70002: The application must be marked as 'mobile'.", 401)
        user_code = secrets.token_hex(4).upper()
        code = self._accounts.issue("", "device", 900.0, user_code=user_code)
        found = {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": f"{self._url}/devicelogin",
            "expires_in": 900,
            "interval": self.interval,
            "message": f"Enter {user_code}",
        }
        return Answer.json(200, found)

    async def _type_code(self, request: Request) -> Answer:
        """The page where a person types the code; ``curl -d code=1A2B3C4D URL/devicelogin`` does as well."""
        if request.method != "POST":
            return Answer(200, _PAGE, {"Content-Type": "text/html; charset=utf-8"})
        known = self.approve((await request.form()).get("code", "").strip().upper(), None)
        return Answer(200, b"You have signed in.\n") if known else Answer(400, b"That code did not work.\n")

    def approve(self, user_code: str, account: str | None, *, decline: bool = False) -> bool:
        """The person types the code; whether there is such a code."""
        for row in self._database.all("SELECT * FROM token WHERE what = 'device' AND NOT spent"):
            extra = json.loads(row["extra"])
            if extra["user_code"] == user_code:
                extra["declined"] = decline
                self._database.do(
                    "UPDATE token SET account = ?, extra = ? WHERE secret = ?",
                    account or self._accounts.only(),
                    json.dumps(extra),
                    row["secret"],
                )
                return True
        return False

    def waiting(self) -> list[str]:
        """Codes that nobody has typed yet."""
        rows = self._database.all("SELECT * FROM token WHERE what = 'device' AND account = '' AND NOT spent")
        return [json.loads(row["extra"])["user_code"] for row in rows]

    # --- tokens ------------------------------------------------------------------------------------------------------

    def _token(self, form: Mapping[str, str]) -> dict[str, Any]:
        self._check_secret(form)
        grant = form.get("grant_type")
        if grant == "authorization_code":
            return self._redeem(form)
        if grant == "refresh_token":
            return self._refresh(form)
        if grant == _DEVICE:
            return self._poll(form)
        raise No("unsupported_grant_type", "AADSTS70003: The grant type is not supported.")

    def _check_secret(self, form: Mapping[str, str]) -> None:
        secret = self._accounts.policy.secret
        if not secret and "client_secret" in form:
            raise No("invalid_client", "AADSTS90023: Public clients can't send a client secret.", 401)
        if secret and form.get("client_secret") != secret:
            raise No("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)

    def _redeem(self, form: Mapping[str, str]) -> dict[str, Any]:
        found = self._accounts.find(form.get("code", ""), "code")
        if found is None:
            raise No("invalid_grant", "AADSTS70000: The code is used, expired, or not ours.")
        self._accounts.spend(found["secret"])
        extra = json.loads(found["extra"])
        if form.get("redirect_uri") != extra["redirect"]:
            raise No("invalid_grant", "AADSTS500112: The redirect URI is another one than before.")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if extra["challenge"] and not hmac.compare_digest(challenge, extra["challenge"]):
            raise No("invalid_grant", "AADSTS501481: The code_verifier does not match the code_challenge.")
        return self._accounts.grant(found["account"])

    def _refresh(self, form: Mapping[str, str]) -> dict[str, Any]:
        found = self._accounts.find(form.get("refresh_token", ""), "refresh")
        if found is None:
            raise No("invalid_grant", "AADSTS700082: The refresh token has expired or was revoked.")
        granted = self._accounts.grant(found["account"])
        if not self._accounts.policy.rotate:
            self._accounts.spend(granted.pop("refresh_token"))
        elif self._accounts.policy.spend:
            self._accounts.spend(found["secret"])
        return granted

    def _poll(self, form: Mapping[str, str]) -> dict[str, Any]:
        row = self._database.one(
            "SELECT * FROM token WHERE secret = ? AND what = 'device' AND NOT spent", form.get("device_code", "")
        )
        if row is None:
            raise No("bad_verification_code", "AADSTS70020: The device code is not ours.")
        if row["expires"] < time.time():
            raise No("expired_token", "AADSTS70020: The code has expired.")
        if not row["account"]:
            raise No("authorization_pending", "AADSTS70016: The user has not finished yet.")
        self._accounts.spend(row["secret"])
        if json.loads(row["extra"]).get("declined"):
            raise No("authorization_declined", "AADSTS70017: The user declined.")
        return self._accounts.grant(row["account"])
