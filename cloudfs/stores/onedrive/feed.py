"""What changed in the drive: Graph's ``delta``, whose cursors are addresses.

It tells of the whole drive (a sub-folder's feed works in personal drives only), of folders above a change too, and of
items by id alone, so a folder that moved does not mention what is in it. Business drives leave the content tag out:
what is not known by its eTag is asked for.
"""

from __future__ import annotations

from typing import Any

from cloudfs.errors import BrokenAnswer, NotFound
from cloudfs.stores.base import Change, Changes
from cloudfs.stores.onedrive.drive import Drive
from cloudfs.stores.onedrive.graph import Invalid
from cloudfs.stores.onedrive.items import Item, parse_item
from cloudfs.stores.parallel import in_parallel


class DriveFeed:
    """A `Feed`."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    async def changes(self, cursor: str | None) -> Changes:
        """As `cloudfs.stores.base.Feed.changes`. A cursor that Graph does not take any more is `NotFound`."""
        await self._drive.ready()
        graph = self._drive.graph
        if cursor is None:
            found = await graph.get(f"{self._drive.path}/root/delta?token=latest", "changes")
        else:
            try:
                found = await graph.follow(cursor, "changes")
            except Invalid as error:
                # "Invalid paging token" means the same as 410: it will never be taken again.
                raise NotFound(str(error)) from None
        following, last = found.get("@odata.nextLink"), found.get("@odata.deltaLink")
        if not isinstance(following or last, str):
            raise BrokenAnswer("OneDrive told changes without saying how to go on")
        rows = [] if cursor is None else found.get("value", [])
        return Changes(await self._changes(rows), str(following or last), more=following is not None)

    async def _changes(self, rows: list[dict[str, Any]]) -> list[Change]:
        latest = {str(row.get("id")): row for row in rows}
        changes = await in_parallel(lambda found: self._change(*found), latest.items())
        return [change for change in changes if change is not None]

    async def _change(self, identity: str, row: dict[str, Any]) -> Change | None:
        """None for what no mount shows."""
        if "deleted" in row:
            self._drive.forget(identity)
            return Change(identity, str((row.get("parentReference") or {}).get("id", "")), None)
        item: Item | None = parse_item(row)
        if item is not None and not item.is_folder and not item.ctag:
            item = await self._completed(item)
        if item is None:
            return Change(identity, "", None)
        if item.is_hidden or (item.is_root and item.id != self._drive.facts.root):
            return None
        parent = "" if item.id == self._drive.facts.root else item.parent
        return Change(identity, parent, item.entry())

    async def _completed(self, item: Item) -> Item | None:
        known = self._drive.known(item.id)
        if known is not None and known.etag == item.etag:
            return known
        try:
            return await self._drive.look(item.id, "a change")
        except NotFound:
            return None
