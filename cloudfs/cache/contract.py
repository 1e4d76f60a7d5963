"""What the cache promises: disposable bytes of known versions of remote files.

A cached block may be absent or damaged, and is then fetched again; it is never stale, because a `ContentKey` names
one version of one file for ever. Deleting the cache directory, also under a running mount, loses nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NewType, Protocol

from cloudfs.cache.sums import Sums
from cloudfs.types import Extent

ContentKey = NewType("ContentKey", str)
"""Names one version of one file; at most 100 characters of ``[0-9a-z-]``."""

Fetch = Callable[[int, int], Awaitable[bytes]]
"""Gets exactly the bytes ``[start, stop)`` of the version from the store; raises store errors."""


class CachedContent(Protocol):
    """One version, opened for reading. ``size`` is its length in bytes."""

    size: int

    def read_nowait(self, start: int, stop: int) -> bytes | None:
        """The bytes if every block of the range is here and sound, else None. Never suspends."""
        ...

    async def read(self, start: int, stop: int) -> bytes:
        """The bytes, fetching what is missing (single flight) and, when the access is sequential, what comes next."""
        ...

    async def bring(self, start: int, stop: int) -> None:
        """Fetch what is missing of the range, for somebody who will read it later. Raises what fetching raises."""
        ...

    def close(self) -> None:
        """No more reads through this handle; blocks may now be evicted."""
        ...


class Cache(Protocol):
    """All cached versions of one mount, within ``limit`` bytes.

    For the trio thread; `adopt_patch`, which may copy much, also for a worker thread of it.
    """

    limit: int

    @property
    def used(self) -> int:
        """Bytes on disk."""
        ...

    def open(self, key: ContentKey, size: int, fetch: Fetch) -> CachedContent: ...

    def has(self, key: ContentKey, size: int) -> bool:
        """Whether every block of this version, of ``size`` bytes, is here; damage may turn up when it is read."""
        ...

    def adopt(self, key: ContentKey, size: int, staged: Path, sums: Sums | None = None) -> None:
        """Take over a whole staged file as this version, by rename; ``staged`` is gone afterwards, in any case.

        ``sums`` are of this version as the store has it. Blocks without one are believed until the next boot.
        """
        ...

    def adopt_patch(
        self,
        old: ContentKey,
        key: ContentKey,
        size: int,
        staged: Path,
        extents: Sequence[Extent],
        sums: Sums | None = None,
    ) -> None:
        """The same for a staged file that holds only ``extents`` of a change to ``old``, whose blocks are kept.

        What is in no extent is as in ``old``, up to the smaller of the two sizes; beyond that it is fetched.
        """
        ...

    def forget(self, key: ContentKey) -> None:
        """This version will not be asked for again."""
        ...

    def shrink(self, wanted: int) -> int:
        """Evict least recently used blocks until ``used <= wanted`` or nothing is left to evict; bytes freed."""
        ...

    async def aclose(self) -> None: ...
