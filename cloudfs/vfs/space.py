"""Room for new bytes: the cache gives way, then writers slow down while uploads free space, and never fail for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio

from cloudfs.cache.contract import Cache
from cloudfs.errors import NoSpace
from cloudfs.writeback.progress import Progress
from cloudfs.writeback.staging import Staging

_PATIENCE = 30.0
"""Seconds for which one write waits at most, while uploads are under way."""
_STEP = 0.5
_RESERVE = 16 << 20
"""Bytes of the disk that are left to the catalogue: deleting files on a full disk must work."""
_CHECK_EVERY = 1 << 20
_START = 0.005
"""Seconds that the uploader needs to begin."""


class Uploads(Protocol):
    """What `Space` asks of those who send."""

    def make_room(self) -> None:
        """Send now whatever may be sent."""
        ...

    def is_working(self) -> bool:
        """Whether there may be more room soon."""
        ...


class Space:
    """Keeps staged and cached bytes together within ``limit``, as far as uploads allow.

    The limit is soft: bytes that cannot be sent yet (the file being written is the only one, or the network is away)
    may use the disk as long as it has room.
    """

    def __init__(
        self, limit: int, staging: Staging, cache: Cache, uploads: Sequence[Uploads], progress: Progress
    ) -> None:
        """``progress`` is made whenever one of ``uploads`` may have made room."""
        self._limit = limit
        self._unchecked = 0
        self._reserve = min(_RESERVE, staging.disk_size() // 10)
        self._staging = staging
        self._cache = cache
        self._uploads = uploads
        self._progress = progress

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes fit without waiting; evicts what is cached if that helps."""
        wanted = self._limit - self._staging.used - size
        if self._cache.used > wanted:
            self._cache.shrink(max(wanted, 0))
            if wanted < 0:
                return False
        self._unchecked += size
        if self._unchecked < _CHECK_EVERY:
            return True
        if self.disk_is_full():
            return False
        self._unchecked = 0
        return True

    def disk_is_full(self) -> bool:
        """Whether the disk has no more than what the catalogue needs to go on; the cache gives all it has first."""
        if self._staging.disk_free() > self._reserve:
            return False
        self._cache.shrink(0)
        return self._staging.disk_free() <= self._reserve

    def refuse_if_full(self) -> None:
        """Raises `NoSpace` if nothing more may be staged."""
        if self._unchecked >= _CHECK_EVERY and self.disk_is_full():
            raise NoSpace("the disk with the state directory is full")

    async def wait(self, size: int) -> None:
        """Return when there is room, or when waiting does not bring any nearer."""
        for uploads in self._uploads:
            uploads.make_room()
        await trio.sleep(_START)
        with trio.move_on_after(_PATIENCE):
            while not self.has_room(size) and any(uploads.is_working() for uploads in self._uploads):
                with trio.move_on_after(_STEP):
                    await self._progress.wait()
