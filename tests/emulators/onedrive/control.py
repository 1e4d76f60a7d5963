"""``/control``: what tests tell the emulator, and what they ask it. Every body and answer is JSON.

``POST accounts``          ``kind``, ``name``, ``total``, ``page``, ``library``: a new account, with tokens and a stanza
``POST trouble``           an `Order`; ``DELETE trouble`` forgets all of them
``GET counts``             requests by kind, bytes, troubles that happened; ``DELETE counts`` begins again
``POST policy``            fields of `Policy`, and ``hashes``, ``download_seconds``, ``interval``
``POST revoke``            ``what`` (access or refresh), ``account``
``POST approve``           ``user_code`` (or the only one that waits), ``account``, ``decline``
``POST expire``            ``what``: sessions, downloads or feed
``POST quota``             ``drive``, ``total``
``POST files``             ``drive``, ``folder``, ``count``: a folder in the root with so many empty files
``GET sessions``           of each: name, total, received, arrived
``GET secrets``            every token and code that was ever given out
``GET tree``               all items, as plain rows with their paths (``?drive=``)
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from tests.emulators.onedrive.accounts import Accounts, Policy
from tests.emulators.onedrive.database import Database
from tests.emulators.onedrive.downloads import Downloads
from tests.emulators.onedrive.items import Items
from tests.emulators.onedrive.rows import Rows
from tests.emulators.onedrive.signin import CLIENT_ID, SignIn
from tests.emulators.onedrive.uploads import Uploads
from tests.emulators.serving import Answer, Request
from tests.emulators.trouble import Order, Trouble

TENANTS = {"personal": "consumers", "business": "organizations"}
"""Where each kind of account signs in."""


class Control:
    def __init__(
        self,
        database: Database,
        accounts: Accounts,
        items: Items,
        rows: Rows,
        sign_in: SignIn,
        uploads: Uploads,
        downloads: Downloads,
        trouble: Trouble,
        url: str,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._items = items
        self._rows = rows
        self._sign_in = sign_in
        self._uploads = uploads
        self._downloads = downloads
        self._trouble = trouble
        self._url = url

    async def handle(self, request: Request) -> Answer:
        what = request.path.removeprefix("/control/")
        method = getattr(self, f"_{request.method.lower()}_{what}", None)
        if method is None:
            return Answer.json(404, {"error": f"there is no {request.method} {what}"})
        arguments = dict(request.query) | json.loads(await request.read() or b"{}")
        try:
            return Answer.json(200, method(**arguments))
        except (TypeError, ValueError, KeyError) as error:
            return Answer.json(400, {"error": str(error)})

    def _post_accounts(
        self, kind: str = "personal", name: str = "someone@example.com", library: bool = False, **drive: Any
    ) -> object:
        account = self._accounts.add(name, kind)
        found = self._accounts.add_drive(account, kind, **drive)
        libraries = [self._accounts.add_drive(account, "documentLibrary", "Documents", **drive)] if library else []
        granted = self._accounts.grant(account)
        return {
            "account": account,
            "drive": found,
            "libraries": libraries,
            "access_token": granted["access_token"],
            "refresh_token": granted["refresh_token"],
            "stanza": stanza(self._url, TENANTS[kind]),
        }

    def _post_trouble(self, **order: Any) -> object:
        self._trouble.orders.append(Order(**order))
        return {}

    def _delete_trouble(self) -> object:
        self._trouble.orders.clear()
        return {}

    def _get_counts(self) -> object:
        trouble = self._trouble
        return {
            "requests": dict(trouble.requests),
            "total": sum(count for kind, count in trouble.requests.items() if kind != "batched parts"),
            "bytes_in": trouble.bytes_in,
            "bytes_out": trouble.bytes_out,
            "happened": dict(trouble.happened),
        }

    def _delete_counts(self) -> object:
        self._trouble.requests.clear()
        self._trouble.happened.clear()
        self._trouble.bytes_in = self._trouble.bytes_out = 0
        return {}

    def _post_policy(self, **changes: Any) -> object:
        for name, value in changes.items():
            if name == "hashes":
                self._rows.show_hashes = value
            elif name == "download_seconds":
                self._downloads.seconds = value
            elif name == "interval":
                self._sign_in.interval = value
            elif name in {field.name for field in fields(Policy)}:
                setattr(self._accounts.policy, name, value)
            else:
                raise KeyError(name)
        return {}

    def _post_revoke(self, what: str, account: str | None = None) -> object:
        return {"revoked": self._accounts.revoke(what, account)}

    def _post_approve(self, user_code: str = "", account: str | None = None, decline: bool = False) -> object:
        waiting = self._sign_in.waiting()
        if not user_code and len(waiting) != 1:
            raise ValueError(f"{len(waiting)} codes are waiting")
        if not self._sign_in.approve(user_code or waiting[0], account, decline=decline):
            raise ValueError("there is no such code")
        return {}

    def _get_waiting(self) -> object:
        return self._sign_in.waiting()

    def _post_expire(self, what: str) -> object:
        if what == "sessions":
            return {"expired": self._uploads.expire()}
        if what == "downloads":
            self._downloads.expire()
        elif what == "feed":
            self._database.do("UPDATE drive SET epoch = epoch + 1")
        else:
            raise KeyError(what)
        return {}

    def _post_quota(self, drive: str, total: int) -> object:
        return {"drives": self._database.do("UPDATE drive SET total = ? WHERE id = ?", total, drive)}

    def _post_files(self, drive: str, folder: str, count: int) -> object:
        row = self._database.one("SELECT * FROM drive WHERE id = ?", drive)
        assert row is not None
        parent = self._items.add(row, self._items.root(row), folder, "folder", None, {})
        for number in range(count):
            self._items.add(row, parent, f"file {number:06}", "file", None, {})
        return {}

    def _get_sessions(self) -> object:
        rows = self._database.all("SELECT name, total, received, arrived, expires FROM session ORDER BY rowid")
        return [dict(row) for row in rows]

    def _get_secrets(self) -> object:
        return [row["secret"] for row in self._database.all("SELECT secret FROM token")]

    def _get_tree(self, drive: str) -> object:
        rows = self._database.all("SELECT * FROM item WHERE drive = ? AND deleted = 0", drive)
        found = [{**dict(row), "path": self._items.path(row)} for row in rows]
        for row in found:
            old = self._database.one("SELECT COUNT(*) AS n FROM version WHERE item = ?", row["id"])
            row["versions"] = 1 + (old["n"] if old else 0)
        return found


def stanza(url: str, tenant: str) -> str:
    """What goes into the configuration of cloudfs."""
    return (
        "[remote.onedrive]\n"
        'type = "onedrive"\n'
        f'client_id = "{CLIENT_ID}"\n'
        f'tenant = "{tenant}"\n'
        f'login_url = "{url}"\n'
        f'graph_url = "{url}/v1.0"\n'
    )
