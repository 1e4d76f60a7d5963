"""Upload sessions: a file in fragments, on an address of its own that takes no token; broken ones can go on.

Graph: ``createUploadSession``, then ``PUT`` with ``Content-Range``, in order, in multiples of 320 KiB but for the last;
202 with ``nextExpectedRanges`` means more, 200 or 201 that the file is published. ``GET`` of the address tells how far
it got. Sessions are forgotten after some time: then everything is sent again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace

from cloudfs.errors import BrokenAnswer, StoreError, Unavailable
from cloudfs.http.calls import Calls
from cloudfs.http.message import Answer, Request
from cloudfs.stores.base import Source, Transfer
from cloudfs.stores.onedrive.graph import Ask, Json, Reply, refusal
from cloudfs.stores.onedrive.quickxor import QuickXor, add_range
from cloudfs.stores.unbroken import unbroken

_log = logging.getLogger(__name__)
GRAIN = 327_680
"""Every fragment but the last is a multiple of it."""
FRAGMENT = 32 * GRAIN
"""10 MiB, which Microsoft advises."""
LARGEST = 192 * GRAIN
"""Bytes of a fragment: 60 MiB, and less than that is taken."""
_FAILURES = 5
"""In a row, without a byte of progress: then the uploader waits, and tries again later."""
_SESSIONS = 3
_GONE = frozenset({401, 403, 404, 410})
"""The session has ended, or the token in its address has; nobody can tell which, and both need a new one."""


class SessionLost(Exception):
    """It is no more; perhaps because it is complete and the answer was lost."""


@dataclass(frozen=True, slots=True)
class Session:
    """An upload under way. ``url`` is as good as a password."""

    url: str = field(repr=False)
    address: str
    size: int
    left: bool = False
    """Whether the last byte has been on its way, so that all of it may be there although nobody said so."""

    def memo(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def recalled(cls, memo: bytes | None) -> Session | None:
        try:
            return cls(**json.loads(memo)) if memo else None
        except (ValueError, TypeError):
            return None


class _Fragment:
    """The body of one request."""

    def __init__(self, upload: SessionUpload, start: int, stop: int) -> None:
        self.size = stop - start
        self._upload = upload
        self._start = start

    async def read(self, start: int, stop: int) -> bytes:
        return await self._upload.read(self._start + start, self._start + stop)


class SessionUpload:
    """One file on its way. ``begin`` opens a session at ``address``; ``before_last`` raises if it should not be
    published any more, and is asked before the last bytes leave, since a session cannot be told what it may replace:
    inside of another request, therefore (`Calls.send`)."""

    def __init__(
        self,
        calls: Calls,
        source: Source,
        transfer: Transfer,
        address: str,
        begin: Callable[[], Awaitable[Json]],
        before_last: Callable[[], Awaitable[None]],
        fragment: int,
        told: int = 0,
        *,
        note_end: bool = False,
    ) -> None:
        """``told`` bytes have been reported already, as they were sent in a session that is lost.

        ``note_end``: whether the last byte has been on its way is to be known to a later process as well.
        """
        self.told = told
        self._calls = calls
        self._source = source
        self._transfer = transfer
        self._address = address
        self._begin = begin
        self._before_last = before_last
        self._fragment = fragment
        self._note_end = note_end
        self._hasher = QuickXor()
        self._hashed = 0
        self._reached = 0
        self._session = Session("", "", 0)

    async def run(self) -> Json:
        """Send what is missing; the item that it became, or nothing if OneDrive did not say. `SessionLost`."""
        position = await self._resume()
        for _ in range(_SESSIONS):
            if position is None:
                position = await self._open()
            try:
                return await self._send_from(position)
            except SessionLost:
                if self._is_at_end():
                    raise
                position = None
        raise Unavailable("OneDrive forgets upload sessions as soon as they are made")

    def forget(self) -> None:
        """Nothing came of this session, although all of it may be there: nobody is to go on with it."""
        self._transfer.remember(b"")

    async def digest(self) -> str:
        """The hash of all that was sent, before or now."""
        await self._hash_up_to(self._source.size)
        return self._hasher.finish(self._source.size)

    async def read(self, start: int, stop: int) -> bytes:
        """Bytes of the source, as they leave."""
        data = await self._source.read(start, stop)
        if stop == self._source.size:
            await self._before_last()
            self._session = replace(self._session, left=True)
            if self._note_end:
                self._transfer.remember(self._session.memo())
        return data

    async def _hash_up_to(self, stop: int) -> None:
        if self._hashed < stop:
            await add_range(self._hasher, self._source, self._hashed, stop)
            self._hashed = stop

    # --- sessions ----------------------------------------------------------------------------------------------------

    async def _resume(self) -> int | None:
        """Where an earlier attempt, perhaps of another process, came to; None if there is nothing to go on with.

        `SessionLost` if that one may have come to the end.
        """
        session = Session.recalled(self._transfer.recall())
        if session is None or (session.address, session.size) != (self._address, self._source.size):
            return None
        self._session = session
        try:
            position = await self._position()
        except SessionLost:
            if session.left:
                raise
            return None
        _log.info("an upload of %d bytes goes on at %d", session.size, position)
        return position

    async def _open(self) -> int:
        found = await self._begin()
        try:
            self._session = Session(str(found["uploadUrl"]), self._address, self._source.size)
        except KeyError:
            raise BrokenAnswer("OneDrive began an upload without saying where") from None
        if self._source.size > self._fragment:
            self._transfer.remember(self._session.memo())
        return 0

    async def _position(self) -> int:
        """The next byte that is expected; the size of the file if none is. Raises `SessionLost`."""
        answer = await self._calls.send(Request("GET", self._session.url, what="an upload session"))
        if answer.status in _GONE:
            raise SessionLost
        return self._next(_json(answer)) if answer.succeeded else self._fail(answer)

    def _next(self, found: Json) -> int:
        ranges = found.get("nextExpectedRanges")
        if not isinstance(ranges, list):
            raise BrokenAnswer("OneDrive did not say what it expects next")
        try:
            position = min((int(str(each).partition("-")[0]) for each in ranges), default=self._source.size)
        except ValueError:
            raise BrokenAnswer("OneDrive did not say what it expects next") from None
        if not 0 <= position <= self._source.size:
            raise BrokenAnswer("OneDrive expects bytes that the file does not have")
        return position

    # --- fragments ---------------------------------------------------------------------------------------------------

    async def _send_from(self, position: int) -> Json:
        failures = 0
        while True:
            self._tell(position)
            if position == self._source.size:
                raise SessionLost  # all of it is there, and the answer that said so is not
            try:
                outcome = await self._send_fragment(position)
            except Unavailable:
                failures += 1
                if failures >= _FAILURES:
                    raise
                outcome = await self._position()
            if not isinstance(outcome, int):
                self._tell(self._source.size)
                return outcome
            failures = 0 if outcome > position else failures + 1
            if failures >= _FAILURES:
                raise Unavailable("OneDrive does not take the next part of an upload")
            position = outcome

    async def _send_fragment(self, start: int) -> int | Json:
        """The next position, or the item once it is published."""
        stop = min(start + self._fragment, self._source.size)
        headers = {"Content-Range": f"bytes {start}-{stop - 1}/{self._source.size}"}
        request = Request("PUT", self._session.url, headers, _Fragment(self, start, stop), "a part of a file")
        # What of the source is at the store only has to be fetched before there is a request that would wait for it.
        await self._hash_up_to(stop)
        # With a place for the body it is sent once: after a failure we ask how much of it arrived.
        body = bytearray()

        async def send() -> Answer:
            return await self._calls.send(request, into=body)

        # The last one publishes: then it should be known what became of it.
        answer = await (unbroken(send) if stop == self._source.size else send())
        if answer.succeeded:
            answer = replace(answer, body=bytes(body))
        if answer.status == 202:
            return self._next(_json(answer))
        if answer.succeeded:
            return _json(answer)
        if answer.status == 416:
            return await self._position()
        if answer.status in _GONE:
            raise SessionLost
        return self._fail(answer)

    def _tell(self, position: int) -> None:
        self._reached = position
        if position > self.told:
            self._transfer.advance(position - self.told)
            self.told = position

    def _is_at_end(self) -> bool:
        """Whether the last fragment has been on its way."""
        return self._reached == self._source.size or self._session.left

    def _fail(self, answer: Answer) -> int:
        error: StoreError = refusal(Ask("PUT", "", what="an upload"), Reply(answer.status, _json(answer)))
        raise error


def _json(answer: Answer) -> Json:
    """What is no JSON is nothing: the body of the last answer is sometimes empty."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
