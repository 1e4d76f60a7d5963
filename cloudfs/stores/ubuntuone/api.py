"""The REST file storage API of Ubuntu One, version 1: nodes, and what is done to them. Paths in, `Node`s out.

Addresses are ``/~/Ubuntu One/dir/file``: a volume and a path in it. Success is 200, 201 or 204 anywhere. The server is
careless, so the caller has to look before it asks (`cloudfs.stores.ubuntuone.store`): ``PUT`` of a node makes missing
parents, ignores the kind of what is there, and a move deletes what is in its way, with everything in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from cloudfs.auth.oauth1 import Signer
from cloudfs.auth.ubuntuone import announcement
from cloudfs.errors import BrokenAnswer, NameRefused, NotFound, QuotaExceeded, SignInRequired, StoreError
from cloudfs.http.calls import Calls
from cloudfs.http.message import Answer, Body, Request, Sink
from cloudfs.http.refusals import refusal
from cloudfs.types import Version

ALGORITHM = "sha1"
EMPTY = Version("da39a3ee5e6b4b0d3255bfef95601890afd80709")
"""SHA-1 of no bytes; also of a file that never received any."""
_LIMIT = 256 << 20
"""Bytes of an answer: a directory, or a whole volume, comes in one."""
_API = "/api/file_storage/v1"
_PREFIX = f"{ALGORITHM}:"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Node:
    """``path`` is relative to the volume and begins with a slash; ``version`` is the SHA-1 of the content."""

    path: str
    is_directory: bool
    version: Version
    size: int
    changed_ns: int
    is_live: bool
    has_children: bool
    has_content: bool

    @classmethod
    def of(cls, found: Json) -> Node:
        """Raises `BrokenAnswer` for what is no node."""
        try:
            is_directory = found["kind"] == "directory"
            digest = found.get("hash") or ""
            return cls(
                path=str(found["path"]),
                is_directory=is_directory,
                version=Version("") if is_directory else Version(digest.removeprefix(_PREFIX)) if digest else EMPTY,
                size=int(found.get("size") or 0),
                changed_ns=_nanoseconds(found.get("when_changed", "")),
                is_live=bool(found.get("is_live", True)),
                has_children=bool(found.get("has_children", False)),
                has_content=bool(digest),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise BrokenAnswer("Ubuntu One: the answer is no node") from None


class UbuntuOneApi:
    """``volume`` is ``~/Ubuntu One`` or another; all paths are in it. ``calls`` sends what ``signer`` signs.

    ``advice`` says what to do about a token that is not taken.
    """

    def __init__(
        self, api: str, content: str, volume: str, calls: Calls, signer: Signer, advice: str = "sign in again"
    ) -> None:
        self._host = api
        self._api = api.rstrip("/") + _API
        self._content = content.rstrip("/")
        self.volume = volume
        self._calls = calls
        self._signer = signer
        self._advice = advice

    # --- nodes -------------------------------------------------------------------------------------------------------

    async def node(self, path: str) -> Node:
        """`NotFound`."""
        return Node.of(await self._json("GET", self._address(path), what=path))

    async def children(self, path: str) -> Sequence[Node]:
        """All of a directory, in no order. `NotFound`, also if it is a file."""
        answer = await self._send("GET", f"{self._address(path)}?include_children=true", what=path)
        if answer.status == 400:
            raise NotFound(f"{path}: not a directory")
        found = self._checked(answer, path)
        if found.get("kind") != "directory":
            raise NotFound(f"{path}: not a directory")
        return [Node.of(child) for child in found.get("children") or ()]

    async def everything(self) -> Sequence[Node]:
        """Every node of the volume but its root; also those that are gone, and are not ``is_live``."""
        url = f"{self._api}/volumes/{quote(self.volume, safe='/~')}?delta=true&from_generation=0"
        found = self._checked(await self._send("GET", url, what=self.volume), self.volume)
        return [Node.of(node) for node in found.get("delta", {}).get("nodes") or ()]

    async def make_volume(self) -> None:
        """If it is a cloud folder that does not exist yet."""
        await self._json("PUT", f"{self._api}/volumes/{quote(self.volume, safe='/~')}", what=self.volume)

    async def make_directory(self, path: str) -> Node:
        """With its parents. What is there already comes back as it is, whatever it is."""
        return await self._put(path, {"kind": "directory"})

    async def reuse(self, path: str, version: Version, magic: str = "") -> Node | None:
        """A file with content that the server has already; None if it does not want to.

        ``magic`` proves that we know the content, and is needed where a file is there already.
        """
        wish = {"kind": "file", "hash": f"{_PREFIX}{version}"}
        answer = await self._send(
            "PUT", self._address(path), wish | ({"magic_hash": magic} if magic else {}), what=path
        )
        return None if answer.status == 400 else Node.of(self._checked(answer, path))

    async def move(self, path: str, target: str) -> Node:
        """What is at ``target`` is deleted, with everything in it."""
        return await self._put(path, {"path": target})

    async def delete(self, path: str) -> None:
        """With everything in it. `NotFound`."""
        answer = await self._send("DELETE", self._address(path), what=path)
        if not answer.succeeded:
            raise self._refusal(answer, path)

    async def usage(self) -> tuple[int, int]:
        """Bytes used, and in all."""
        found = await self._account()
        return int(found.get("used_bytes") or 0), int(found.get("max_bytes") or 0)

    async def owner(self) -> str:
        """Who the account belongs to, as they call themselves."""
        return str((await self._account()).get("visible_name") or "")

    async def announce(self, email: str) -> None:
        """Tell the service that there is a new token of this person, which it then fetches from SSO."""
        answer = await self._ask(announcement(self._host, email))
        if not answer.succeeded:
            raise self._refusal(answer, "the new token")

    async def aclose(self) -> None:
        await self._calls.aclose()

    # --- content -----------------------------------------------------------------------------------------------------

    async def upload(self, path: str, body: Body) -> Node:
        """Create or replace; visible when it is complete."""
        answer = await self._ask(Request("PUT", self._place(path), _BYTES, body, path))
        return Node.of(self._checked(answer, path))

    async def download(self, path: str, start: int, stop: int, into: Sink) -> Answer:
        """Status 206 and the range, or 200 and the whole file: the server may not know ranges. `NotFound`."""
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        return await self._ask(Request("GET", self._place(path), headers, what=path), limit=1 << 60, into=into)

    # --- requests ----------------------------------------------------------------------------------------------------

    async def _account(self) -> Json:
        return await self._json("GET", f"{self._api}/", what="account")

    async def _put(self, path: str, wish: Json) -> Node:
        return Node.of(await self._json("PUT", self._address(path), wish, what=path))

    async def _json(self, method: str, url: str, wish: Json | None = None, *, what: str) -> Json:
        return self._checked(await self._send(method, url, wish, what=what), what)

    async def _send(self, method: str, url: str, wish: Json | None = None, *, what: str) -> Answer:
        headers = {"Content-Type": "application/json"} if wish is not None else {}
        body = json.dumps(wish).encode() if wish is not None else b""
        return await self._ask(Request(method, url, headers, body, what))

    async def _ask(self, request: Request, limit: int = _LIMIT, into: Sink | None = None) -> Answer:
        await self._signer.prepare()
        answer = await self._calls.send(request, limit=limit, into=into)
        if answer.status == 401 and await self._signer.refused(answer.date()):
            answer = await self._calls.send(request, limit=limit, into=into)
        if answer.status == 401:
            raise SignInRequired(f"Ubuntu One does not take the token (revoked, or of another account); {self._advice}")
        return answer

    def _checked(self, answer: Answer, what: str) -> Json:
        if not answer.succeeded:
            raise self._refusal(answer, what)
        try:
            found = json.loads(answer.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise BrokenAnswer(f"{what}: the answer is not what was asked for")
        return found

    @staticmethod
    def _refusal(answer: Answer, what: str) -> StoreError:
        if answer.status == 402:
            return QuotaExceeded(f"{what}: the account is full")
        if answer.status == 400 and b"InvalidFilename" in answer.body:
            return NameRefused(f"{what}: the server does not take this name")
        return refusal(Request("", "", what=what), answer)

    def _address(self, path: str) -> str:
        return f"{self._api}/{quote(self.volume + path.rstrip('/'), safe='/~')}"

    def _place(self, path: str) -> str:
        return f"{self._content}/content/{quote(self.volume + path, safe='/~')}"


_BYTES = {"Content-Type": "application/octet-stream"}


def _nanoseconds(date: str) -> int:
    """``2013-11-07T12:09:18Z``; 0 for what is none."""
    try:
        return int(datetime.fromisoformat(date).timestamp()) * 1_000_000_000
    except ValueError:
        return 0
