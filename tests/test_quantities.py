from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.quantities import parse_duration, parse_size, show_count, show_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("10B", 10),
        ("1k", 1024),
        ("1KiB", 1024),
        ("1KB", 1000),
        ("256MiB", 256 << 20),
        ("256 MiB", 256 << 20),
        ("10G", 10 << 30),
        ("10GB", 10**10),
        ("1.5T", 3 << 39),
        (" 2g ", 2 << 30),
        ("9007199254740993", 9007199254740993),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1", "10X", "10 apples", "1e9", "0x10", "10iB", "ten"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="a size is"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300", 300), ("1.5", 1.5), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172800), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 m", "-5", "5y", "nan", "inf", "5m30"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="a time is"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (100 << 20, "100 MiB"),
        (10 << 30, "10 GiB"),
        (1 << 62, "4096 PiB"),
    ],
)
def test_sizes_for_a_reader(size: int, text: str) -> None:
    assert show_size(size) == text


@given(st.integers(min_value=0, max_value=1 << 60))
def test_a_shown_size_is_read_back_about_the_same(size: int) -> None:
    assert parse_size(show_size(size)) == pytest.approx(size, rel=0.06, abs=1)


def test_counts() -> None:
    assert [show_count(count, "file") for count in (0, 1, 12345)] == ["0 files", "1 file", "12,345 files"]
