"""Upload sessions: fragments in order, each a multiple of 320 KiB, on an address that takes no token."""

from __future__ import annotations

import json
import re
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any

import trio

from tests.emulators.onedrive.accounts import stamp
from tests.emulators.onedrive.database import Database
from tests.emulators.onedrive.items import Content, Drive, Item, Items, check_match
from tests.emulators.onedrive.quickxor import hash_file
from tests.emulators.onedrive.refusals import Refusal, exists, not_found
from tests.emulators.onedrive.rows import Rows
from tests.emulators.serving import Answer, HangUp, Request
from tests.emulators.trouble import Order, Trouble

GRAIN = 327_680
LARGEST = 62_914_560
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_SECONDS = 900.0
_REWRITTEN = (".docx", ".xlsx", ".pptx", ".html")


class Uploads:
    """Of the words for `Trouble` it has its own: ``partial``, ``empty``, ``wrong_size``, ``damage``, ``tempauth``."""

    def __init__(self, database: Database, items: Items, rows: Rows, trouble: Trouble, url: str) -> None:
        self._database = database
        self._items = items
        self._rows = rows
        self._trouble = trouble
        self._url = url

    def create(
        self, drive: Drive, parent: Item, name: str, behaviour: str, facts: dict[str, Any], if_match: str | None
    ) -> dict[str, Any]:
        session = secrets.token_urlsafe(24)
        self._database.do(
            "INSERT INTO session (id, drive, parent, name, behaviour, times, if_match, expires)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            session,
            drive["id"],
            parent["id"],
            name,
            behaviour,
            json.dumps(facts.get("fileSystemInfo") or {}),
            if_match,
            time.time() + _SECONDS,
        )
        self._file(session).touch()
        return {"uploadUrl": f"{self._url}/upload/{session}", **self._progress(self._session(session))}

    async def handle(self, request: Request) -> Answer:
        if "authorization" in request.headers:
            raise Refusal(401, "unauthenticated", "This address does not take a token.")
        line = f"{request.method} {request.path}"
        if self._trouble.takes("tempauth", line):
            raise Refusal(403, "accessDenied", "The tempauth token has expired.")
        session = self._session(request.path.removeprefix("/upload/"))
        if request.method == "GET":
            return Answer.json(200, self._progress(session))
        if request.method == "DELETE":
            self._end(session)
            return Answer(204)
        if request.method != "PUT":
            raise Refusal(405, "invalidRequest", "Only GET, PUT and DELETE.")
        return await self._fragment(request, session, line)

    async def _fragment(self, request: Request, session: sqlite3.Row, line: str) -> Answer:
        start, stop, total = self._check_range(request, session)
        partial = self._trouble.takes("partial", line)
        arrived = await self._receive(request, session, start, partial.bytes if partial else None)
        session = self._session(session["id"])
        if partial or start + arrived < stop:
            raise HangUp
        if stop < total:
            return Answer.json(202, self._progress(session))
        return await self._commit(session, line)

    def _check_range(self, request: Request, session: sqlite3.Row) -> tuple[int, int, int]:
        found = _RANGE.fullmatch(request.headers.get("content-range", ""))
        length = request.headers.get("content-length", "")
        if found is None or not length.isdecimal():
            raise Refusal(400, "invalidRequest", "Content-Range and Content-Length are needed.")
        start, stop, total = int(found[1]), int(found[2]) + 1, int(found[3])
        if stop - start != int(length) or not start < stop <= total or stop - start > LARGEST:
            raise Refusal(400, "invalidRequest", "The range and the length of the fragment disagree.")
        if session["total"] not in (-1, total):
            raise Refusal(400, "invalidRequest", "The total changed.")
        if stop < total and (stop - start) % GRAIN:
            raise Refusal(400, "invalidRequest", "A fragment has to be a multiple of 320 KiB.")
        if start != session["received"]:
            inner = "fragmentOverlap" if start < session["received"] else "fragmentOutOfOrder"
            raise Refusal(416, "invalidRange", "The range is not the next one.", inner)
        self._database.do("UPDATE session SET total = ? WHERE id = ?", total, session["id"])
        return start, stop, total

    async def _receive(self, request: Request, session: sqlite3.Row, start: int, keep: int | None) -> int:
        """How many bytes are kept: all or nothing of a fragment, unless a test wants otherwise."""
        arrived = 0
        pieces: list[bytes] = []
        try:
            async for chunk in request.body:
                arrived += len(chunk)
                pieces.append(chunk)
                if keep is not None and arrived >= keep:
                    break
        finally:
            self._database.do("UPDATE session SET arrived = arrived + ? WHERE id = ?", arrived, session["id"])
        data = b"".join(pieces)[:keep]
        now = self._session(session["id"])  # a second request for the same fragment may have been quicker
        if now["received"] != start:
            raise Refusal(416, "invalidRange", "The range is not the next one.", "fragmentOverlap")
        with open(self._file(session["id"]), "r+b") as file:  # noqa: ASYNC230
            file.seek(start)
            file.write(data)
        self._database.do(
            "UPDATE session SET received = ?, expires = ? WHERE id = ?",
            start + len(data),
            time.time() + _SECONDS,
            session["id"],
        )
        return len(data)

    async def _commit(self, session: sqlite3.Row, line: str) -> Answer:
        drive = self._database.one("SELECT * FROM drive WHERE id = ?", session["drive"])
        assert drive is not None
        blob = self._database.new_blob()
        file = self._file(session["id"])
        if self._trouble.takes("damage", line):
            _flip(file)
        if drive["kind"] == "documentLibrary" and session["name"].endswith(_REWRITTEN):
            with open(file, "ab") as opened:  # noqa: ASYNC230
                opened.write(b"<!-- rewritten -->")
        content = Content(blob.name, file.stat().st_size, await trio.to_thread.run_sync(hash_file, file))
        parent = self._items.get(drive, session["parent"])
        self._items.require_room(drive, content.size)
        there = self._items.child(parent, session["name"])
        if there is not None and (session["behaviour"] == "fail" or there["kind"] != "file"):
            raise exists()
        if there is not None:
            check_match(there, session["if_match"])
        times = json.loads(session["times"])
        file.rename(blob)
        status = 200 if there is not None else 201
        if there is not None:
            item = self._items.rewrite(drive, there, content, times)
        else:
            item = self._items.add(drive, parent, session["name"], "file", content, times)
        self._end(session)
        return self._said(Answer.json(status, self._rows.item(drive, item)), line)

    def _said(self, answer: Answer, line: str) -> Answer:
        if self._trouble.takes("empty", line):
            return Answer(answer.status)
        order: Order | None = self._trouble.takes("wrong_size", line)
        if order is None:
            return answer
        assert isinstance(answer.body, bytes)
        item = json.loads(answer.body)
        item["size"] += order.bytes or 1
        item["file"]["hashes"] = {}
        return Answer.json(answer.status, item)

    def expire(self) -> int:
        return self._database.do("UPDATE session SET expires = 0")

    def _session(self, session: str) -> sqlite3.Row:
        found = self._database.one("SELECT * FROM session WHERE id = ? AND expires > ?", session, time.time())
        # A session does not outlive its folder.
        if found is None or not self._database.one("SELECT 1 FROM item WHERE id = ? AND deleted = 0", found["parent"]):
            raise not_found("The upload session was not found")
        return found

    def _progress(self, session: sqlite3.Row) -> dict[str, Any]:
        whole = session["received"] == session["total"]
        return {
            "expirationDateTime": stamp(session["expires"]),
            "nextExpectedRanges": [] if whole else [f"{session['received']}-"],
        }

    def _end(self, session: sqlite3.Row) -> None:
        self._database.do("UPDATE session SET expires = 0 WHERE id = ?", session["id"])
        self._file(session["id"]).unlink(missing_ok=True)

    def _file(self, session: str) -> Path:
        return self._database.blob(f"session-{session}")


def _flip(file: Path) -> None:
    with open(file, "r+b") as opened:
        first = opened.read(1)
        opened.seek(0)
        opened.write(bytes([first[0] ^ 1]))
