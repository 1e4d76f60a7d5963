"""lbNNNN.hubic.ovh.net: a real Swift behind tokens and an address of our own."""

from __future__ import annotations

import gzip

import httpx

from tests.emulators.hubic.accounts import Accounts
from tests.emulators.serving import Answer, HangUp, Request

ACCOUNT = "/v1/AUTH_" + "0123456789abcdef" * 2
_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding", "x-auth-token", "expect"})
_META_MAX = 256


class Storage:
    """``auth_url``, ``user`` and ``key`` open the Swift behind it, by TempAuth."""

    def __init__(self, accounts: Accounts, client: httpx.AsyncClient, auth_url: str, user: str, key: str) -> None:
        self._accounts = accounts
        self._client = client
        self._signing_in = (auth_url, {"X-Auth-User": user, "X-Auth-Key": key})
        self._url = ""
        self._token = ""

    async def prepare(self) -> None:
        """Sign in, and make the two containers that every account of hubiC has."""
        await self._sign_in()
        for container in ("default", "default_segments"):
            made = await self._client.put(f"{self._url}/{container}", headers={"X-Auth-Token": self._token})
            made.raise_for_status()

    async def _sign_in(self) -> None:
        answer = await self._client.get(self._signing_in[0], headers=self._signing_in[1])
        answer.raise_for_status()
        self._url, self._token = answer.headers["x-storage-url"], answer.headers["x-auth-token"]

    async def used(self) -> int:
        """Bytes in all containers. What Swift says of the account itself lags behind by minutes."""
        await self._sign_in()
        headers = {"X-Auth-Token": self._token}
        found = await self._client.get(f"{self._url}?format=json", headers=headers)
        heads = [await self._client.head(f"{self._url}/{row['name']}", headers=headers) for row in found.json()]
        return sum(int(head.headers.get("x-container-bytes-used", "0")) for head in heads)

    async def answer(self, request: Request) -> Answer:
        if request.path == "/info":
            return await self._pass_on(request, f"{self._url.rpartition('/v1/')[0]}/info")
        if not request.path.startswith(ACCOUNT):
            return Answer(404)
        host = request.headers.get("host", "").partition(":")[0]
        if not self._accounts.opens(request.headers.get("x-auth-token", ""), host):
            return Answer(self._accounts.settings.refusal, b"<html><h1>Unauthorized</h1></html>")
        # Front ends of hubiC refused longer metadata than Swift promises to take.
        if any(name.startswith("x-object-meta-") and len(value) > _META_MAX for name, value in request.headers.items()):
            return Answer(400, b"Metadata value longer than 256")
        return await self._pass_on(request, self._url + request.target.removeprefix(ACCOUNT))

    async def _pass_on(self, request: Request, url: str) -> Answer:
        headers = [
            (name.encode(), value.encode("latin-1")) for name, value in request.headers.items() if name not in _HOP
        ]
        if "accept-encoding" not in request.headers:
            headers += [(b"accept-encoding", b"identity")]
        has_body = not {"content-length", "transfer-encoding"}.isdisjoint(request.headers)
        content = await request.read() if has_body else None
        target = url[url.index("/", 8) :].encode("latin-1")
        try:
            found = await self._send(request.method, target, headers, content)
            if found.status_code == 401:
                # Others who use the same Swift may have it forget all tokens.
                await self._sign_in()
                found = await self._send(request.method, target, headers, content)
        except httpx.TransportError:
            raise HangUp from None
        pairs = [(name.decode().lower(), value.decode("latin-1")) for name, value in found.headers.raw]
        answer = Answer(found.status_code, found.content, {name: value for name, value in pairs if name not in _HOP})
        if request.method == "HEAD":
            answer.length = int(found.headers.get("content-length", "0"))
        return _gzipped(answer) if "gzip" in request.headers.get("accept-encoding", "") else answer

    async def _send(
        self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], content: bytes | None
    ) -> httpx.Response:
        token = (b"x-auth-token", self._token.encode())
        extensions = {"target": target}
        request = self._client.build_request(
            method, self._url, headers=[*headers, token], content=content, extensions=extensions
        )
        return await self._client.send(request)


def _gzipped(answer: Answer) -> Answer:
    """Listings, as a front end of hubiC sent them to whoever allowed it."""
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return answer
    assert isinstance(answer.body, bytes)
    return Answer(answer.status, gzip.compress(answer.body), {**answer.headers, "content-encoding": "gzip"})
