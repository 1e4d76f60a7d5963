"""The HTTP client, against servers that say whatever a test wants."""

from __future__ import annotations

import pytest
import trio

from cloudfs.errors import BrokenAnswer, Unavailable
from cloudfs.http.client import HttpClient, Timeouts
from cloudfs.http.message import Request
from tests.http.server import Exchange, serving
from tests.stores.sources import BrokenSource, BytesSource, UnreadableError

LARGE = bytes(range(256)) * (12 << 10)


async def ok(exchange: Exchange) -> None:
    await exchange.body()
    await exchange.answer(200, b"fine", X_Name="value")


async def test_connections_are_used_again(client: HttpClient) -> None:
    async with serving(ok) as server:
        for _ in range(5):
            answer = await client.send(Request("GET", server.url + "/"))
            assert (answer.status, answer.body, answer.headers["x-name"]) == (200, b"fine", "value")
        assert server.connections == 1


@pytest.mark.parametrize("target", ["/a/../b", "/./x", "/a//b/", "/%2e%2e/%FF", "/q?x=%2F&y", "/a%20b%3Fc"])
async def test_paths_are_sent_as_they_are(client: HttpClient, target: str) -> None:
    async with serving(ok) as server:
        await client.send(Request("GET", server.url + target))
    assert server.lines == [f"GET {target} HTTP/1.1"]


async def test_bodies_of_every_size_arrive(client: HttpClient) -> None:
    seen: list[bytes] = []

    async def keep(exchange: Exchange) -> None:
        seen.append(await exchange.body())
        await exchange.answer(201)

    bodies = [b"", b"x", LARGE[: 1 << 16], LARGE[: (1 << 16) + 1], LARGE]
    async with serving(keep) as server:
        for body in bodies:
            assert (await client.send(Request("PUT", server.url, body=body))).status == 201
            assert (await client.send(Request("PUT", server.url, body=BytesSource(body)))).status == 201
    assert seen == [body for body in bodies for _ in range(2)]
    assert server.connections == 1


async def test_a_refusal_of_a_large_body_is_heard_before_it_was_sent(client: HttpClient) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.answer(413, b"too large")
        await trio.sleep_forever()

    async with serving(refuse) as server:
        answer = await client.send(Request("PUT", server.url, body=LARGE * 20))
    assert (answer.status, answer.body) == (413, b"too large")


async def test_a_connection_with_an_unfinished_request_is_not_used_again(client: HttpClient) -> None:
    async def refuse_puts(exchange: Exchange) -> None:
        await exchange.answer(413 if exchange.line.startswith("PUT") else 200)

    async with serving(refuse_puts) as server:
        await client.send(Request("PUT", server.url, body=LARGE * 20))
        assert (await client.send(Request("GET", server.url))).status == 200
    assert server.connections == 2


async def test_a_body_that_cannot_be_read_is_the_callers_own_error(client: HttpClient) -> None:
    async with serving(ok) as server:
        with pytest.raises(UnreadableError):
            await client.send(Request("PUT", server.url, body=BrokenSource(BytesSource(LARGE), 2 << 20)))


async def test_a_connection_that_was_closed_while_idle_is_replaced(client: HttpClient) -> None:
    async def once(exchange: Exchange) -> None:
        await ok(exchange)
        raise EOFError

    async with serving(once) as server:
        for _ in range(3):
            assert (await client.send(Request("PUT", server.url, body=b"x"))).status == 200
    assert server.connections == 3


async def test_a_connection_that_is_closed_as_the_request_leaves_is_replaced(client: HttpClient) -> None:
    async def only_one(exchange: Exchange) -> None:
        if exchange.connection == 1 and len(server.lines) > 1:
            raise EOFError
        await ok(exchange)

    async with serving(only_one) as server:
        for _ in range(2):
            assert (await client.send(Request("GET", server.url))).status == 200
    assert server.connections == 2


async def test_a_post_is_not_sent_twice(client: HttpClient) -> None:
    async def only_one(exchange: Exchange) -> None:
        if len(server.lines) > 1:
            raise EOFError
        await ok(exchange)

    async with serving(only_one) as server:
        await client.send(Request("POST", server.url))
        with pytest.raises(Unavailable):
            await client.send(Request("POST", server.url))
    assert len(server.lines) == 2


async def test_what_arrived_of_a_broken_answer_is_kept(client: HttpClient) -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 40)
        raise EOFError

    arrived = bytearray()
    async with serving(cut) as server:
        with pytest.raises(BrokenAnswer, match="ended early"):
            await client.send(Request("GET", server.url), into=arrived)
    assert bytes(arrived) == b"x" * 40


