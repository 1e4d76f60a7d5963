"""What is read from a summary of directories is what the markers said, or nothing."""

from __future__ import annotations

import gzip
import json
import stat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.errors import BrokenAnswer
from cloudfs.http.message import Headers
from cloudfs.stores.base import Location
from cloudfs.stores.swift.attributes import from_marker_text, object_headers
from cloudfs.stores.swift.container import Head
from cloudfs.stores.swift.rows import entry_from_head
from cloudfs.stores.swift.summary import Noted, noted_from, read_summary, write_summary
from cloudfs.types import Attributes

ROOT = "container/some/where"
NUMBERS = st.integers(0, (1 << 32) - 1)
DIRECTORIES = st.builds(
    Attributes,
    mode=st.integers(0, 0o7777).map(stat.S_IFDIR.__or__),
    uid=NUMBERS,
    gid=NUMBERS,
    mtime_ns=st.integers(-(1 << 63), (1 << 63) - 1),
    xattrs=st.dictionaries(st.binary(min_size=1, max_size=50), st.binary(max_size=200), max_size=4).map(
        lambda found: tuple(sorted(found.items()))
    ),
)
SUMMARIES = st.dictionaries(
    st.text(st.characters(exclude_categories=())), st.builds(Noted, st.text("0123-:T.Z"), st.text())
)


def marker(stamp: str = "1795291374.03682", **headers: str) -> Head:
    told = {"content-type": "application/directory", "x-timestamp": stamp, **headers}
    return Head("", 0, Headers([(key.replace("_", "-").encode(), value.encode()) for key, value in told.items()]))


@given(SUMMARIES)
def test_a_summary_comes_back_as_it_was(summary: dict[str, Noted]) -> None:
    assert read_summary(ROOT, write_summary(ROOT, summary)) == summary


@given(DIRECTORIES)
def test_a_marker_is_noted_as_it_is(attributes: Attributes) -> None:
    head = marker(**{key.lower(): value for key, value in object_headers(Location(b"d"), attributes).items()})
    noted, entry = noted_from(head), entry_from_head(b"d", head)
    assert noted is not None
    assert entry.attributes == attributes
    assert from_marker_text(noted.text) == (entry.attributes, entry.mtime_ns)


@pytest.mark.parametrize("headers", [{}, {"x_object_meta_mtime": "1234567890.123456789"}])
def test_a_marker_without_attributes_has_a_time(headers: dict[str, str]) -> None:
    head = marker(**headers)
    noted, entry = noted_from(head), entry_from_head(b"d", head)
    assert noted is not None
    assert from_marker_text(noted.text) == (None, entry.mtime_ns)


@pytest.mark.parametrize(
    ("told", "stamp"),
    [
        ("1795291374.03682", "2026-11-21T20:02:54.036820"),
        ("1795291374.9", "2026-11-21T20:02:54.900000"),
        ("1795291374.123456", "2026-11-21T20:02:54.123456"),
    ],
)
def test_the_stamp_is_what_a_listing_shows(told: str, stamp: str) -> None:
    noted = noted_from(marker(told))
    assert noted is not None
    assert noted.stamp == stamp


@pytest.mark.parametrize("told", ["", "1795291374", "1795291374.00000", "yesterday", "1.x", f"{10**30}.5", "-5.25"])
def test_what_is_not_precise_is_not_noted(told: str) -> None:
    assert noted_from(marker(told)) is None


def test_what_will_expire_is_not_noted() -> None:
    assert noted_from(marker(x_delete_at="1795299999")) is None


def packed(document: Any) -> bytes:
    return gzip.compress(json.dumps(document).encode(), mtime=0)


DOCUMENT = {"cloudfs-directories": 1, "root": ROOT, "directories": {"d": ["2026", ";mtime=1.0"]}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        packed(DOCUMENT)[:-3],
        packed(DOCUMENT)[:-8] + bytes(8),
        packed(None),
        packed([]),
        packed({**DOCUMENT, "root": "container/other"}),
        packed({**DOCUMENT, "cloudfs-directories": 2}),
        packed({**DOCUMENT, "directories": ["d"]}),
        packed({**DOCUMENT, "directories": {"d": "not two"}}),
        packed({**DOCUMENT, "directories": {"d": [1, 2]}}),
        packed({**DOCUMENT, "directories": {"d": ["one", "two", "three"]}}),
        packed({key: value for key, value in DOCUMENT.items() if key != "directories"}),
        gzip.compress(b"[" * 100_000, mtime=0),
    ],
)
def test_what_is_no_summary_is_not_taken_for_one(body: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        read_summary(ROOT, body)


def test_a_summary_may_be_read_by_anybody() -> None:
    told = json.loads(gzip.decompress(write_summary(ROOT, {"some/where/d": Noted("2026", ";mtime=1.0")})))
    assert told == {"cloudfs-directories": 1, "root": ROOT, "directories": {"some/where/d": ["2026", ";mtime=1.0"]}}
