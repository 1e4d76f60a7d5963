"""What a Swift server was asked for, as it counts itself: no proxy between the client and it, which would cost time."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass

from tests.servers.swift import Swift
from tests.servers.swift_counter import PATH


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of clients, and the bytes of their bodies."""

    requests: int = 0
    sent: int = 0
    """From clients to the server."""
    received: int = 0

    def __sub__(self, before: Traffic) -> Traffic:
        return Traffic(self.requests - before.requests, self.sent - before.sent, self.received - before.received)


def traffic_of(swift: Swift) -> Traffic:
    """All of it so far. The server has `Extras.counted`, and this question does not count."""
    connection = http.client.HTTPConnection(*swift.address, timeout=60)
    try:
        connection.request("GET", PATH)
        return Traffic(**json.loads(connection.getresponse().read()))
    finally:
        connection.close()
