"""How the C library keeps memory that is free."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
"""The parameter of ``mallopt(3)``, in glibc."""
_LARGE = 512 << 10


def give_back_large_buffers() -> bool:
    """From now on buffers of a request to the store go back to the system as soon as they are free.

    Left alone, glibc takes the first large buffer that is freed for a sign to keep all that follow, and spreads them
    over its heap: reading a large file then occupies 100 MiB for the 16 MiB that are under way. False if there is
    another C library.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE))
    except (OSError, AttributeError):
        return False
