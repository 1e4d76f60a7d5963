import socket

from benchmarks.traffic import Ear, Traffic


def test_what_clients_asked_for_is_counted_and_what_the_server_asked_itself_is_not() -> None:
    with Ear() as ear, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        for line in (
            b"<134>proxy-server: PUT 201 5 - - (txn: tx1)\0",
            b"<134>proxy-server: HEAD 204 - - RL (txn: tx1)\0",
            b"<134>proxy-server: GET 200 - 70 - (txn: tx2)\0",
        ):
            server.sendto(line, ("127.0.0.1", ear.port))
        assert ear.heard() == Traffic(requests=2, sent=5, received=70)
