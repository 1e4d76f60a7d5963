"""One container, request by request, in the words of Swift. Names are object names, not quoted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import trio

from cloudfs.errors import BrokenAnswer, NotFound, Unavailable, VersionMismatch
from cloudfs.http.message import Answer, Body
from cloudfs.stores.swift.account import SwiftAccount, refused
from cloudfs.stores.swift.names import quoted

_LISTING_LIMIT = 256 << 20
_MANIFEST_LIMIT = 64 << 20
_IN_THREAD = 256 << 10
"""Bytes; hashing so many takes longer than changing to a thread and back."""
_RESENDS = 3
_RESUMES = 5
"""Attempts to read that bring nothing at all before we give up."""
_RESUME_PAUSE = 0.2
_FRUITLESS_SECONDS = 45.0
"""After so long without a byte no other attempt begins."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """What a ``HEAD`` tells of an object. ``size`` is that of its content, also of large objects."""

    etag: str
    size: int
    headers: Mapping[str, str]

    @property
    def is_static(self) -> bool:
        return self.headers.get("x-static-large-object", "").lower() == "true"

    @property
    def is_dynamic(self) -> bool:
        return "x-object-manifest" in self.headers

    @property
    def is_large(self) -> bool:
        return self.is_static or self.is_dynamic


class SwiftContainer:
    """The container ``name``. It is made when something is stored and it turns out to be missing."""

    def __init__(self, account: SwiftAccount, name: str) -> None:
        self.account = account
        self.name = name

    async def create(self) -> None:
        answer = await self.account.send("PUT", self.name)
        if not answer.succeeded:
            raise refused(self.name, answer)

    async def ensure(self) -> None:
        """Make it unless it is there; who may not write may still read one that is."""
        if await self.facts() is None:
            await self.create()

    async def facts(self) -> Mapping[str, str] | None:
        """The headers of the container; None if there is none."""
        answer = await self.account.send("HEAD", self.name)
        if answer.status == 404:
            return None
        if not answer.succeeded:
            raise refused(self.name, answer)
        return answer.headers

    async def post_facts(self, headers: Mapping[str, str]) -> None:
        answer = await self.account.send("POST", self.name, headers=headers)
        if not answer.succeeded:
            raise refused(self.name, answer)

    async def rows(
        self, prefix: str, *, after: str = "", before: str = "", delimiter: str = "", limit: int | None = None
    ) -> list[Row]:
        """A page of the listing, in the order of the names' bytes: at most ``limit`` rows between two names.

        Without ``limit`` as many as the provider likes to tell at once.
        """
        told = {"marker": after, "end_marker": before, "delimiter": delimiter, "limit": str(limit or "")}
        query = {"format": "json", "prefix": prefix} | {key: value for key, value in told.items() if value}
        answer = await self.account.send("GET", self.name, query=query, limit=_LISTING_LIMIT)
        if answer.status == 404:
            raise NotFound(f"{self.name}: there is no such container")
        if not answer.succeeded:
            raise refused(self.name, answer)
        return rows_of(answer)

    async def all_rows(self, prefix: str) -> list[Row]:
        """The whole listing below a prefix. `NotFound` if there is no such container."""
        found: list[Row] = []
        while True:
            page = await self.rows(prefix, after=str(found[-1]["name"]) if found else "")
            found += page
            if not page:
                return found

    async def head(self, name: str) -> Head | None:
        """None if there is no such object."""
        answer = await self.account.send("HEAD", self._path(name))
        # 409: a static link of Swift's, whose target has changed since: there is nothing to be had either.
        if answer.status in (404, 409):
            return None
        if not answer.succeeded:
            raise refused(name, answer)
        return Head(etag_of(answer), int(answer.headers.get("content-length", "0")), answer.headers)

    async def get(self, name: str, etag: str, start: int, stop: int) -> tuple[bytes, bool]:
        """Bytes ``[start, stop)``, not none, of the content that has this etag; broken answers are resumed.

        And whether the object is a static large one. `VersionMismatch`, `NotFound`, `BrokenAnswer`.
        """
        content, is_static = bytearray(), False
        fruitless, fruitful = 0, trio.current_time()
        while len(content) < stop - start:
            had = len(content)
            try:
                answer = await self._get_on(name, etag, start, stop, content)
                is_static = "x-static-large-object" in answer.headers
                is_whole = start == 0 and len(content) == stop and _has_md5_as_etag(answer, stop)
                if is_whole and await _md5_of_many(content) != etag:
                    content.clear()
                    raise BrokenAnswer(f"{name}: what arrived is not what is stored")
            except Unavailable:
                if len(content) > had:
                    fruitless, fruitful = 0, trio.current_time()
                else:
                    fruitless += 1
                if fruitless >= _RESUMES or trio.current_time() - fruitful > _FRUITLESS_SECONDS:
                    raise
                await trio.sleep(_RESUME_PAUSE * 2**fruitless)
        return bytes(content), is_static

    async def _get_on(self, name: str, etag: str, start: int, stop: int, content: bytearray) -> Answer:
        """Ask for what ``content`` does not have yet."""
        first, wanted = start + len(content), stop - start - len(content)
        headers = {"Range": f"bytes={first}-{stop - 1}", "If-Match": f'"{etag}"'}
        had = len(content)
        answer = await self.account.send("GET", self._path(name), headers=headers, limit=wanted, into=content)
        if answer.status == 404:
            raise NotFound(f"{name}: not found")
        if answer.status == 412:
            raise VersionMismatch(f"{name}: the content is another by now")
        if answer.status == 416:
            raise BrokenAnswer(f"{name}: there are no bytes up to {stop}")
        if not answer.succeeded:
            raise refused(name, answer)
        is_partial = answer.headers.get("content-range", "").startswith(f"bytes {first}-")
        if (not is_partial and not (answer.status == 200 and first == 0)) or etag_of(answer) not in ("", etag):
            del content[had:]
            raise BrokenAnswer(f"{name}: the server answered with other bytes than it was asked for")
        if len(content) == had:
            raise BrokenAnswer(f"{name}: the server answered without the bytes it was asked for")
        return answer

    async def get_text(self, name: str, query: Mapping[str, str] | None = None) -> Answer:
        """A whole object, or what a query makes of it. `NotFound`."""
        answer = await self.account.send("GET", self._path(name), query=query, limit=_MANIFEST_LIMIT)
        if answer.status == 404:
            raise NotFound(f"{name}: not found")
        if not answer.succeeded:
            raise refused(name, answer)
        return answer

    async def put(
        self,
        name: str,
        body: bytes | Body,
        headers: Mapping[str, str],
        *,
        md5: str = "",
        exclusive: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> str:
        """Store an object; its etag. ``md5`` is checked by Swift before anything becomes visible.

        With ``exclusive`` an object that is there already is `VersionMismatch`. `QuotaExceeded`. `BrokenAnswer` if
        nothing was stored; `Unavailable` if it may have been, or something newer is there.
        """
        sent = {**headers, **({"ETag": md5} if md5 else {}), **({"If-None-Match": "*"} if exclusive else {})}
        try:
            answer = await self._put_again(name, body, sent, query or {})
        except BrokenAnswer as error:
            raise Unavailable(str(error), retry_after=error.retry_after) from None
        if answer.status == 412:
            raise VersionMismatch(f"{name}: there is something already")
        if answer.status == 422:
            raise BrokenAnswer(f"{name}: what arrived is not what was sent")
        return _stored(name, answer)

    async def _put_again(
        self, name: str, body: bytes | Body, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Answer:
        """Send again what was damaged on its way, and what the container was missing for."""
        for attempt in range(_RESENDS):
            answer = await self.account.send("PUT", self._path(name), query=query, headers=headers, body=body)
            if answer.status == 404 and attempt == 0:
                await self.create()
            elif answer.status != 422:
                break
        return answer

    async def post(self, name: str, headers: Mapping[str, str]) -> None:
        """Replace an object's metadata. `NotFound`."""
        answer = await self.account.send("POST", self._path(name), headers=headers)
        # 307: it was a Swift symbolic link, which has the metadata now; its target must not be asked to take it too.
        if not answer.succeeded and answer.status != 307:
            raise refused(name, answer)

    async def copy(
        self, source: str, target: str, headers: Mapping[str, str], *, manifest: bool = False, container: str = ""
    ) -> str:
        """Make ``target`` (of this container) what ``source`` (of ``container``) is; the etag. `NotFound`.

        ``headers`` replace the source's one by one. With ``manifest`` the parts of a large object are shared.
        """
        sent = {**headers, "X-Copy-From": quoted(f"/{container or self.name}/{source}")}
        query = {"multipart-manifest": "get"} if manifest else {}
        answer = await self.account.send("PUT", self._path(target), query=query, headers=sent)
        return _stored(source, answer)

    async def delete(self, name: str, query: Mapping[str, str] | None = None) -> None:
        """Gone already is success."""
        answer = await self.account.send("DELETE", self._path(name), query=query)
        if not answer.succeeded and answer.status != 404:
            raise refused(name, answer)

    def _path(self, name: str) -> str:
        return f"{self.name}/{name}"


