"""The bad network is as bad as it says, and no worse."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from click.testing import CliRunner

from tests.servers import proxy as command_line
from tests.servers.proxy import Proxy
from tests.servers.proxy_line import Line
from tests.servers.proxy_mishaps import Mischief, Mishap, message_size

BODY = bytes(range(256)) * 256


class Server(ThreadingHTTPServer):
    """Answers GET with `BODY`, and remembers what was PUT."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stored: list[tuple[str, bytes]] = []
        self.asked = 0

    def handle_error(self, *_: object) -> None:
        """A connection that was cut is what the tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        self.reply(BODY)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.stored.append((self.path, body))
        self.reply(b"")

    def reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", server.server_port)) as running:
        yield running


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=10) as opened:
        yield opened


def outcomes(client: httpx.Client, count: int) -> list[str]:
    """What became of that many requests: the status, or the kind of failure."""
    found = []
    for _ in range(count):
        try:
            answer = client.get("/")
            assert answer.content in (b"", BODY)
            found.append(str(answer.status_code))
        except httpx.TransportError as error:
            found.append(type(error).__name__)
    return found


def test_carries_everything(client: httpx.Client, server: Server, proxy: Proxy) -> None:
    assert client.get("/").content == BODY
    sent = random.Random(1).randbytes(3_000_000)
    assert client.put("/name", content=sent).status_code == 200
    assert server.stored == [("/name", sent)]
    traffic = proxy.traffic()
    assert (traffic.connections, traffic.exchanges, traffic.mishaps) == (1, 2, 0)
    assert traffic.sent > len(sent)
    assert traffic.received > len(BODY)


def test_latency_is_a_round_trip(client: httpx.Client, proxy: Proxy) -> None:
    client.get("/")
    proxy.latency = 0.1
    begun = time.monotonic()
    client.get("/")
    assert time.monotonic() - begun >= 0.1
    assert proxy.latency == 0.1


def test_a_new_connection_costs_a_round_trip_more(client: httpx.Client, proxy: Proxy) -> None:
    proxy.latency = 0.1
    begun = time.monotonic()
    client.get("/")
    assert time.monotonic() - begun >= 0.2


def test_bandwidth_is_shared_by_all_connections(proxy: Proxy) -> None:
    client_count, each = 4, 4 * len(BODY)
    proxy.bandwidth = client_count * each / 0.5

    def fetch() -> None:
        with httpx.Client(base_url=proxy.url, timeout=30) as own:
            for _ in range(4):
                assert own.get("/").content == BODY

    threads = [threading.Thread(target=fetch) for _ in range(client_count)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 0.45


def test_both_directions_have_a_line_of_their_own() -> None:
    up, down = Line(bandwidth=100, delay=0.5), Line(bandwidth=100, delay=0.5)
    assert (up.send(0, 100).arrival, up.send(0, 100).arrival, down.send(0, 100).arrival) == (1.5, 2.5, 1.5)


def test_the_line_rests_when_nothing_is_sent() -> None:
    line = Line(bandwidth=100)
    line.send(0, 100)
    assert line.send(10, 100).start == 10


def test_cut_resets_what_is_open(proxy: Proxy, client: httpx.Client) -> None:
    with socket.create_connection(proxy.address, timeout=10) as waiting:
        client.get("/")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)
    client.close()


def test_new_connections_work_after_a_cut(proxy: Proxy, client: httpx.Client) -> None:
    client.get("/")
    proxy.cut()
    with httpx.Client(base_url=proxy.url) as another:
        assert another.get("/").content == BODY


def test_offline_refuses_at_once_and_keeps_the_port(proxy: Proxy, server: Server) -> None:
    proxy.offline()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(proxy.address, timeout=10)
    proxy.offline()
    proxy.online()
    assert httpx.get(proxy.url).content == BODY
    assert server.asked == 1


def test_stalled_says_nothing_until_online(proxy: Proxy, server: Server) -> None:
    proxy.stall()
    with httpx.Client(base_url=proxy.url, timeout=0.2) as client:
        with pytest.raises(httpx.TimeoutException):
            client.get("/")
        assert server.asked == 0
        proxy.online()
    assert httpx.get(proxy.url).content == BODY


def test_ordered_answers_never_reach_the_server(client: httpx.Client, proxy: Proxy, server: Server) -> None:
    proxy.answer(503, times=2, matching="PUT", retry_after=7)
    assert client.get("/").status_code == 200
    for _ in range(2):
        answer = client.put("/lost", content=b"x" * 300_000)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert client.put("/kept", content=b"y").status_code == 200
    assert server.stored == [("/kept", b"y")]


def test_failures_are_a_share_of_the_requests(client: httpx.Client, proxy: Proxy, server: Server) -> None:
    proxy.mischief(failures=0.3)
    found = outcomes(client, 100)
    assert set(found) <= {"200", "500", "502", "503", "429"}
    assert found.count("200") == server.asked
    assert 50 < server.asked < 90
    assert proxy.traffic().mishaps == 100 - server.asked


def test_cuts_come_before_in_and_after_what_the_server_does(client: httpx.Client, proxy: Proxy, server: Server) -> None:
    proxy.mischief(cuts=0.5)
    sent = b"x" * 200_000
    acknowledged = 0
    for number in range(60):
        with contextlib.suppress(httpx.TransportError):
            acknowledged += client.put(f"/{number}", content=sent).status_code == 200
    assert 15 < acknowledged < 45
    assert acknowledged < len(server.stored) < 60, "no answer was lost, or no request was"
    assert all(body == sent for _, body in server.stored), "half a request counted as a whole one"
    proxy.mischief()
    assert outcomes(client, 10) == ["200"] * 10


def test_truncated_answers_end_in_the_body(client: httpx.Client, proxy: Proxy, server: Server) -> None:
    proxy.mischief(truncations=1.0)
    assert outcomes(client, 5) == ["RemoteProtocolError"] * 5
    assert server.asked == 5
    proxy.mischief()
    assert outcomes(client, 5) == ["200"] * 5


def test_the_same_seed_draws_the_same() -> None:
    request = b"GET / HTTP/1.1\r\n\r\n"

    def draw(seed: int) -> list[Mishap]:
        mischief = Mischief(random.Random(seed), cuts=0.3, truncations=0.1, failures=0.3)
        return [mischief.draw(request) for _ in range(50)]

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize(
    ("beginning", "size"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", 49),
        (b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\nabcdef", 31),
        (b"", 1),
    ],
)
def test_message_size(beginning: bytes, size: int) -> None:
    assert message_size(beginning) == size


def test_a_server_that_is_down_resets_its_clients() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with (
        Proxy(address) as proxy,
        pytest.raises(ConnectionResetError),  # by the connection already, if that is slower than the proxy
        socket.create_connection(proxy.address, timeout=10) as client,
    ):
        client.recv(1)


def test_the_command_line_speaks_of_bits_and_percent() -> None:
    got = CliRunner().invoke(command_line.main, ["--target", "127.0.0.1:1", "--bandwidth", "fast"])
    assert "such as 200Mbit or 25MB" in got.output
    context, parameter = None, None
    assert command_line.bandwidth(context, parameter, "200Mbit") == 25e6  # type: ignore[arg-type]
    assert command_line.bandwidth(context, parameter, "25MB") == 25e6  # type: ignore[arg-type]
    assert command_line.probability(context, parameter, "5%") == 0.05  # type: ignore[arg-type]
