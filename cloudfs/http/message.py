"""Requests and answers, and where they go. Values only: `cloudfs.http.client` sends them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import quote, urljoin, urlsplit

from cloudfs.errors import BrokenAnswer

_PORTS = {"http": 80, "https": 443}
_MEANINGFUL = "%:/?#[]@!$&'()*+,;="
"""What is in an address as it is (RFC 3986, 2.2), and the sign of what is quoted already."""


class Body(Protocol):
    """The bytes of a request, which can be read again if it has to be sent again. A store's `Source` is one."""

    size: int

    async def read(self, start: int, stop: int) -> bytes:
        """Exactly ``stop - start`` bytes."""
        ...


class Sink(Protocol):
    """Where the body of an answer goes as it arrives; a bytearray is one."""

    def extend(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Origin:
    """A server: what a connection leads to."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """What the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Request:
    """``url`` is absolute and quoted already: its path and query are sent as they are, dots, slashes and all.

    Header values are text, and leave as UTF-8; those of an answer (`Headers`) leave as they came. Neither ``headers``
    nor ``url`` is ever in a message or a ``repr``, because they may hold secrets; ``what`` is how logs and errors call
    the request. ``repeatable`` is for a POST of which the server makes the same if it comes twice. ``quiet`` is for how
    many seconds the server may say nothing, if that is not what all requests are given.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Body = field(default=b"", repr=False)
    what: str = ""
    repeatable: bool = False
    quiet: float | None = None

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.size

    @property
    def is_idempotent(self) -> bool:
        """Whether sending it twice does no harm if nobody knows what became of the first."""
        return self.repeatable or self.method != "POST"

    def __str__(self) -> str:
        return f"{self.method} {self.what}" if self.what else self.method


class Headers(Mapping[str, str]):
    """The headers of an answer. Names are of any case; several of one name are joined by a comma."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Sequence[tuple[bytes, bytes]] = ()) -> None:
        values: dict[str, str] = {}
        for raw_name, raw_value in pairs:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", "surrogateescape")
            values[name] = f"{values[name]}, {value}" if name in values else value
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. ``body`` is empty if the request had a place of its own for it."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    def text(self, limit: int = 200) -> str:
        """The beginning of the body in one line, for a message to a person."""
        return " ".join(self.body[: 4 * limit].decode("utf-8", "replace").split())[:limit]

    def retry_after(self, now: float) -> float | None:
        """Seconds that the server wants to be left alone for (RFC 9110, 10.2.3).

        A date is compared with the server's own clock if the answer tells it, and else with ``now``, the wall clock.
        """
        wish = self.headers.get("retry-after", "").strip()
        if not wish:
            return None
        try:
            return max(0.0, float(wish))
        except ValueError:
            pass
        try:
            moment = parsedate_to_datetime(wish)
        except ValueError:
            return None
        answered = self.date()
        return max(0.0, _seconds(moment) - (now if answered is None else _seconds(answered)))

    def date(self) -> datetime | None:
        """When the server answered, by its own clock."""
        try:
            return parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None


def _seconds(moment: datetime) -> float:
    """Since the epoch; without a time zone it is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def split_url(url: str) -> tuple[Origin, str]:
    """The server, and the target to ask it for, as it is. Raises `BrokenAnswer` for anything but http and https."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _PORTS:
        raise BrokenAnswer("not a web address of http:// or https://")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme]), target


def resolve(base: str, location: str) -> str:
    """The address that a redirection leads to. What is not quoted in it, although it should be, is quoted."""
    return quote(urljoin(base, location), safe=_MEANINGFUL, errors="surrogateescape")
