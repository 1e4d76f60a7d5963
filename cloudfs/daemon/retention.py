"""Carries out the rules of `cloudfs.retention`: by hand, and by the mount itself after uploads."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.daemon.tree import Branch, Tree
from cloudfs.errors import DISK_ERRORS, CloudfsError, NotADirectory
from cloudfs.retention import Rules, Snapshot, Verdict, decide, snapshot_time
from cloudfs.types import Inode
from cloudfs.vfs.removal import Removal

_log = logging.getLogger(__name__)
_SETTLE_SECONDS = 2.0
"""After something was stored, the next thing is often under way."""
_PATIENCE = 300.0
"""While uploads go on and on, the rules are looked at this often."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The snapshots of one directory as they were found, with the entry of each."""

    directory: Inode
    branches: dict[str, Branch]
    snapshots: list[Snapshot]


class Pruner:
    """Deletes snapshots that the rules do not keep, and no others."""

    def __init__(
        self,
        catalog: Catalog,
        tree: Tree,
        removal: Removal,
        *,
        shared: bool,
        progressed: Callable[[], Awaitable[None]],
    ) -> None:
        """``shared``: the store keeps hard links, so that a file in several snapshots takes its room once.

        ``progressed()`` returns when something was stored.
        """
        self._catalog = catalog
        self._tree = tree
        self._removal = removal
        self._shared = shared
        self._progressed = progressed

    async def prune(self, rules: Rules, *, dry_run: bool) -> list[dict[str, Any]]:
        """Apply one set of rules, whose path is relative to the mountpoint; for each directory that it is about, what
        was decided about each snapshot.

        Raises `NotFound`, `NotADirectory`, and store errors if a directory inside is not known and cannot be listed.
        """
        return [await self._prune(each, dry_run=dry_run) for each in await self._expanded(rules)]

    async def _expanded(self, rules: Rules) -> list[Rules]:
        if rules.above is None:
            return [rules]
        directory = await self._tree.resolve(rules.above)
        await self._tree.known(directory)
        children = self._catalog.links.children(directory, 0, 1 << 30)
        names = sorted(os.fsdecode(name) for _link, name, node in children if node.is_directory)
        return [replace(rules, path=f"{rules.above}/{name}".lstrip("/")) for name in names]

    async def _prune(self, rules: Rules, *, dry_run: bool) -> dict[str, Any]:
        kept = await self._survey(rules)
        verdicts = decide(kept.snapshots, rules)
        deleted: set[str] = set()
        if not dry_run:
            condemned = [snapshot.name for snapshot, verdict in reversed(verdicts) if verdict.deletes]
            deleted = set(await self._delete(kept, condemned))
        return {
            "path": rules.path,
            "snapshots": [_row(snapshot, verdict, snapshot.name in deleted) for snapshot, verdict in verdicts],
            "deleted": len(deleted),
            "freed": sum(snapshot.size for snapshot in kept.snapshots if snapshot.name in deleted),
        }

    async def follow(self, rules: Sequence[Rules]) -> None:
        """For ever: apply those with ``auto`` after uploads."""
        automatic = [each for each in rules if each.auto]
        looked = float("-inf")
        while automatic:
            await self._progressed()
            await trio.sleep(_SETTLE_SECONDS)
            if (await self._catalog.pending.backlog()).open and trio.current_time() < looked + _PATIENCE:
                continue
            looked = trio.current_time()
            for each in automatic:
                await self._prune_quietly(each)

    async def _prune_quietly(self, rules: Rules) -> None:
        try:
            outcomes = await self.prune(rules, dry_run=False)
        except (CloudfsError, *DISK_ERRORS) as error:
            _log.warning("retention in %s: %s", rules.path or "/", error)
            return
        for outcome in outcomes:
            for row in outcome["snapshots"]:
                if row["deleted"]:
                    _log.info("retention in %s: %s deleted (%s)", outcome["path"] or "/", row["name"], row["verdict"])

    async def _survey(self, rules: Rules) -> _Kept:
        directory = await self._tree.resolve(rules.path)
        if not self._catalog.nodes.get(directory).is_directory:
            raise NotADirectory(f"{rules.path}: the path of a retention is a directory")
        await self._tree.explore(directory)
        branches = {os.fsdecode(branch.name): branch for branch in await self._tree.branches(directory)}
        newest_first = sorted(branches, key=lambda name: (_time(name, branches[name]), name), reverse=True)
        sizes = self._sizes([branches[name] for name in newest_first])
        snapshots = [
            Snapshot(name, _time(name, branches[name]), size, await self._is_stored(branches[name].ino))
            for name, size in zip(newest_first, sizes, strict=True)
        ]
        return _Kept(directory, branches, snapshots)

    def _sizes(self, branches: Sequence[Branch]) -> list[int]:
        """What each takes at the store: a file that several share counts for the first of them."""
        seen: set[int] = set()
        sizes = []
        for branch in branches:
            if self._shared:
                linked = sum(size for ino, size, _names in branch.linked if ino not in seen)
            else:
                linked = sum(size * names for _ino, size, names in branch.linked)
            seen.update(ino for ino, _size, _names in branch.linked)
            sizes.append(branch.bytes + linked)
        return sizes

    async def _is_stored(self, ino: int) -> bool:
        return not self._catalog.pending.count() or not (await self._catalog.pending.backlog_under(ino)).files

    async def _delete(self, kept: _Kept, condemned: Sequence[str]) -> list[str]:
        """One after the other, as long as all is as it was found: what is new there, or changed, has to be stored."""
        deleted: list[str] = []
        expected = set(kept.branches)
        for name in condemned:
            stored = [await self._is_stored(branch.ino) for each, branch in kept.branches.items() if each in expected]
            # From here to the removal nothing waits, so that nobody comes between.
            present = {os.fsdecode(link.name or b"") for link in self._catalog.links.names_in(kept.directory)}
            if present != expected or not all(stored):
                _log.info("retention: something is being changed there; the rest waits")
                break
            self._removal.remove(kept.directory, kept.branches[name].name)
            expected.discard(name)
            deleted.append(name)
            await trio.lowlevel.checkpoint()
        return deleted


def _time(name: str, branch: Branch) -> float:
    return snapshot_time(name, branch.mtime)


def _row(snapshot: Snapshot, verdict: Verdict, deleted: bool) -> dict[str, Any]:
    return {
        "name": snapshot.name,
        "time": snapshot.time,
        "bytes": snapshot.size,
        "stored": snapshot.stored,
        "keep": not verdict.deletes,
        "verdict": verdict.value,
        "deleted": deleted,
    }
