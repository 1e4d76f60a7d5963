"""OAuth 1.0a (RFC 5849), as Ubuntu One used it: every request is signed, for one address, one moment, once.

The moment has to be right by the server's clock, so a 401 from a server whose ``Date`` is far from ours is no verdict:
the difference is remembered, and the request signed again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_PLAINTEXT, Client

from cloudfs.errors import UsageError
from cloudfs.http.message import Origin, Request, split_url

_log = logging.getLogger(__name__)
_METHODS = {"HMAC-SHA1": SIGNATURE_HMAC_SHA1, "PLAINTEXT": SIGNATURE_PLAINTEXT}
_SKEW = 60.0
"""Seconds between two clocks that are worth a second attempt. Servers refuse after about five minutes."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """Four strings, which are good until somebody revokes them."""

    consumer: str
    consumer_secret: str = field(repr=False)
    token: str = field(repr=False)
    token_secret: str = field(repr=False)


class Signer:
    """Signs requests to ``origins`` and nowhere else, with what ``load`` gives. ``now`` is the wall clock.

    `prepare` comes before the first request.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[Credentials]],
        method: str,
        origins: Collection[Origin],
        now: Callable[[], float],
    ) -> None:
        """``method`` is ``HMAC-SHA1`` or ``PLAINTEXT``. `UsageError` if that would tell the secrets to everybody."""
        for origin in origins:
            if method == "PLAINTEXT" and origin.scheme != "https" and origin.host not in _LOOPBACK:
                raise UsageError(f"{origin}: PLAINTEXT signatures need https; take HMAC-SHA1")
        self._load = load
        self._method = _METHODS[method]
        self._origins = frozenset(origins)
        self._now = now
        self._offset = 0.0
        self._credentials: Credentials | None = None

    async def prepare(self) -> None:
        """Know the credentials. `SignInRequired` if there are none."""
        if self._credentials is None:
            self._credentials = await self._load()

    def sign(self, request: Request) -> Request:
        """The request with its signature; as it is if it goes elsewhere, or is signed in another way."""
        known = self._credentials
        if known is None or split_url(request.url)[0] not in self._origins or "Authorization" in request.headers:
            return request
        client = Client(
            known.consumer,
            known.consumer_secret,
            known.token,
            known.token_secret,
            signature_method=self._method,
            timestamp=str(int(self._now() + self._offset)),
        )
        # Only the address is signed: no call has a form for its body.
        _, headers, _ = client.sign(request.url, http_method=request.method)  # type: ignore[arg-type]
        return replace(request, headers={**request.headers, **headers})

    async def refused(self, date: datetime | None) -> bool:
        """After a 401 of ``date``: whether another attempt is worth while, as something is known that was not.

        Raises `SignInRequired` if nobody is signed in any more.
        """
        if date is not None and date.tzinfo is not None:
            offset = date.timestamp() - self._now()
            if abs(offset - self._offset) > _SKEW:
                _log.warning("this machine's clock is %.0f s off; the server's is used to sign", offset)
                self._offset = offset
                return True
        before, self._credentials = self._credentials, await self._load()
        return self._credentials != before
