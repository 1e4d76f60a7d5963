"""People, what they have signed in with, and the drives they own."""

from __future__ import annotations

import base64
import json
import secrets
import sqlite3
import time
import uuid
from dataclasses import dataclass
from typing import Any

from tests.emulators.onedrive.database import Database
from tests.emulators.onedrive.refusals import Refusal, not_found

ACCESS_SECONDS = 3600.0
REFRESH_SECONDS = 90 * 86400.0


@dataclass
class Policy:
    """How tokens are treated, changed by ``/control/policy``."""

    access_seconds: float = ACCESS_SECONDS
    rotate: bool = True
    """Each refresh brings a new refresh token."""
    spend: bool = False
    """The old one is void at once."""
    device_code: bool = True
    secret: str = ""
    """What a confidential application has to show; a public one must not send any."""


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database
        self.policy = Policy()

    # --- people and drives -------------------------------------------------------------------------------------------

    def add(self, name: str, kind: str) -> str:
        account = uuid.uuid4().hex
        self._database.do("INSERT INTO account VALUES (?, ?, ?)", account, name, kind)
        return account

    def add_drive(self, account: str, kind: str, name: str = "OneDrive", total: int = 5 << 40, page: int = 1000) -> str:
        """A drive with an empty root; its id."""
        drive = secrets.token_hex(8).upper() if kind == "personal" else "b!" + secrets.token_urlsafe(24)
        self._database.do(
            "INSERT INTO drive (id, account, kind, name, total, page) VALUES (?, ?, ?, ?, ?, ?)",
            drive,
            account,
            kind,
            name,
            total,
            page,
        )
        now = stamp()
        self._database.do(
            "INSERT INTO item (id, drive, name, folded, kind, guid, created, modified, client_created, client_modified,"
            " seq) VALUES (?, ?, 'root', 'root', 'root', ?, ?, ?, ?, ?, 0)",
            new_id(drive, kind),
            drive,
            str(uuid.uuid4()),
            now,
            now,
            now,
            now,
        )
        return drive

    def account(self, account: str) -> sqlite3.Row:
        found = self._database.one("SELECT * FROM account WHERE id = ?", account)
        if found is None:
            raise not_found()
        return found

    def only(self) -> str:
        """Whoever signs in where nobody says who: the newest account."""
        found = self._database.one("SELECT id FROM account ORDER BY rowid DESC")
        if found is None:
            raise not_found("There is no account; make one with /control/accounts.")
        return str(found["id"])

    def drives(self, account: str) -> list[sqlite3.Row]:
        return self._database.all("SELECT * FROM drive WHERE account = ? ORDER BY rowid", account)

    def drive(self, account: str, drive: str) -> sqlite3.Row:
        """One's own drive; ids are taken in any case, as for personal accounts they come in any."""
        found = self._database.one("SELECT * FROM drive WHERE id = ? COLLATE NOCASE", drive)
        if found is None:
            raise not_found()
        if found["account"] != account:
            raise Refusal(403, "accessDenied", "Access denied")
        return found

    # --- tokens ------------------------------------------------------------------------------------------------------

    def issue(self, account: str, what: str, seconds: float, **extra: Any) -> str:
        secret = secrets.token_urlsafe(96 if what == "access" else 48)
        self._database.do(
            "INSERT INTO token (secret, account, what, expires, extra) VALUES (?, ?, ?, ?, ?)",
            secret,
            account,
            what,
            time.time() + seconds,
            json.dumps(extra),
        )
        return secret

    def find(self, secret: str, what: str) -> sqlite3.Row | None:
        """A token that is good."""
        return self._database.one(
            "SELECT * FROM token WHERE secret = ? AND what = ? AND expires > ? AND NOT spent", secret, what, time.time()
        )

    def spend(self, secret: str) -> None:
        self._database.do("UPDATE token SET spent = 1 WHERE secret = ?", secret)

    def grant(self, account: str) -> dict[str, Any]:
        """What the token endpoint answers."""
        policy = self.policy
        return {
            "token_type": "Bearer",
            "scope": "Files.ReadWrite.All offline_access",
            "expires_in": int(policy.access_seconds),
            "access_token": self.issue(account, "access", policy.access_seconds),
            "refresh_token": self.issue(account, "refresh", REFRESH_SECONDS),
        }

    def revoke(self, what: str, account: str | None = None) -> int:
        """All tokens of a kind are void from now on; how many there were."""
        return self._database.do(
            "UPDATE token SET spent = 1 WHERE what = ? AND NOT spent AND (? IS NULL OR account = ?)",
            what,
            account,
            account,
        )

    def who(self, authorization: str) -> str:
        """The account of a request to Graph."""
        scheme, _, secret = authorization.partition(" ")
        found = self.find(secret, "access") if scheme.lower() == "bearer" else None
        if found is None:
            challenge = {
                "WWW-Authenticate": 'Bearer realm="", error="invalid_token", error_description="expired_token"'
            }
            message = "Access token has expired or is not yet valid." if secret else "Access token is empty."
            raise Refusal(401, "InvalidAuthenticationToken", message, headers=challenge)
        return str(found["account"])


def new_id(drive: str, kind: str) -> str:
    """As each kind of drive writes them."""
    if kind == "personal":
        return f"{drive}!s{uuid.uuid4().hex}"
    return "01" + base64.b32encode(secrets.token_bytes(20)).decode()


def stamp(seconds: float | None = None) -> str:
    """Server time, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
