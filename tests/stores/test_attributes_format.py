"""What is in a sidecar comes out as it went in, and nothing that is not one is taken for one."""

from __future__ import annotations

import contextlib
import gzip
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.stores.attributes.format import ForeignSidecar, NewerSidecar, Record, packed, unpacked
from cloudfs.types import Attributes, Version

NAMES = st.binary(min_size=1, max_size=255)
NUMBERS = st.integers(0, (1 << 32) - 1)
ATTRIBUTES = st.builds(
    Attributes,
    mode=st.builds(
        int.__or__,
        st.sampled_from([stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK]),
        st.integers(0, 0o7777),
    ),
    uid=NUMBERS,
    gid=NUMBERS,
    mtime_ns=st.integers(-(1 << 63), (1 << 63) - 1),
    rdev=NUMBERS,
    target=st.binary(max_size=200),
    link_group=st.text(max_size=20),
    xattrs=st.dictionaries(st.binary(min_size=1), st.binary()).map(lambda found: tuple(sorted(found.items()))),
)
RECORDS = st.builds(
    Record,
    name=NAMES,
    identity=st.sampled_from(["", "A1!23", "b/c"]),
    size=st.integers(0, (1 << 63) - 1),
    version=st.text(max_size=50).map(Version),
    attributes=ATTRIBUTES,
)
HEADER = b'{"cloudfs attributes": 1}\n'
GOOD = packed([Record(b"a", "", 1, Version("v"), Attributes(stat.S_IFREG | 0o644, 0, 0, 0))])


@given(st.lists(RECORDS, max_size=5, unique_by=lambda record: record.key))
def test_records_come_back(records: list[Record]) -> None:
    assert list(unpacked(packed(records)).values()) == records


@given(st.binary(max_size=200))
def test_anything_else_is_foreign(data: bytes) -> None:
    with pytest.raises(ForeignSidecar):
        unpacked(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_damage_is_found(at: int, change: int) -> None:
    damaged = GOOD[:at] + bytes([GOOD[at] ^ change]) + GOOD[at + 1 :]
    with contextlib.suppress(ForeignSidecar, NewerSidecar):
        assert unpacked(damaged) == unpacked(GOOD), "a field of gzip that means nothing here"


@given(st.integers(0, len(GOOD) - 1))
def test_a_sidecar_that_was_cut_off_is_foreign(size: int) -> None:
    with pytest.raises(ForeignSidecar):
        unpacked(GOOD[:size])


@pytest.mark.parametrize(
    "row",
    [
        b"[]",
        b"{}",
        b'{"name":"a","size":1,"version":"v","mode":"644","uid":0,"gid":0,"mtime":0}',
        b'{"name":"a","size":1,"version":"v","mode":"100644","uid":-1,"gid":0,"mtime":0}',
        b'{"name":"a","size":1,"version":"v","mode":"100644","uid":"0","gid":0,"mtime":0}',
        b'{"name":7,"size":1,"version":"v","mode":"100644","uid":0,"gid":0,"mtime":0}',
        b'{"name":"a","size":1,"version":"v","mode":"100644","uid":0,"gid":0,"mtime":0,"xattrs":[]}',
    ],
)
def test_a_row_that_makes_no_sense_is_foreign(row: bytes) -> None:
    with pytest.raises(ForeignSidecar):
        unpacked(gzip.compress(HEADER + row + b"\n"))


def test_what_later_versions_add_is_ignored() -> None:
    row = b'{"name":"a","size":1,"version":"v","mode":"100644","uid":0,"gid":0,"mtime":0,"flags":"immutable"}'
    assert list(unpacked(gzip.compress(HEADER + row + b"\n"))) == [b"a"]


def test_later_formats_are_told_from_damage() -> None:
    with pytest.raises(NewerSidecar):
        unpacked(gzip.compress(b'{"cloudfs attributes": 2}\nanything'))
