"""The feed of changes."""

from __future__ import annotations

from typing import Any

from tests.emulators.onedrive.database import Database
from tests.emulators.onedrive.items import Drive, Items
from tests.emulators.onedrive.refusals import Refusal, invalid
from tests.emulators.onedrive.rows import Rows
from tests.emulators.serving import Answer


class Delta:
    """A token is ``EPOCH.SEQ``: all that has a later number is news, deleted items too, but not without a token."""

    def __init__(self, database: Database, items: Items, rows: Rows, url: str) -> None:
        self._database = database
        self._items = items
        self._rows = rows
        self._url = url

    def answer(self, path: str, drive: Drive, token: str | None, top: str | None) -> Answer:
        base = f"{self._url}/v1.0{path.partition('(')[0]}"
        if token == "latest":
            return Answer.json(200, {"value": [], "@odata.deltaLink": f"{base}?token={drive['epoch']}.{drive['seq']}"})
        after = self._after(base, drive, token)
        limit = min(int(top or drive["page"]), drive["page"])
        rows = self._database.all(
            "SELECT * FROM item WHERE drive = ? AND seq > ? AND (deleted = 0 OR ?) ORDER BY seq LIMIT ?",
            drive["id"],
            after,
            token is not None,
            limit + 1,
        )
        found: dict[str, Any] = {"value": [self._rows.item(drive, row, feed=True) for row in rows[:limit]]}
        if len(rows) > limit:
            found["@odata.nextLink"] = f"{base}?token={drive['epoch']}.{rows[limit - 1]['seq']}"
        else:
            found["@odata.deltaLink"] = f"{base}?token={drive['epoch']}.{drive['seq']}"
        return Answer.json(200, found)

    def _after(self, base: str, drive: Drive, token: str | None) -> int:
        if token is None:
            return -1
        epoch, dot, seq = token.partition(".")
        if not dot or not epoch.isdecimal() or not seq.isdecimal():
            raise invalid("Invalid paging token.")
        if int(epoch) != drive["epoch"]:
            headers = {"Location": base}
            raise Refusal(410, "resyncRequired", "Resync required.", "resyncChangesApplyDifferences", headers)
        return int(seq)