@pytest.mark.parametrize("words", [b"", b"HTTP/1.1 200 OK\r\nContent-", b"SSH-2.0-OpenSSH\r\n\r\n", b"\0" * 100])
async def test_nonsense_is_a_broken_answer(client: HttpClient, words: bytes) -> None:
    async def babble(exchange: Exchange) -> None:
        await exchange.stream.send_all(words)
        raise EOFError

    async with serving(babble) as server:
        with pytest.raises(BrokenAnswer):
            await client.send(Request("GET", server.url))


async def test_an_answer_that_is_too_large_is_not_read(client: HttpClient) -> None:
    async def talk(exchange: Exchange) -> None:
        await exchange.answer(200, b"x" * 101)

    async with serving(talk) as server:
        with pytest.raises(BrokenAnswer, match="larger than 100"):
            await client.send(Request("GET", server.url), limit=100)


async def test_an_error_does_not_count_as_content(client: HttpClient) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.answer(404, b"not here")

    arrived = bytearray()
    async with serving(fail) as server:
        answer = await client.send(Request("GET", server.url), limit=4, into=arrived)
    assert (answer.body, bytes(arrived)) == (b"not here", b"")


async def test_silence_is_waited_for_only_so_long(autojump_clock: trio.testing.MockClock) -> None:
    async def say_nothing(exchange: Exchange) -> None:
        await trio.sleep_forever()

    impatient = HttpClient(timeouts=Timeouts(quiet=5))
    async with serving(say_nothing) as server:
        with pytest.raises(Unavailable, match="in time"):
            await impatient.send(Request("GET", server.url))
        began = trio.current_time()
        with pytest.raises(Unavailable, match="in time"):
            await impatient.send(Request("GET", server.url, quiet=2))
        assert trio.current_time() - began < 4


async def test_nobody_there(client: HttpClient) -> None:
    async with serving(ok) as server:
        pass
    with pytest.raises(Unavailable, match="Connection refused"):
        await client.send(Request("GET", server.url))


async def test_credentials_do_not_follow_to_another_server(client: HttpClient) -> None:
    async with serving(ok) as other:

        async def redirect(exchange: Exchange) -> None:
            here = "/here" in exchange.line
            await exchange.answer(302, Location=other.url + "/there" if here else "/here")

        async with serving(redirect) as server:
            secrets = {"X-Auth-Token": "secret", "Authorization": "Bearer secret", "Range": "bytes=0-1"}
            answer = await client.send(Request("GET", server.url, headers=secrets))
    assert answer.body == b"fine"
    assert server.headers[1]["x-auth-token"] == "secret"
    assert other.lines == ["GET /there HTTP/1.1"]
    assert other.headers[0]["range"] == "bytes=0-1"
    assert "secret" not in str(other.headers)


async def test_a_redirection_whose_address_is_not_quoted_is_followed(client: HttpClient) -> None:
    async def redirect(exchange: Exchange) -> None:
        if "/old" in exchange.line:
            await exchange.answer(302, Location="/größe und rest%20?a=b&c")
        else:
            await ok(exchange)

    async with serving(redirect) as server:
        assert (await client.send(Request("GET", f"{server.url}/old"))).body == b"fine"
    assert server.lines[1] == "GET /gr%C3%B6%C3%9Fe%20und%20rest%20?a=b&c HTTP/1.1"


async def test_only_gets_are_redirected(client: HttpClient) -> None:
    async def redirect(exchange: Exchange) -> None:
        await exchange.answer(307, Location="/elsewhere")

    async with serving(redirect) as server:
        assert (await client.send(Request("POST", server.url))).status == 307
        with pytest.raises(BrokenAnswer, match="redirections"):
            await client.send(Request("GET", server.url))


async def test_a_cancelled_request_leaves_no_connection_behind(client: HttpClient) -> None:
    async def hold(exchange: Exchange) -> None:
        if len(server.lines) == 1:
            reached.set()
            await trio.sleep_forever()
        await ok(exchange)

    reached = trio.Event()
    async with serving(hold) as server, trio.open_nursery() as nursery:
        nursery.start_soon(client.send, Request("GET", server.url))
        await reached.wait()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            assert (await client.send(Request("GET", server.url))).status == 200
            assert server.connections == 2


def test_secrets_are_not_in_a_repr() -> None:
    request = Request("GET", "http://host/?sig=secret", headers={"X-Auth-Token": "secret"}, body=b"secret", what="it")
    assert "secret" not in repr(request)
    assert str(request) == "GET it"
