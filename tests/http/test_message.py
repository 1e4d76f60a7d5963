"""Requests, answers and addresses."""

from __future__ import annotations

import pytest

from cloudfs.errors import AccessDenied, BrokenAnswer, NotFound, QuotaExceeded, SignInRequired, VersionMismatch
from cloudfs.http.message import Answer, Headers, Origin, Request, split_url
from cloudfs.http.refusals import refusal


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("http://host", Origin("http", "host", 80), "/"),
        ("https://host:8443/a/../b?c=%2F", Origin("https", "host", 8443), "/a/../b?c=%2F"),
        ("http://[::1]:80/x", Origin("http", "::1", 80), "/x"),
    ],
)
def test_addresses(url: str, origin: Origin, target: str) -> None:
    assert split_url(url) == (origin, target)


@pytest.mark.parametrize("url", ["", "host/path", "ftp://host/", "http:///x", "http://host:port/"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(BrokenAnswer):
        split_url(url)


def test_authority() -> None:
    assert Origin("http", "::1", 8080).authority == "[::1]:8080"
    assert Origin("https", "host", 443).authority == "host"


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [("", None), ("12", 12), ("0.5", 0.5), ("-3", 0), ("Thu, 01 Jan 1970 00:01:40 GMT", 90), ("soon", None)],
)
def test_retry_after(wish: str, seconds: float | None) -> None:
    answer = Answer(429, Headers([(b"Retry-After", wish.encode())]))
    assert answer.retry_after(now=10.0) == seconds


@pytest.mark.parametrize("wrong_by", [-86_400, 86_400])
def test_a_date_to_come_back_at_is_one_of_the_servers_clock(wrong_by: int) -> None:
    headers = [(b"Date", b"Tue, 14 Nov 2023 22:13:20 GMT"), (b"Retry-After", b"Tue, 14 Nov 2023 22:13:50 GMT")]
    assert Answer(503, Headers(headers)).retry_after(now=1_700_000_000.0 + wrong_by) == 30


def test_headers_of_any_case() -> None:
    headers = Headers([(b"X-One", b"a"), (b"x-one", b"b"), (b"Etag", "ä".encode())])
    assert (headers["x-One"], headers["ETAG"], headers.get("none"), len(headers)) == ("a, b", "ä", None, 2)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BrokenAnswer),
        (401, SignInRequired),
        (403, AccessDenied),
        (404, NotFound),
        (412, VersionMismatch),
        (413, QuotaExceeded),
        (507, QuotaExceeded),
    ],
)
def test_refusals(status: int, error: type[Exception]) -> None:
    found = refusal(Request("PUT", "http://host/secret", what="a file"), Answer(status, Headers(), b"<b>why\nnot</b>"))
    assert type(found) is error
    assert "PUT a file" in str(found)
    assert "why not" in str(found)
    assert "secret" not in str(found)
