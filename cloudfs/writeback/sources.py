"""The bytes to send for an inode, for as long as it takes to send them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.nodes import Node
from cloudfs.catalog.stagings import Safety
from cloudfs.errors import Incomplete
from cloudfs.stores.base import Source
from cloudfs.writeback.contents import CommittedSource, Contents, EmptySource, StagedSource
from cloudfs.writeback.staged import Staged
from cloudfs.writeback.staging import Staging


class Sources:
    """Opens what is to be uploaded. A staged file is claimed meanwhile: writing to it cancels the block."""

    def __init__(self, catalog: Catalog, contents: Contents, staging: Staging) -> None:
        self._catalog = catalog
        self._contents = contents
        self._staging = staging

    @contextlib.contextmanager
    def open(self, node: Node) -> Iterator[Source]:
        """Raises `Revoked` at the end of a block that was cancelled, `Incomplete` for bytes that are not whole."""
        if not node.is_regular:
            yield EmptySource()
            return
        staged = self._staging.acquire(node.ino)
        if staged is None:
            content = self._contents.open(node.ino, node.content, node.size)
            try:
                yield CommittedSource(content)
            finally:
                content.close()
            return
        try:
            with self._claimed(staged, node) as source:
                yield source
        finally:
            self._staging.release(staged)

    @contextlib.contextmanager
    def _claimed(self, staged: Staged, node: Node) -> Iterator[StagedSource]:
        if staged.damaged:
            raise Incomplete(staged.damaged)
        if staged.safety is Safety.LOST:
            raise Incomplete("the power was cut before these bytes were on the disk; write them again")
        if staged.is_short(node.size):
            raise Incomplete("the end of the file is missing from the staging directory; write it again")
        source = StagedSource(staged, node.size, self._contents)
        scope = trio.CancelScope()

        def revoke() -> None:
            source.revoke()
            scope.cancel()

        with self._catalog:
            staged.writing = False
            self._staging.save(staged)
            if node.modified:
                self._catalog.nodes.save(node)
        staged.claim(revoke)
        try:
            with scope:
                yield source
            if scope.cancelled_caught:
                source.check()
        finally:
            staged.unclaim()
            source.close()
