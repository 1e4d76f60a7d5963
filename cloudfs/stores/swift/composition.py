"""What a large object is made of, of either kind, and of any container of the account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from cloudfs.errors import NotFound
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.account import SwiftAccount
from cloudfs.stores.swift.container import Head, SwiftContainer
from cloudfs.stores.swift.manifest import Segment, read_manifest


class Composition:
    """Reads manifests."""

    def __init__(self, account: SwiftAccount) -> None:
        self._account = account

    async def segments(self, path: str, head: Head) -> list[Segment]:
        """Of the large object at ``/container/object``; none if that cannot be told, or it is gone."""
        try:
            if head.is_static:
                return await self.static(path)
            return await self._dynamic(head.headers["x-object-manifest"])
        except NotFound:
            return []

    async def unfolded(self, segments: Iterable[Segment]) -> list[Segment]:
        """With the segments of nested manifests."""
        found: list[Segment] = []
        for segment in segments:
            found.append(segment)
            if segment.nested:
                found += await self.unfolded(await self.static(segment.path))
        return found

    async def used_by(self, users: Iterable[str]) -> set[str]:
        """The paths of all segments that objects are made of now; each user is a ``container/name``."""

        async def used(user: str) -> Sequence[Segment]:
            path = f"/{user}"
            container, name = container_name(path)
            head = await SwiftContainer(self._account, container).head(name)
            if head is None or not head.is_large:
                return ()
            return await self.unfolded(await self.segments(path, head))

        found = await in_parallel(used, users, at_once=16)
        return {segment.path for segments in found for segment in segments}

    async def static(self, path: str) -> list[Segment]:
        """Of a static large object; none if its parts cannot be used by themselves. `NotFound`."""
        container, name = container_name(path)
        answer = await SwiftContainer(self._account, container).get_text(name, {"multipart-manifest": "get"})
        return read_manifest(answer.body) or []

    async def _dynamic(self, manifest: str) -> list[Segment]:
        # It is quoted, and a slash at its end belongs to the prefix: ``film/`` is not to find ``film2/``.
        container, _, prefix = unquote(manifest).lstrip("/").partition("/")
        if not prefix:
            return []
        rows = await SwiftContainer(self._account, container).all_rows(prefix)
        return [Segment.whole(f"/{container}/{row['name']}", str(row["hash"]), int(row["bytes"])) for row in rows]


def container_name(path: str) -> tuple[str, str]:
    """Of ``/container/object``."""
    container, _, name = path.lstrip("/").partition("/")
    return container, name
