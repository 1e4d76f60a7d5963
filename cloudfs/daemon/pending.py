"""What is not stored yet, name by name: listing it, trying it again, giving it up."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.links import Link
from cloudfs.catalog.nodes import Node
from cloudfs.catalog.pending import Condition, Unsent
from cloudfs.types import LinkId
from cloudfs.writeback.discard import Discard
from cloudfs.writeback.uploader import Uploader

_PAGE = 256
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}


class PendingWork:
    """The work of the uploader as a person sees it. Paths are relative to the mountpoint; ``""`` is all of it."""

    def __init__(
        self, catalog: Catalog, uploader: Uploader, discard: Discard, is_sent: Callable[[LinkId], bool]
    ) -> None:
        """``is_sent(link)``: bytes of it are on their way right now."""
        self._catalog = catalog
        self._uploader = uploader
        self._discard = discard
        self._is_sent = is_sent

    async def list(self, path: str, limit: int) -> dict[str, Any]:
        """At most ``limit`` rows of what is pending at and below a path; ``more`` says whether there are others."""
        rows: list[dict[str, Any]] = []
        async for unsent, link in self._under(path):
            if len(rows) == limit:
                return {"rows": rows, "more": True}
            rows.append(self._row(unsent, link))
        return {"rows": rows, "more": False}

    async def retry(self, path: str) -> dict[str, Any]:
        """What failed or is parked at and below a path is tried again now; how many names that are."""
        chosen = [link.id async for unsent, link in self._under(path) if unsent.attempts or unsent.parked]
        now = time.time_ns()
        with self._catalog:
            for link in chosen:
                self._catalog.pending.retry(link, now)
        self._uploader.end_rest()
        self._uploader.hurry()
        return {"names": len(chosen)}

    async def discard(self, path: str) -> dict[str, Any]:
        """The mount shows what the store has again, at and below a path; how many names that changed."""
        chosen = [link.id async for _unsent, link in self._under(path)]
        return {"names": await self._discard.discard(chosen)}

    async def _under(self, path: str) -> AsyncIterator[tuple[Unsent, Link]]:
        """What is to be deleted is found where it was."""
        wanted = os.fsencode(path).strip(b"/")
        after = 0
        while page := await self._catalog.pending.unsent(after, _PAGE):
            after = page[-1].link
            for unsent in page:
                link = self._catalog.links.get(unsent.link)
                if link is not None and _is_under(self._catalog.links.path(link), wanted):
                    yield unsent, link
            await trio.lowlevel.checkpoint()

    def _row(self, unsent: Unsent, link: Link) -> dict[str, Any]:
        node = self._catalog.nodes.get(unsent.ino)
        change = change_of(link, node)
        return {
            "path": os.fsdecode(self._catalog.links.path(link)),
            "from": os.fsdecode(self._catalog.links.location(link).path) if change == "move" else None,
            "type": _KINDS.get(stat.S_IFMT(node.mode), "file"),
            "change": change,
            "state": self._state(unsent),
            "bytes": unsent.bytes,
            "since": unsent.since,
            "attempts": unsent.attempts,
            "reason": unsent.reason,
        }

    def _state(self, unsent: Unsent) -> str:
        if self._is_sent(unsent.link):
            return "uploading"
        if unsent.parked:
            return Condition.PARKED
        return Condition.FAILING if unsent.attempts else Condition.PENDING


def change_of(link: Link, node: Node) -> str:
    """What the store has to learn of a name, in one word: the most that is to be done."""
    if link.doomed:
        return "delete"
    if not link.stored:
        return "new"
    if node.is_regular and link.at_content != node.content:
        return "content"
    return "attributes" if link.in_place else "move"


def _is_under(path: bytes, wanted: bytes) -> bool:
    return not wanted or path == wanted or path.startswith(wanted + b"/")
