"""The emulator in one piece, and ``/control``: what tests tell it. Every body and answer of that is JSON.

``POST trouble``    an `Order`; ``DELETE trouble`` forgets all of them
``GET counts``      requests by kind, troubles that happened; ``DELETE counts`` begins again
``POST settings``   fields of `Settings`
``POST expire``     ``tokens``: access, swift or refresh tokens end now
``POST grant``      a refresh token, as if somebody had signed in
``GET credentials`` the storage's address and a token for it
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx

from tests.emulators.hubic.accounts import CLIENT_ID, CLIENT_SECRET, Accounts, Settings
from tests.emulators.hubic.api import Api
from tests.emulators.hubic.storage import ACCOUNT, Storage
from tests.emulators.serving import Answer, Request
from tests.emulators.trouble import Order, Trouble


class Hubic:
    """``port`` is where it will be found; ``handler`` is what answers there, once `prepare` has returned.

    ``kept`` is where the sign-in survives a restart.
    """

    def __init__(
        self,
        port: int,
        client: httpx.AsyncClient,
        auth_url: str,
        user: str,
        key: str,
        *,
        auto_accept: bool = False,
        kept: Path | None = None,
    ) -> None:
        self.trouble = Trouble()
        self.accounts = Accounts(time.time, kept=kept)
        self._storage = Storage(self.accounts, client, auth_url, user, key)
        self._api = Api(self.accounts, random.Random(1), port, auto_accept=auto_accept, measure=self._storage.used)
        self._troubled = self.trouble.around(self._answer, kind_of)

    async def prepare(self) -> None:
        await self._storage.prepare()

    async def handler(self, request: Request) -> Answer:
        if request.path.startswith("/control/"):
            return await self._control(request)
        return await self._troubled(request)

    async def _answer(self, request: Request) -> Answer:
        if request.path == "/info" or request.path.startswith("/v1/"):
            return await self._storage.answer(request)
        return await self._api.answer(request)

    # --- control -----------------------------------------------------------------------------------------------------

    async def _control(self, request: Request) -> Answer:
        what = request.path.removeprefix("/control/")
        method = getattr(self, f"_{request.method.lower()}_{what}", None)
        if method is None:
            return Answer.json(404, {"error": f"there is no {request.method} {what}"})
        try:
            return Answer.json(200, method(**json.loads(await request.read() or b"{}")))
        except (TypeError, ValueError, KeyError) as error:
            return Answer.json(400, {"error": str(error)})

    def _post_trouble(self, **order: Any) -> object:
        self.trouble.orders.append(Order(**order))
        return {}

    def _delete_trouble(self) -> object:
        self.trouble.orders.clear()
        return {}

    def _get_counts(self) -> object:
        return {"requests": dict(self.trouble.requests), "happened": dict(self.trouble.happened)}

    def _delete_counts(self) -> object:
        self.trouble.requests.clear()
        self.trouble.happened.clear()
        return {}

    def _post_settings(self, **changes: Any) -> object:
        for name, value in changes.items():
            if name not in {field.name for field in fields(Settings)}:
                raise KeyError(name)
            setattr(self.accounts.settings, name, value)
        return {}

    def _post_expire(self, tokens: str) -> object:
        self.accounts.expire(tokens)
        return {}

    def _post_grant(self) -> object:
        code = self.accounts.new_code(self.accounts.settings.scope)
        found = self.accounts.use_code(code)
        assert found is not None
        return {"access_token": found[0], "refresh_token": found[1]}

    def _get_credentials(self) -> object:
        endpoint, token, _ = self._api.credentials()
        return {"endpoint": endpoint, "token": token}


def kind_of(request: Request) -> str:
    """What a request counts as: ``POST token``, ``GET credentials``, ``PUT object`` ..."""
    if not request.path.startswith(ACCOUNT):
        return f"{request.method} {request.path.rstrip('/').rpartition('/')[2]}"
    depth = request.path.removeprefix(ACCOUNT).strip("/").count("/")
    return f"{request.method} {'object' if depth else 'container'}"


def stanza(url: str, name: str = "hubic") -> str:
    """What goes into the configuration of cloudfs."""
    return (
        f'[remote.{name}]\ntype = "hubic"\nclient_id = "{CLIENT_ID}"\nclient_secret = "{CLIENT_SECRET}"\n'
        f'api_url = "{url}"\n'
    )
