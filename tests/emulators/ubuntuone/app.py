"""The emulator in one piece, and ``/control``: what tests tell it. Every body and answer of that is JSON.

``POST trouble``    an `Order`; ``DELETE trouble`` forgets all of them
``GET counts``      requests by kind, bytes, troubles that happened; ``DELETE counts`` begins again
``POST habits``     fields of `Habits`, and ``quota``, ``two_factors``, ``has_v2``
``POST revoke``     all tokens end now
``POST grant``      a token, as if somebody had signed in
``POST volume``     ``path``: a cloud folder, as if somebody had made it
``POST directory``  ``path``: its address, as if somebody had made it
``GET tree``        the files of all volumes, with their sizes
"""

from __future__ import annotations

import json
import time
from dataclasses import fields
from email.utils import formatdate
from typing import Any

from tests.emulators.serving import Answer, Request
from tests.emulators.trouble import Order, Trouble
from tests.emulators.ubuntuone.files import Files, Habits
from tests.emulators.ubuntuone.signin import SignIn
from tests.emulators.ubuntuone.signing import Keys
from tests.emulators.ubuntuone.tree import Tree

PING = "/oauth/sso-finished-so-get-tokens/"


class UbuntuOne:
    """``clock`` is the server's, in seconds since the epoch; ``handler`` answers for all three hosts."""

    def __init__(self) -> None:
        self.skew = 0.0
        self.trouble = Trouble()
        self.tree = Tree()
        self.keys = Keys(self._now)
        self.sign_in = SignIn(self.keys)
        self.files = Files(self.tree)
        self._troubled = self.trouble.around(self._answer, kind_of)

    async def handler(self, request: Request) -> Answer:
        if request.path.startswith("/control/"):
            return await self._control(request)
        answer = await self._troubled(request)
        answer.headers.setdefault("Date", formatdate(self._now(), usegmt=True))
        return answer

    def grant(self) -> dict[str, str]:
        key, _ = self.sign_in.key("Ubuntu One @ test", is_known=True)
        return {"oauth": f"{key.token}:{key.token_secret}", "consumer": f"{key.consumer}:{key.consumer_secret}"}

    async def _answer(self, request: Request) -> Answer:
        if request.path.startswith(("/api/1.0/", "/api/v2/")):
            return await self.sign_in.answer(request)
        found = self.keys.check(request)
        if isinstance(found, str):
            return Answer.json(401, {"error": found}, {"X-Oops-Id": "OOPS-0002"})
        if request.path.startswith(PING):
            found.is_known = True
            return Answer(200, b"ok 1/1")
        if not found.is_known:
            return Answer.json(401, {"error": "nobody has told us of this token"})
        return await self.files.answer(request)

    def _now(self) -> float:
        return time.time() + self.skew

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
        trouble = self.trouble
        return {
            "requests": dict(trouble.requests),
            "bytes_in": trouble.bytes_in,
            "bytes_out": trouble.bytes_out,
            "happened": dict(trouble.happened),
        }

    def _delete_counts(self) -> object:
        self.trouble.requests.clear()
        self.trouble.happened.clear()
        self.trouble.bytes_in = self.trouble.bytes_out = 0
        return {}

    def _post_habits(self, **changes: Any) -> object:
        for name, value in changes.items():
            if name == "quota":
                self.tree.quota = value
            elif name in ("two_factors", "has_v2"):
                setattr(self.sign_in, name, value)
            elif name in {field.name for field in fields(Habits)}:
                setattr(self.files.habits, name, value)
            else:
                raise KeyError(name)
        return {}

    def _post_revoke(self) -> object:
        self.keys.keys.clear()
        return {}

    def _post_grant(self) -> object:
        return self.grant()

    def _post_volume(self, path: str) -> object:
        return {"path": self.tree.make_volume(path).path}

    def _post_directory(self, path: str) -> object:
        return {"path": self.tree.ensure(path, "directory")[1].path}

    def _get_tree(self) -> object:
        nodes = [(volume, node) for volume in self.tree.volumes.values() for node in volume.nodes if node.is_live]
        return {f"{volume.path}{node.path}": node.size if node.kind == "file" else None for volume, node in nodes}


def kind_of(request: Request) -> str:
    """What a request counts as: ``GET node``, ``PUT content``, ``GET delta`` ..."""
    if request.path.startswith("/content/"):
        return f"{request.method} content"
    if "delta" in request.query:
        return "GET delta"
    if "include_children" in request.query:
        return "GET children"
    if request.path.startswith("/api/file_storage/v1/~/"):
        return f"{request.method} node"
    return f"{request.method} {request.path.rstrip('/').rpartition('/')[2]}"


def stanza(url: str, granted: dict[str, str], name: str = "ubuntuone") -> str:
    """What goes into the configuration of cloudfs."""
    return (
        f'[remote.{name}]\ntype = "ubuntuone"\noauth = "{granted["oauth"]}"\nconsumer = "{granted["consumer"]}"\n'
        f'api_url = "{url}"\ncontent_url = "{url}"\nsso_url = "{url}"\n'
    )
