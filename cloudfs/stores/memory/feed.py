"""What changed in a `MemoryTree`, told to those who ask with a cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cloudfs.errors import NotFound
from cloudfs.stores.base import Change, Changes, Entry
from cloudfs.stores.memory.tree import MemoryTree, Node


class MemoryFeed:
    """Implements `Feed`, for a store that names its objects by id. An answer has at most ``page`` changes.

    A cursor is a number of the tree's journal; one from before `forget` is too old.
    """

    def __init__(
        self,
        tree: MemoryTree,
        entry: Callable[[bytes, Node], Entry],
        begin: Callable[[str], Awaitable[None]],
        page: int,
    ) -> None:
        self._tree = tree
        self._entry = entry
        self._begin = begin
        self._page = page
        self._oldest = 0

    async def changes(self, cursor: str | None) -> Changes:
        await self._begin("changes")
        now = self._tree.now
        if cursor is None:
            return Changes((), str(now))
        since = int(cursor)
        if since < self._oldest:
            raise NotFound("the cursor is too old")
        news = self._tree.changed_since(since)
        told = news[: self._page]
        more = len(news) > len(told)
        return Changes([self._change(identity) for identity, _ in told], str(told[-1][1] if more else now), more)

    def forget(self) -> None:
        """No cursor given so far is good any more."""
        self._oldest = self._tree.touch_root()

    def _change(self, identity: str) -> Change:
        node = self._tree.by_identity(identity)
        name = self._tree.name_of(node) if node is not None else None
        if node is None or (name is None and node is not self._tree.root):
            return Change(identity, "", None)
        if name is None:
            return Change(identity, "", self._entry(b"", node))
        return Change(identity, name.parent.identity, self._entry(name.name, node))
