"""Room for new bytes: the cache gives way, then writers slow down while uploads free space, and never fail for it."""

from __future__ import annotations

import errno
from typing import Protocol

import trio

from cloudfs.cache.contract import Cache
from cloudfs.writeback.staging import Staging

_PATIENCE = 30.0
"""Seconds for which one write waits at most, while uploads are under way."""
_STEP = 0.5
_START = 0.005
"""Seconds that the uploader needs to begin."""


class Uploads(Protocol):
    """What `Space` asks of the uploader."""

    def make_room(self) -> None:
        """Send now whatever may be sent."""
        ...

    def is_working(self) -> bool: ...

    async def progressed(self) -> None:
        """Return when something has been stored, or failed."""
        ...


class Space:
    """Keeps staged and cached bytes together within ``limit``, as far as uploads allow.

    The limit is soft: bytes that cannot be sent yet (the file being written is the only one, or the network is away)
    may use the disk as long as it has room.
    """

    def __init__(self, limit: int, staging: Staging, cache: Cache, uploads: Uploads) -> None:
        self._limit = limit
        self._staging = staging
        self._cache = cache
        self._uploads = uploads

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes fit without waiting; evicts what is cached if that helps."""
        wanted = self._limit - self._staging.used - size
        if self._cache.used <= wanted:
            return True
        self._cache.shrink(max(wanted, 0))
        return wanted >= 0

    async def wait(self, size: int) -> None:
        """Return when there is room, or when waiting does not bring any nearer."""
        self._uploads.make_room()
        await trio.sleep(_START)
        with trio.move_on_after(_PATIENCE):
            while not self.has_room(size) and self._uploads.is_working():
                with trio.move_on_after(_STEP):
                    await self._uploads.progressed()

    def disk_is_full(self, error: OSError) -> bool:
        """Whether a write failed for lack of room; then the cache has given all it had, and it may be tried again."""
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return False
        return self._cache.shrink(0) > 0
