"""One application, one user, and the tokens that were given out: what is valid, for how long, and where."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CLIENT_ID = "api_hubic_0123456789abcdef0123456789abcdef"
CLIENT_SECRET = "S3cr3tOfTheApplication"
REDIRECT = "http://localhost:53682/"
LOGIN, PASSWORD = "ann@example.org", "correct horse"


@dataclass
class Settings:
    """What can be switched while it runs. Lives are in seconds."""

    access_life: float = 21600.0
    swift_life: float = 86400.0
    refusal: int = 401
    """What the storage says to a token that is not valid: 401 or 403."""
    same_token: bool = False
    """Give out the same Swift token again as long as it lives, even after it was revoked."""
    host: str = "127.0.0.1"
    """Of the storage: another one is another server, which knows no token of the one before."""
    failures: float = 0.0
    """Share of the questions for credentials that fail with 5xx."""
    quota: int = 25_000_000_000
    used: int = 0
    scope: str = "usage.r,account.r,credentials.r"
    """What the user allows, whatever the application asks for."""


@dataclass
class SwiftToken:
    host: str
    expires_at: float


@dataclass
class Accounts:
    """Everything is lost when it ends, but the refresh token if there is a file to keep it in."""

    now: Callable[[], float]
    settings: Settings = field(default_factory=Settings)
    refresh: str = ""
    codes: dict[str, str] = field(default_factory=dict)
    """Codes that were not used yet, with their scope."""
    access: dict[str, float] = field(default_factory=dict)
    """Access tokens, and when they end."""
    granted: str = ""
    swift: dict[str, SwiftToken] = field(default_factory=dict)
    last: str = ""
    kept: Path | None = None

    def __post_init__(self) -> None:
        if self.kept is not None and self.kept.exists():
            self.refresh, self.granted = json.loads(self.kept.read_text())

    def new_code(self, asked: str) -> str:
        """For what both the application wants and the user allows."""
        allowed = self.settings.scope.split(",")
        code = secrets.token_hex(16)
        self.codes[code] = ",".join(each for each in asked.split(",") if each in allowed)
        return code

    def use_code(self, code: str) -> tuple[str, str] | None:
        """Access and refresh token; None for a code that was used. A refresh token from before is dead now."""
        scope = self.codes.pop(code, None)
        if scope is None:
            return None
        self.granted = scope
        self.refresh = secrets.token_hex(32)
        self.access.clear()
        if self.kept is not None:
            self.kept.write_text(json.dumps([self.refresh, self.granted]))
        return self.new_access(), self.refresh

    def new_access(self) -> str:
        token = secrets.token_hex(32)
        self.access[token] = self.now() + self.settings.access_life
        return token

    def may(self, token: str, scope: str) -> bool | None:
        """None for a token that is not valid."""
        if self.now() >= self.access.get(token, 0.0):
            return None
        return scope in self.granted.split(",")

    def swift_token(self) -> tuple[str, float]:
        """The token for the storage, and when it ends; a new one each time the old one is no good."""
        known = self.swift.get(self.last)
        usable = known is not None and known.host == self.settings.host and self.now() < known.expires_at
        if not usable and not (self.settings.same_token and known is None and self.last):
            self.last = secrets.token_hex(16)
            self.swift[self.last] = SwiftToken(self.settings.host, self.now() + self.settings.swift_life)
        token = self.swift.get(self.last)
        return self.last, token.expires_at if token else self.now() + self.settings.swift_life

    def opens(self, token: str, host: str) -> bool:
        """Whether the storage at ``host`` takes the token."""
        known = self.swift.get(token)
        return known is not None and known.host == host and self.now() < known.expires_at

    def expire(self, what: str) -> None:
        """End all tokens of a kind before their time: ``access``, ``swift`` or ``refresh``."""
        if what == "access":
            self.access.clear()
        elif what == "swift":
            self.swift.clear()
        elif what == "refresh":
            self.refresh = ""
            self.access.clear()
        else:
            raise ValueError(f"there are no tokens called {what}")
