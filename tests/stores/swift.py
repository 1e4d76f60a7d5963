"""A Swift store on a container that nobody else uses."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import trio

from cloudfs.auth.swift_session import SwiftSession
from cloudfs.auth.tempauth import TempAuth
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.pacer import Pacer
from cloudfs.settings.secret import Secret
from cloudfs.stores.swift.account import Offer, SwiftAccount
from cloudfs.stores.swift.store import BATCH_AFTER, SwiftStore
from tests.servers.swift import Swift, SwiftCluster

_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Box:
    """A container, and what the front end through which it is reached can do."""

    swift: Swift
    container: str
    offer: Offer
    has_segments: bool = True

    @classmethod
    def make(cls, cluster: SwiftCluster, without: Collection[str] = ()) -> Box:
        swift = cluster.front(without)
        box = cls(swift, f"test-{os.getpid()}-{next(_NUMBERS)}", Offer())
        offer = trio.run(box._offered)
        has_segments = offer.static_large_objects or "dlo" not in without
        return cls(swift, box.container, offer, has_segments)

    async def _offered(self) -> Offer:
        account = self.account()
        try:
            answer = await account.send("PUT", self.container)
            assert answer.succeeded
            return await account.offer()
        finally:
            await account.aclose()

    def through(self, url: str) -> Box:
        """The same by another way."""
        return Box(self.swift.at(url), self.container, self.offer, self.has_segments)

    def account(self, patience: float = 30.0) -> SwiftAccount:
        calls = Calls(HttpClient(), Pacer(16, time.time, lambda: 0.0), time.time, lambda: 0.0, patience)

        async def key() -> Secret:
            return Secret(self.swift.key)

        tempauth = TempAuth(calls, self.swift.auth_url, self.swift.user, key)
        return SwiftAccount(SwiftSession(tempauth, time.monotonic), calls)

    def store(
        self,
        prefix: str = "",
        *,
        segment_size: int = 64 << 20,
        page: int = 7,
        batch_after: int = BATCH_AFTER,
        patience: float = 30.0,
    ) -> SwiftStore:
        """Another client of the container."""
        return SwiftStore(
            self.account(patience),
            self.offer,
            self.container,
            prefix,
            segment_size=segment_size,
            segments=self.has_segments,
            page=page,
            batch_after=batch_after,
        )

    def raw(self) -> Raw:
        return Raw(self)


class Raw:
    """Plain requests, as any other program sends them."""

    def __init__(self, box: Box) -> None:
        swift = box.swift
        signed_in = httpx.get(swift.auth_url, headers={"X-Auth-User": swift.user, "X-Auth-Key": swift.key})
        self._client = httpx.Client(headers={"X-Auth-Token": signed_in.headers["x-auth-token"]}, timeout=60)
        self._url = signed_in.headers["x-storage-url"]
        self._container = box.container

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(
        self,
        method: str,
        name: str = "",
        content: bytes = b"",
        *,
        container: str = "",
        params: dict[str, str] | None = None,
        **headers: str | bytes,
    ) -> httpx.Response:
        path = quote("/".join(part for part in (container or self._container, name) if part))
        sent = [
            (key.replace("_", "-").encode(), value.encode() if isinstance(value, str) else value)
            for key, value in headers.items()
        ]
        answer = self._client.request(method, f"{self._url}/{path}", content=content, headers=sent, params=params)
        answer.raise_for_status()
        return answer

    def names(self, container: str = "") -> list[str]:
        try:
            return [row["name"] for row in self("GET", container=container, params={"format": "json"}).json()]
        except httpx.HTTPStatusError:
            return []
