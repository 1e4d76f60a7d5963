"""The floor of the network side: plain loops of HTTP requests, sixteen at a time, without a file system."""

from __future__ import annotations

import http.client
import queue
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from tests.servers.swift import Swift

CONNECTIONS = 16
SEGMENT = 32 << 20
_READ_SIZE = 1 << 20

Job = TypeVar("Job")


class Account:
    """A signed-in account. Whoever sends gets a connection of his own."""

    def __init__(self, swift: Swift) -> None:
        self._host, self._port = swift.address
        with closing(self.connect()) as connection:
            connection.request("GET", "/auth/v1.0", headers={"X-Auth-User": swift.user, "X-Auth-Key": swift.key})
            answer = connection.getresponse()
            answer.read()
        self._headers = {"X-Auth-Token": answer.headers["X-Auth-Token"]}
        self._root = urllib.parse.urlsplit(answer.headers["X-Storage-Url"]).path

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=120)

    def send(self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> int:
        """One request; returns the length of the answer's body. Raises `OSError` for a refusal."""
        return self._exchange(connection, method, path, self._headers, body)

    def read(self, connection: http.client.HTTPConnection, path: str, start: int, stop: int) -> int:
        return self._exchange(connection, "GET", path, {**self._headers, "Range": f"bytes={start}-{stop - 1}"}, None)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None,
    ) -> int:
        connection.request(method, f"{self._root}/{urllib.parse.quote(path)}", body, headers)
        answer = connection.getresponse()
        length = 0
        while chunk := answer.read(_READ_SIZE):
            length += len(chunk)
        if answer.status >= 300:
            raise OSError(f"{method} {path}: {answer.status}")
        return length


def put_tree(account: Account, container: str, tree: Path) -> float:
    """Seconds to store every file of a directory, one request each."""
    files = sorted(path for path in tree.rglob("*") if path.is_file())

    def put(connection: http.client.HTTPConnection, file: Path) -> None:
        account.send(connection, "PUT", f"{container}/{file.relative_to(tree)}", file.read_bytes())

    return _spread(account, files, put)


def get_tree(account: Account, container: str, tree: Path) -> float:
    """Seconds to fetch them again."""
    names = sorted(path.relative_to(tree) for path in tree.rglob("*") if path.is_file())

    def get(connection: http.client.HTTPConnection, name: Path) -> None:
        account.send(connection, "GET", f"{container}/{name}")

    return _spread(account, names, get)


def put_big(account: Account, container: str, name: str, file: Path) -> float:
    """Seconds to store a large file as segments; its manifest is one request more, which nobody misses here."""

    def put(connection: http.client.HTTPConnection, start: int) -> None:
        with open(file, "rb") as opened:
            opened.seek(start)
            account.send(connection, "PUT", f"{container}/{name}/{start:012}", opened.read(SEGMENT))

    return _spread(account, range(0, file.stat().st_size, SEGMENT), put)


def get_big(account: Account, container: str, name: str, size: int) -> float:
    """Seconds to fetch those segments."""

    def get(connection: http.client.HTTPConnection, start: int) -> None:
        account.send(connection, "GET", f"{container}/{name}/{start:012}")

    return _spread(account, range(0, size, SEGMENT), get)


def make_container(account: Account, container: str) -> None:
    with closing(account.connect()) as connection:
        account.send(connection, "PUT", container)


def _spread(account: Account, jobs: Iterable[Job], work: Callable[[http.client.HTTPConnection, Job], None]) -> float:
    """Seconds for all jobs on `CONNECTIONS` connections."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    failures: list[BaseException] = []

    def labour() -> None:
        connection = account.connect()
        try:
            while not failures:
                work(connection, waiting.get_nowait())
        except queue.Empty:
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    start = time.monotonic()
    _all(threading.Thread(target=labour) for _ in range(CONNECTIONS))
    if failures:
        raise failures[0]
    return time.monotonic() - start


def _all(threads: Iterable[threading.Thread]) -> None:
    started: Sequence[threading.Thread] = list(threads)
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
