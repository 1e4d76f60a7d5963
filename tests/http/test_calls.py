"""Calls: what is tried again, and for how long."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from cloudfs.errors import BrokenAnswer, Unavailable
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.message import Request
from cloudfs.http.pacer import Pacer
from tests.http.server import Exchange, Handler, serving


@pytest.fixture
def calls(client: HttpClient) -> Calls:
    return Calls(client, Pacer(8, trio.current_time, lambda: 0.5), trio.current_time, lambda: 0.5, patience=30)


def statuses(*each: int, **headers: str) -> Handler:
    """Answers with one status after the other, and with 200 from then on."""
    left = list(each)

    async def handle(exchange: Exchange) -> None:
        await exchange.body()
        if left:
            await exchange.answer(left.pop(0), b"words", **headers)
        else:
            await exchange.answer(200)

    return handle


@pytest.mark.parametrize("status", [408, 429, 498, 499, 500, 502, 503, 504])
async def test_what_passes_is_tried_again(calls: Calls, autojump_clock: MockClock, status: int) -> None:
    async with serving(statuses(status, status)) as server:
        assert (await calls.send(Request("PUT", server.url, body=b"x"))).status == 200
    assert len(server.lines) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 413, 416, 422])
async def test_what_the_server_means_is_not(calls: Calls, status: int) -> None:
    async with serving(statuses(status)) as server:
        assert (await calls.send(Request("PUT", server.url, body=b"x"))).status == status
    assert len(server.lines) == 1


async def test_a_wish_of_the_server_is_obeyed(calls: Calls, autojump_clock: MockClock) -> None:
    began = trio.current_time()
    async with serving(statuses(429, Retry_After="7")) as server:
        await calls.send(Request("GET", server.url))
    assert 7 <= trio.current_time() - began < 10


async def test_a_wish_beyond_our_patience_is_passed_on(calls: Calls, autojump_clock: MockClock) -> None:
    async with serving(statuses(503, Retry_After="300")) as server:
        with pytest.raises(Unavailable) as caught:
            await calls.send(Request("GET", server.url))
        assert caught.value.retry_after == pytest.approx(300)
        assert calls.pacer.throttled_until == pytest.approx(trio.current_time() + 300)
    assert len(server.lines) == 1


async def test_patience_ends(calls: Calls, autojump_clock: MockClock) -> None:
    began = trio.current_time()
    async with serving(statuses(*[500] * 100)) as server:
        with pytest.raises(BrokenAnswer, match="500 words"):
            await calls.send(Request("GET", server.url))
    assert 15 < trio.current_time() - began <= 30


async def test_an_address_that_never_answered_is_given_up_sooner(calls: Calls, autojump_clock: MockClock) -> None:
    async with serving(statuses()) as server:
        url = server.url
    began = trio.current_time()
    with pytest.raises(Unavailable):
        await calls.send(Request("GET", url))
    assert trio.current_time() - began < 5


async def test_a_server_that_answered_once_is_waited_for(calls: Calls, autojump_clock: MockClock) -> None:
    async with serving(statuses()) as server:
        url = server.url
        await calls.send(Request("GET", url))
    began = trio.current_time()
    with pytest.raises(Unavailable):
        await calls.send(Request("GET", url))
    assert 15 < trio.current_time() - began <= 30


async def test_a_cut_is_survived(calls: Calls, autojump_clock: MockClock) -> None:
    async def cut_twice(exchange: Exchange) -> None:
        if len(server.lines) < 3:
            raise EOFError
        await exchange.answer(200)

    async with serving(cut_twice) as server:
        assert (await calls.send(Request("GET", server.url))).status == 200


async def test_who_keeps_what_arrived_goes_on_by_himself(calls: Calls) -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        raise EOFError

    arrived = bytearray()
    async with serving(cut) as server:
        with pytest.raises(BrokenAnswer):
            await calls.send(Request("GET", server.url), into=arrived)
    assert (bytes(arrived), len(server.lines)) == (b"half", 1)


async def test_a_post_whose_answer_is_lost_is_not_repeated(calls: Calls) -> None:
    async def cut(exchange: Exchange) -> None:
        raise EOFError

    async with serving(cut) as server:
        with pytest.raises(Unavailable):
            await calls.send(Request("POST", server.url))
    assert len(server.lines) == 1


async def test_a_post_that_may_come_twice_is_tried_again(calls: Calls, autojump_clock: MockClock) -> None:
    async with serving(statuses(502, 502)) as server:
        assert (await calls.send(Request("POST", server.url, repeatable=True))).status == 200
    assert len(server.lines) == 3
