"""One Swift account: signs every request, signs in again once when the token is refused, and knows what it offers."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cloudfs.auth.storage import Access, StorageAuth
from cloudfs.errors import BrokenAnswer, SignInRequired, StoreError, Unavailable
from cloudfs.http.calls import Calls
from cloudfs.http.client import ANSWER_LIMIT
from cloudfs.http.message import Answer, Body, Request, split_url
from cloudfs.http.refusals import refusal
from cloudfs.stores.swift.names import MAX_NAME, quoted

_log = logging.getLogger(__name__)
_READ_QUIET = 20.0
"""Seconds: somebody waits for what is read, and what a server has to think about are changes."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What ``/info`` says. The defaults are what a provider may be trusted with that says nothing."""

    static_large_objects: bool = False
    max_segments: int = 1000
    bulk_upload: bool = False
    bulk_delete: int = 0
    """Names in one request; 0 if it is not offered."""
    max_object: int = 5 << 30
    max_name: int = MAX_NAME
    page: int = 10_000
    full_pages: bool = False
    """Whether a page with fewer rows than were asked for is the last one: where the limit is told, not where a provider
    may have one that it keeps to itself."""

    @classmethod
    def read(cls, info: Mapping[str, Any]) -> Offer:
        swift, slo = info.get("swift", {}), info.get("slo", {})
        return cls(
            static_large_objects="slo" in info,
            max_segments=int(slo.get("max_manifest_segments", 1000)),
            bulk_upload="bulk_upload" in info,
            bulk_delete=int(info.get("bulk_delete", {}).get("max_deletes_per_request", 0)),
            max_object=int(swift.get("max_file_size", 5 << 30)),
            max_name=int(swift.get("max_object_name_length", MAX_NAME)),
            page=int(swift.get("container_listing_limit", 10_000)),
            full_pages="container_listing_limit" in swift,
        )


class SwiftAccount:
    """``auth`` says where the account is; ``calls`` paces and repeats.

    ``refusals`` are the statuses by which the provider may mean that the token has ended.
    """

    def __init__(self, auth: StorageAuth, calls: Calls, refusals: Collection[int] = (401,)) -> None:
        self.pacer = calls.pacer
        self._refusals = refusals
        self._auth = auth
        self._calls = calls

    @property
    def round_trip(self) -> float:
        """Seconds for the quickest answer so far; a guess before the first."""
        return self._calls.round_trip

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Body = b"",
        limit: int = ANSWER_LIMIT,
        into: bytearray | None = None,
    ) -> Answer:
        """The answer to a request about ``path``, which is ``container/object`` and not quoted, of any status."""

        def signed(access: Access) -> Request:
            url = f"{access.url}/{quoted(path)}" if path else access.url
            url = f"{url}?{urlencode(query)}" if query else url
            sent = {**(headers or {}), "X-Auth-Token": access.token}
            # A POST of Swift's replaces attributes, or deletes what is there: twice is once.
            quiet = None if into is None else _READ_QUIET
            return Request(method, url, sent, body, what=path or "account", repeatable=True, quiet=quiet)

        access = await self._auth.access()
        answer = await self._calls.send(signed(access), limit=limit, into=into)
        if answer.status in self._refusals:
            try:
                access = await self._auth.access(refused=access.token)
            except Unavailable:
                if answer.status == 401:
                    raise
                return answer  # so it was not about the token
            answer = await self._calls.send(signed(access), limit=limit, into=into)
        if answer.status == 401:
            raise SignInRequired(f"the storage does not accept the token that it has just been given ({access.url})")
        return answer

    async def offer(self) -> Offer:
        """Ask ``/info``, which needs no token. A provider that keeps it to itself offers nothing."""
        access = await self._auth.access()
        origin, _ = split_url(access.url)
        answer = await self._calls.send(Request("GET", f"{origin}/info", what="/info"))
        if not answer.succeeded:
            _log.info("the provider does not say what it offers (/info: %d)", answer.status)
            return Offer()
        try:
            return Offer.read(json.loads(answer.body))
        except (ValueError, TypeError, AttributeError):
            raise BrokenAnswer("/info makes no sense") from None

    async def aclose(self) -> None:
        await self._calls.aclose()


def refused(what: str, answer: Answer) -> StoreError:
    """The error for an answer that is no success, of which nobody expects more."""
    return refusal(Request("", "", what=what), answer)
