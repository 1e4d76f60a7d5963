"""OAuth 1.0a on the server's side, written from RFC 5849 and not with the library that signs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

from tests.emulators.serving import Request

_SKEW = 300.0
_PAIR = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class Key:
    """One machine of the user. ``is_known``: the file service has fetched the token from SSO."""

    consumer: str
    consumer_secret: str
    token: str
    token_secret: str
    is_known: bool = False


@dataclass
class Keys:
    now: Callable[[], float]
    keys: dict[str, Key] = field(default_factory=dict)
    nonces: set[tuple[str, str]] = field(default_factory=set)
    methods: tuple[str, ...] = ("PLAINTEXT", "HMAC-SHA1")

    def check(self, request: Request, scheme: str = "http") -> Key | str:
        """Whose request it is, or what is wrong with its signature."""
        given = self._given(request)
        key = self.keys.get(given.get("oauth_token", ""))
        if key is None or given.get("oauth_consumer_key") != key.consumer:
            return "unknown token or consumer"
        if given.get("oauth_version", "1.0") != "1.0" or given.get("oauth_signature_method") not in self.methods:
            return "unknown version or signature method"
        stamp, nonce = given.get("oauth_timestamp", ""), given.get("oauth_nonce", "")
        if not stamp.isdecimal() or abs(int(stamp) - self.now()) > _SKEW:
            return "timestamp out of range"
        if not nonce or (stamp, nonce) in self.nonces:
            return "nonce used before"
        if not hmac.compare_digest(_signature(request, given, key, scheme), given.get("oauth_signature", "")):
            return "wrong signature"
        self.nonces.add((stamp, nonce))
        return key

    @staticmethod
    def _given(request: Request) -> dict[str, str]:
        kind, _, pairs = request.headers.get("authorization", "").partition(" ")
        if kind == "OAuth":
            return {name: unquote(value) for name, value in _PAIR.findall(pairs) if name != "realm"}
        return {name: value for name, value in request.query.items() if name.startswith("oauth_")}


def _signature(request: Request, given: dict[str, str], key: Key, scheme: str) -> str:
    secrets = f"{_encoded(key.consumer_secret)}&{_encoded(key.token_secret)}"
    if given["oauth_signature_method"] == "PLAINTEXT":
        return secrets
    path, _, query = request.target.partition("?")
    pairs = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in given]
    pairs += [(name, value) for name, value in given.items() if name != "oauth_signature"]
    joined = "&".join(f"{name}={value}" for name, value in sorted((_encoded(n), _encoded(v)) for n, v in pairs))
    host = request.headers.get("host", "").lower().removesuffix(":80" if scheme == "http" else ":443")
    base = "&".join([request.method, _encoded(f"{scheme}://{host}{path}"), _encoded(joined)])
    return base64.b64encode(hmac.digest(secrets.encode(), base.encode(), hashlib.sha1)).decode()


def _encoded(text: str) -> str:
    return quote(text, safe="~")
