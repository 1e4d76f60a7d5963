"""Pre-authenticated downloads: addresses that work without a token, refuse one, and expire."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from typing import Any

from tests.emulators.onedrive.database import Database
from tests.emulators.onedrive.refusals import Refusal, not_found
from tests.emulators.serving import Answer, Request, Slice
from tests.emulators.trouble import Trouble

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Downloads:
    """Of words for `Trouble` it has its own: ``whole``, which ignores a range and sends everything."""

    def __init__(self, database: Database, trouble: Trouble, url: str) -> None:
        self._database = database
        self._trouble = trouble
        self._url = url
        self._key = secrets.token_bytes(16)
        self.seconds = 3600.0
        """For which an address is good."""

    def expire(self) -> None:
        """Every address given so far is void."""
        self._key = secrets.token_bytes(16)

    def sign(self, item: Any) -> str:
        until = int(time.time() + self.seconds)
        return f"{self._url}/download/{item['id']}?until={until}&tempauth={self._seal(item['id'], until)}"

    async def handle(self, request: Request) -> Answer:
        """The content as it is now, whatever it was when the address was given."""
        if "authorization" in request.headers:
            raise Refusal(401, "unauthenticated", "This address does not take a token.")
        name = request.path.removeprefix("/download/")
        until = request.query.get("until", "0")
        sealed = until.isdecimal() and hmac.compare_digest(
            request.query.get("tempauth", ""), self._seal(name, int(until))
        )
        if not sealed or int(until) < time.time():
            raise Refusal(401, "unauthenticated", "The address has expired.")
        item = self._database.one("SELECT * FROM item WHERE id = ? AND deleted = 0", name)
        if item is None:
            raise not_found()
        return self._content(request, item["size"], item["blob"])

    def _content(self, request: Request, size: int, blob: str) -> Answer:
        file = self._database.blob(blob)
        wanted = _RANGE.fullmatch(request.headers.get("range", ""))
        if wanted is None or self._trouble.takes("whole", f"{request.method} {request.path}"):
            return Answer(200, Slice(file, 0, size) if size else b"")
        start = int(wanted[1])
        stop = min(int(wanted[2]) + 1, size) if wanted[2] else size
        if start >= size or stop <= start:
            raise Refusal(416, "invalidRange", headers={"Content-Range": f"bytes */{size}"})
        return Answer(206, Slice(file, start, stop), {"Content-Range": f"bytes {start}-{stop - 1}/{size}"})

    def _seal(self, item: str, until: int) -> str:
        return hmac.new(self._key, f"{item}:{until}".encode(), hashlib.sha256).hexdigest()
