"""Room for new bytes: the cache gives way, then writers slow down while uploads free space, and never fail for it."""

from __future__ import annotations

import errno
from collections.abc import Callable

import trio

from cloudfs.cache.contract import Cache
from cloudfs.writeback.staging import Staging

_PATIENCE = 30.0
"""Seconds for which one write waits at most, while uploads make progress."""
_STEP = 1.0


class Space:
    """Keeps staged and cached bytes together within ``limit``, as far as uploads allow.

    The limit is soft: bytes that cannot be sent yet (the file being written is the only one, or the network is away)
    may use the disk as long as it has room.
    """

    def __init__(self, limit: int, staging: Staging, cache: Cache, uploading: Callable[[], int]) -> None:
        """``uploading()`` counts bytes sent so far by uploads under way and done; it stands still without any."""
        self._limit = limit
        self._staging = staging
        self._cache = cache
        self._uploading = uploading

    def has_room(self, size: int) -> bool:
        """Whether ``size`` more bytes fit without waiting; evicts what is cached if that helps."""
        wanted = self._limit - self._staging.used - size
        if self._cache.used <= wanted:
            return True
        self._cache.shrink(max(wanted, 0))
        return wanted >= 0

    async def wait(self, size: int) -> None:
        """Return when there is room, or when waiting does not bring any nearer."""
        with trio.move_on_after(_PATIENCE):
            before = -1
            while not self.has_room(size) and (sent := self._uploading()) != before:
                before = sent
                await trio.sleep(_STEP if sent else 0)

    def disk_is_full(self, error: OSError) -> bool:
        """Whether a write failed for lack of room; then the cache has given all it had, and it may be tried again."""
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return False
        return self._cache.shrink(0) > 0
