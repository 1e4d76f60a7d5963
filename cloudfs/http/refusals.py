"""What a status means to us, where providers agree. A store knows better for some requests, and looks there first."""

from __future__ import annotations

from cloudfs.errors import (
    AccessDenied,
    BrokenAnswer,
    NotFound,
    QuotaExceeded,
    SignInRequired,
    StoreError,
    VersionMismatch,
)
from cloudfs.http.message import Answer, Request

_MEANINGS: dict[int, tuple[type[StoreError], str]] = {
    401: (SignInRequired, "the server wants us to sign in again"),
    403: (AccessDenied, "the server does not allow it"),
    404: (NotFound, "not found"),
    409: (VersionMismatch, "it conflicts with what is there"),
    410: (NotFound, "not found"),
    412: (VersionMismatch, "it is something else by now"),
    413: (QuotaExceeded, "the server has no room for it"),
    423: (AccessDenied, "it is locked"),
    507: (QuotaExceeded, "the server is full"),
}


def refusal(request: Request, answer: Answer) -> StoreError:
    """The error for an answer that is no success; `BrokenAnswer` for what nobody expects."""
    kind, words = _MEANINGS.get(answer.status, (BrokenAnswer, "the server gave an answer that we do not understand"))
    detail = answer.text()
    return kind(f"{request}: {words} ({answer.status}{f' {detail}' if detail else ''})")