def _stored(name: str, answer: Answer) -> str:
    """The etag of what a ``PUT`` stored."""
    if answer.status == 202:
        # Two front ends whose clocks disagree: what is there has a later time than this, and so it stays.
        raise Unavailable(f"{name}: the server has something newer there")
    if not answer.succeeded:
        raise refused(name, answer)
    return etag_of(answer)


def etag_of(answer: Answer) -> str:
    """Without the quotes that large objects have around theirs."""
    return answer.headers.get("etag", "").removeprefix("W/").strip('"')


def rows_of(answer: Answer) -> list[Row]:
    """The rows of a listing. An empty one may come without a body."""
    if answer.status == 204 or not answer.body:
        return []
    try:
        rows = json.loads(answer.body)
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BrokenAnswer("a listing makes no sense")
    return rows


def _has_md5_as_etag(answer: Answer, size: int) -> bool:
    """Whether a part came from an object of that size which is no large one."""
    is_large = "x-static-large-object" in answer.headers or "x-object-manifest" in answer.headers
    return answer.headers.get("content-range", "").rpartition("/")[2] == str(size) and not is_large


async def _md5_of_many(data: bytes | bytearray) -> str:
    return await trio.to_thread.run_sync(md5_of, data) if len(data) >= _IN_THREAD else md5_of(data)


def md5_of(data: bytes | bytearray) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
