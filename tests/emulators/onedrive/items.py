"""The tree of a drive: what exists, under which name; and what every change does to tags, versions and the feed."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.emulators.onedrive.accounts import new_id, stamp
from tests.emulators.onedrive.database import Database
from tests.emulators.onedrive.names import check_name, check_path, fold
from tests.emulators.onedrive.refusals import Refusal, exists, not_found

Item = sqlite3.Row
Drive = sqlite3.Row


@dataclass(frozen=True)
class Content:
    """Bytes that have arrived whole."""

    blob: str
    size: int
    hash: str


class Items:
    def __init__(self, database: Database) -> None:
        self._database = database

    # --- finding -----------------------------------------------------------------------------------------------------

    def get(self, drive: Drive, item: str) -> Item:
        found = self._database.one("SELECT * FROM item WHERE id = ? AND drive = ? AND deleted = 0", item, drive["id"])
        if found is None:
            raise not_found()
        return found

    def root(self, drive: Drive) -> Item:
        found = self._database.one("SELECT * FROM item WHERE drive = ? AND parent IS NULL", drive["id"])
        assert found is not None
        return found

    def child(self, parent: Item, name: str) -> Item | None:
        """By name, in any case."""
        return self._database.one(
            "SELECT * FROM item WHERE parent = ? AND folded = ? AND deleted = 0", parent["id"], fold(name)
        )

    def walk(self, start: Item, names: list[str]) -> Item:
        for name in names:
            found = self.child(start, name)
            if found is None:
                raise not_found()
            start = found
        return start

    def path(self, item: Item) -> str:
        """Without a leading slash; empty for the root."""
        names: list[str] = []
        while item["parent"] is not None:
            names.append(item["name"])
            found = self._database.one("SELECT * FROM item WHERE id = ?", item["parent"])
            assert found is not None
            item = found
        return "/".join(reversed(names))

    def children(self, parent: Item, after: str, limit: int) -> list[Item]:
        """In the order of their names."""
        return self._database.all(
            "SELECT * FROM item WHERE parent = ? AND deleted = 0 AND folded > ? ORDER BY folded LIMIT ?",
            parent["id"],
            after,
            limit,
        )

    def count_children(self, parent: Item) -> int:
        found = self._database.one("SELECT COUNT(*) AS n FROM item WHERE parent = ? AND deleted = 0", parent["id"])
        return int(found["n"]) if found else 0

    def used(self, drive: Drive) -> tuple[int, int]:
        """Bytes of what exists with its versions, and of what is in the recycle bin."""
        found = self._database.one("SELECT used, binned FROM drive WHERE id = ?", drive["id"])
        assert found is not None
        return int(found["used"]), int(found["binned"])

    def require_room(self, drive: Drive, size: int) -> None:
        if drive["total"] and sum(self.used(drive)) + size > drive["total"]:
            raise Refusal(507, "quotaLimitReached", "The user has reached their quota limit.")

    # --- changing ----------------------------------------------------------------------------------------------------

    def check_place(self, drive: Drive, parent: Item, name: str, *, is_folder: bool) -> None:
        """Raises the refusal of a name, whatever is there already."""
        if parent["kind"] not in ("root", "folder"):
            raise not_found("The parent is not a folder.")
        in_root = parent["kind"] == "root"
        check_name(name, drive_kind=drive["kind"], in_root=in_root, is_folder=is_folder)
        check_path(f"{self.path(parent)}/{name}".lstrip("/"))

    def add(
        self, drive: Drive, parent: Item, name: str, kind: str, content: Content | None, times: Mapping[str, str]
    ) -> Item:
        """A new item; 409 if the name is taken."""
        self.check_place(drive, parent, name, is_folder=kind != "file")
        if self.child(parent, name) is not None:
            raise exists()
        now = stamp()
        content = content or Content("", 0, "")
        item = new_id(drive["id"], drive["kind"])
        self._database.do(
            "INSERT INTO item (id, drive, parent, name, folded, kind, guid, size, hash, blob, created, modified,"
            " client_created, client_modified, seq) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            item,
            drive["id"],
            parent["id"],
            name,
            fold(name),
            kind,
            str(uuid.uuid4()).upper(),
            content.size,
            content.hash,
            content.blob,
            now,
            now,
            times.get("createdDateTime", now),
            times.get("lastModifiedDateTime", now),
            self._news(drive),
        )
        self._tell_parent(drive, parent["id"])
        return self.get(drive, item)

    def rewrite(self, drive: Drive, item: Item, content: Content, times: Mapping[str, str]) -> Item:
        """Other bytes; the old ones become a version."""
        self.keep_version(item)
        now = stamp()
        self._database.do(
            "UPDATE item SET size = ?, hash = ?, blob = ?, modified = ?, client_modified = ?, etag = etag + 1,"
            " ctag = ctag + 1, seq = ? WHERE id = ?",
            content.size,
            content.hash,
            content.blob,
            now,
            times.get("lastModifiedDateTime", now),
            self._news(drive),
            item["id"],
        )
        self._tell_parent(drive, item["parent"])
        return self.get(drive, item["id"])

    def set_times(self, drive: Drive, item: Item, times: Mapping[str, str]) -> Item:
        """For files in business drives that makes a version."""
        if item["kind"] == "file" and drive["kind"] != "personal":
            self.keep_version(item)
        self._database.do(
            "UPDATE item SET client_modified = ?, client_created = ?, etag = etag + 1, seq = ? WHERE id = ?",
            times.get("lastModifiedDateTime", item["client_modified"]),
            times.get("createdDateTime", item["client_created"]),
            self._news(drive),
            item["id"],
        )
        return self.get(drive, item["id"])

    def move(self, drive: Drive, item: Item, parent: Item, name: str, *, replace: bool) -> Item:
        """Under another name; what was there goes to the recycle bin. The mtime is lost, unless it is given again."""
        if item["parent"] is None:
            raise Refusal(403, "accessDenied", "The root cannot be moved.")
        self.check_place(drive, parent, name, is_folder=item["kind"] != "file")
        self._refuse_cycle(item, parent)
        there = self.child(parent, name)
        if there is not None and there["id"] != item["id"]:
            if not replace or "file" not in (there["kind"], item["kind"]) or there["kind"] != item["kind"]:
                raise exists()
            self.delete(drive, there)
        moved = (item["parent"], item["name"]) != (parent["id"], name)
        self._database.do(
            "UPDATE item SET parent = ?, name = ?, folded = ?, etag = etag + 1, modified = ?, client_modified = ?,"
            " seq = ? WHERE id = ?",
            parent["id"],
            name,
            fold(name),
            stamp(),
            stamp() if moved else item["client_modified"],
            self._news(drive),
            item["id"],
        )
        self._tell_parent(drive, item["parent"])
        self._tell_parent(drive, parent["id"])
        return self.get(drive, item["id"])

    def delete(self, drive: Drive, item: Item) -> None:
        """To the recycle bin, with all that is in it."""
        if item["parent"] is None:
            raise Refusal(403, "accessDenied", "The root cannot be deleted.")
        for child in self.children(item, "", -1):
            self.delete(drive, child)
        self._database.do("UPDATE item SET deleted = 1, seq = ? WHERE id = ?", self._news(drive), item["id"])
        self._tell_parent(drive, item["parent"])

    def keep_version(self, item: Item) -> None:
        self._database.do(
            "INSERT OR REPLACE INTO version VALUES (?, (SELECT COUNT(*) + 1 FROM version WHERE item = ?), ?, ?, ?, ?)",
            item["id"],
            item["id"],
            item["modified"],
            item["size"],
            item["hash"],
            item["blob"],
        )

    def content_file(self, item: Item) -> Path:
        return self._database.blob(item["blob"])

    def _refuse_cycle(self, item: Item, parent: Item) -> None:
        place: Item | None = parent
        while place is not None:
            if place["id"] == item["id"]:
                raise Refusal(400, "invalidRequest", "A folder cannot be moved into itself.")
            place = self._database.one("SELECT * FROM item WHERE id = ?", place["parent"])

    def _news(self, drive: Drive) -> int:
        """The number of a change."""
        self._database.do("UPDATE drive SET seq = seq + 1 WHERE id = ?", drive["id"])
        found = self._database.one("SELECT seq FROM drive WHERE id = ?", drive["id"])
        assert found is not None
        return int(found["seq"])

    def _tell_parent(self, drive: Drive, parent: str) -> None:
        """A changed folder is in the feed; in personal drives its content tag changes too."""
        self._database.do(
            "UPDATE item SET seq = ?, ctag = ctag + ? WHERE id = ?",
            self._news(drive),
            drive["kind"] == "personal",
            parent,
        )


def check_match(item: Item, wanted: str | None) -> None:
    """``If-Match`` takes the eTag, as it was given, quotes and all."""
    if wanted is not None and wanted not in ("*", etag(item)):
        raise Refusal(412, "resourceModified", "ETag does not match current item's value", "entityTagDoesNotMatch")


def etag(item: Item) -> str:
    return f'"{{{item["guid"]}}},{item["etag"]}"'


def ctag(item: Item) -> str:
    return f'"c:{{{item["guid"]}}},{item["ctag"]}"'
