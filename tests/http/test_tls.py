"""Whom we trust, over real TLS: the machine's authorities, or one that a person names, or anybody, loudly."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trustme

from cloudfs.errors import Unavailable, UsageError
from cloudfs.http.client import HttpClient
from cloudfs.http.message import Request
from cloudfs.http.tls import tls_context
from tests.http.server import Exchange, ScriptedServer

NAME = "localhost"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@asynccontextmanager
async def serving(authority: trustme.CA, name: str) -> AsyncIterator[ScriptedServer]:
    """A server whose certificate is for ``name``, on localhost."""

    async def answer(exchange: Exchange) -> None:
        await exchange.answer(200, b"hello")

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    server = ScriptedServer(answer)

    async def converse(stream: trio.SSLStream[trio.SocketStream]) -> None:
        with contextlib.suppress(trio.BrokenResourceError):  # who does not trust us hangs up in the handshake
            await server.serve(stream)

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_ssl_over_tcp, converse, 0, context, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        server.url = f"https://{NAME}:{listener.transport_listener.socket.getsockname()[1]}"
        yield server
        nursery.cancel_scope.cancel()


async def ask(server: ScriptedServer, context: ssl.SSLContext) -> bytes:
    client = HttpClient(context)
    try:
        return (await client.send(Request("GET", server.url, {"Authorization": "Bearer hush"}))).body
    finally:
        await client.aclose()


async def test_a_private_authority_can_be_named(authority: trustme.CA, ca_file: Path) -> None:
    async with serving(authority, NAME) as server:
        assert await ask(server, tls_context(ca_file)) == b"hello"


async def test_nobody_else_is_trusted_and_gets_no_credentials(authority: trustme.CA) -> None:
    async with serving(authority, NAME) as server:
        with pytest.raises(Unavailable, match="cannot trust"):
            await ask(server, tls_context())
    assert server.lines == []


async def test_a_certificate_is_for_one_name(authority: trustme.CA, ca_file: Path) -> None:
    async with serving(authority, "elsewhere.example.org") as server:
        with pytest.raises(Unavailable, match="cannot trust"):
            await ask(server, tls_context(ca_file))
    assert server.lines == []


async def test_trusting_anybody_is_loud(authority: trustme.CA, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(authority, "elsewhere.example.org") as server:
        assert await ask(server, tls_context(verify=False)) == b"hello"
    assert [(record.levelno, "NOT VERIFIED" in record.message) for record in caplog.records] == [
        (logging.WARNING, True)
    ]


def test_old_protocols_are_refused() -> None:
    assert tls_context().minimum_version >= ssl.TLSVersion.TLSv1_2


def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        tls_context(tmp_path / "none.pem")
    (tmp_path / "empty.pem").touch()
    with pytest.raises(UsageError, match="cannot use the certificates"):
        tls_context(tmp_path / "empty.pem")
