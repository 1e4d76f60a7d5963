"""Text for terminals. Pure."""

from __future__ import annotations

import math


def printable(text: str) -> str:
    """``text`` with whatever a terminal could choke on, or obey, shown as an escape; file names are any bytes."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else _escaped(character) for character in decoded)


def show_duration(seconds: float) -> str:
    """``3 s``, ``5 min``, ``2.5 h``."""
    if seconds < 120:
        return f"{seconds:g} s"
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"


def show_share(done: int, size: int) -> str:
    """``42 %``, rounded down: 100 % is all of it."""
    return f"{math.floor(100 * done / size)} %" if size else "0 %"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
