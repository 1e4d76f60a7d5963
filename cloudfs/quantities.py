"""Sizes and times as people write them, and as we show them. Pure."""

from __future__ import annotations

import re

_BINARY = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgtp])(i?b)?|(b))?", re.IGNORECASE)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def parse_size(text: str) -> int:
    """Bytes: ``4096``, ``256MiB``, ``10G``, ``1.5T`` count in 1024, ``10GB`` in 1000, as coreutils do.

    Raises `ValueError` for anything else.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("a size is a number of bytes with an optional unit, such as 256MiB, 10G or 10GB")
    number, unit, suffix, _ = match.groups()
    if suffix is not None and suffix.lower() == "b":
        return int(float(number) * 1000 ** "kmgtp".index(unit.lower()) * 1000)
    scale = _BINARY[(unit or "").lower()]
    return int(number) * scale if number.isdecimal() else int(float(number) * scale)


def parse_duration(text: str) -> float:
    """Seconds: ``300``, ``1.5``, ``30s``, ``5m``, ``1h30m``, ``500ms``, ``2d``. `ValueError` for anything else."""
    text = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise ValueError("a time is a number of seconds or has a unit, such as 30s, 5m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def show_size(size: int) -> str:
    """``size`` bytes for a reader: ``0 B``, ``1.5 KiB``, ``10 GiB``."""
    scale = next((power for power in range(len(_UNITS)) if abs(size) < 1024 ** (power + 1)), len(_UNITS) - 1)
    number = size / 1024**scale
    digits = f"{number:.0f}" if scale == 0 or number >= 100 else f"{number:.1f}".removesuffix(".0")
    return f"{digits} {_UNITS[scale]}"


def show_count(count: int, noun: str) -> str:
    """``1 file``, ``2 files``, ``12,345 files``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
