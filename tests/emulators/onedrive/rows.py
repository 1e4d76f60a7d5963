"""driveItem and drive, as JSON."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.emulators.onedrive.items import Drive, Item, Items, ctag, etag

DOWNLOAD_URL = "@microsoft.graph.downloadUrl"


class Rows:
    """Knows the address under which downloads are, which is not Graph's."""

    def __init__(self, items: Items, sign_download: Any) -> None:
        self._items = items
        self._sign = sign_download
        self.show_hashes = True

    def item(self, drive: Drive, item: Item, select: str | None = None, *, feed: bool = False) -> dict[str, Any]:
        found = self._deleted(drive, item) if item["deleted"] else self._whole(drive, item, feed=feed)
        if select is None:
            return found
        wanted = {word.strip() for word in select.split(",")} | {"@odata.etag"}
        # As the service does more often than not: an annotation does not survive a selection.
        return {key: value for key, value in found.items() if key in wanted and key != DOWNLOAD_URL}

    def _whole(self, drive: Drive, item: Item, *, feed: bool) -> dict[str, Any]:
        business = drive["kind"] != "personal"
        is_file = item["kind"] == "file"
        found: dict[str, Any] = {
            "id": item["id"],
            "name": item["name"],
            "size": item["size"],
            "eTag": etag(item),
            "createdDateTime": item["created"],
            "lastModifiedDateTime": item["client_modified"] if business else item["modified"],
            "fileSystemInfo": {
                "createdDateTime": item["client_created"],
                "lastModifiedDateTime": item["client_modified"],
            },
            "parentReference": self._parent(drive, item, feed=feed),
            "webUrl": f"https://onedrive.example/{item['id']}",
        }
        if not business or (is_file and not feed):
            found["cTag"] = ctag(item)
        if is_file:
            hashes = {"quickXorHash": item["hash"]} if self.show_hashes and item["hash"] else {}
            found["file"] = {"mimeType": "application/octet-stream", "hashes": hashes}
            found[DOWNLOAD_URL] = self._sign(item)
        elif item["kind"] == "package":
            found["package"] = {"type": "oneNote"}
        else:
            found["folder"] = {"childCount": self._items.count_children(item)}
        if item["kind"] == "root":
            found["root"] = {}
        return found

    def _parent(self, drive: Drive, item: Item, *, feed: bool) -> dict[str, Any]:
        found = {"driveId": drive["id"], "driveType": drive["kind"]}
        if item["parent"] is not None:
            found["id"] = item["parent"]
            if not feed:
                folder = self._items.path(item).rpartition("/")[0]
                found["path"] = "/drive/root:" + (f"/{quote(folder)}" if folder else "")
        return found

    def _deleted(self, drive: Drive, item: Item) -> dict[str, Any]:
        """Business drives leave out the tag and the name, personal ones the tag and the size."""
        parent = {"driveId": drive["id"], "driveType": drive["kind"], "id": item["parent"]}
        found = {"id": item["id"], "deleted": {"state": "deleted"}, "parentReference": parent}
        return {**found, "name": item["name"]} if drive["kind"] == "personal" else {**found, "size": item["size"]}

    def drive(self, drive: Drive, owner: str) -> dict[str, Any]:
        used, deleted = self._items.used(drive)
        total = drive["total"]
        remaining = max(0, total - used - deleted)
        quota = {
            "total": total,
            "used": used if total else 0,
            "remaining": remaining,
            "deleted": deleted if total else 0,
        }
        return {
            "id": drive["id"],
            "driveType": drive["kind"],
            "name": drive["name"],
            "owner": {"user": {"email": owner, "displayName": owner.partition("@")[0]}},
            "quota": {**quota, "state": "normal" if remaining or not total else "exceeded"},
        }
