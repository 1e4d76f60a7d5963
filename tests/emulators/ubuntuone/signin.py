"""login.ubuntu.com: tokens by e-mail and password; and the ping that makes Ubuntu One fetch one."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime

from tests.emulators.serving import Answer, Request
from tests.emulators.ubuntuone.signing import Key, Keys

EMAIL, PASSWORD, OTP = "ann@example.org", "correct horse", "123456"


class SignIn:
    """``two_factors`` asks for `OTP` as well."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._names: dict[str, Key] = {}
        self.two_factors = False
        self.has_v2 = True
        self.refusal: tuple[int, str] | None = None

    def key(self, name: str, *, is_known: bool) -> tuple[Key, bool]:
        """The one of that name, and whether it is new."""
        present = self._names.get(name)
        if present is not None and present.token in self._keys.keys:
            return present, False
        key = Key(_letters(7), _letters(30), _letters(50), _letters(50), is_known)
        self._keys.keys[key.token] = self._names[name] = key
        return key, True

    async def answer(self, request: Request) -> Answer:
        if request.path == "/api/1.0/authentications" and request.method == "GET":
            return self._first(request)
        if request.path == "/api/v2/tokens/oauth" and request.method == "POST" and self.has_v2:
            return self._second(await request.read())
        return Answer.json(404, {"code": "RESOURCE_NOT_FOUND", "message": "no such resource"})

    def _first(self, request: Request) -> Answer:
        pair = base64.b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode()
        name = request.query.get("token_name", "")
        if request.query.get("ws.op") != "authenticate" or request.headers.get("authorization") != f"Basic {pair}":
            return Answer(401)
        # A name of another form is not one of a machine of Ubuntu One, which never learns of the token.
        key, _ = self.key(name, is_known=False)
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        return Answer.json(
            200,
            {
                "consumer_key": key.consumer,
                "consumer_secret": key.consumer_secret,
                "token": key.token,
                "token_secret": key.token_secret,
                "name": name,
                "created": stamp,
                "updated": stamp,
            },
        )

    def _second(self, body: bytes) -> Answer:
        if self.refusal is not None:
            return _refused(*self.refusal)
        try:
            asked = json.loads(body)
        except ValueError:
            return _refused(400, "INVALID_DATA")
        missing = {name: ["Field required"] for name in ("email", "password", "token_name") if not asked.get(name)}
        if missing:
            return Answer.json(400, {"code": "INVALID_DATA", "message": "Invalid request data", "extra": missing})
        if (asked["email"], asked["password"]) != (EMAIL, PASSWORD):
            return _refused(401, "INVALID_CREDENTIALS")
        if self.two_factors and "otp" not in asked:
            return _refused(401, "TWOFACTOR_REQUIRED")
        if self.two_factors and asked["otp"] != OTP:
            return _refused(403, "TWOFACTOR_FAILURE")
        key, new = self.key(asked["token_name"], is_known=True)
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        return Answer.json(
            201 if new else 200,
            {
                "href": f"/api/v2/tokens/oauth/{key.token}",
                "token_key": key.token,
                "token_secret": key.token_secret,
                "token_name": asked["token_name"],
                "consumer_key": key.consumer,
                "consumer_secret": key.consumer_secret,
                "date_created": stamp,
                "date_updated": stamp,
            },
        )


def _letters(count: int) -> str:
    return "".join(secrets.choice("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(count))


def _refused(status: int, code: str) -> Answer:
    return Answer.json(status, {"code": code, "message": code.replace("_", " ").lower(), "extra": {}})
