"""Names at OneDrive: as users of rclone know them, and every one of them comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.errors import NameRefused
from cloudfs.stores.base import Location, valid_name
from cloudfs.stores.onedrive.names import NAME_LIMIT, PATH_LIMIT, decode, encode, encode_path
from tests.emulators.onedrive.names import check_name

AS_RCLONE = [
    ('"*:<>?\\|', "＂＊：＜＞？＼｜"),
    (" both ends ", "␠both ends␠"),
    ("end.", "end．"),
    ("~home", "～home"),
    ("tab\tand del\x7f", "tab␉and del␡"),
    ("＊", "‛＊"),
    ("‛", "‛‛"),
    ("in the middle ~. ok", "in the middle ~. ok"),
    ("#%&", "#%&"),
]
TRICKY = [
    '"*:<>?\\|',
    " ",
    ".",
    "~",
    "‛",
    "␠",
    "～",
    "．",
    "＊",
    "①",
    "⓪",
    "CON",
    "nul",
    "_vti_",
    "forms",
    ".lock",
    "a",
    "A",
]
NAMES = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.lists(st.sampled_from([*TRICKY, "desktop.ini", "\x01", "é"]), min_size=1, max_size=8).map(
        lambda s: "".join(s).encode()
    ),
).filter(valid_name)


@pytest.mark.parametrize(("plain", "encoded"), AS_RCLONE)
def test_twins(plain: str, encoded: str) -> None:
    assert encode(plain.encode()) == encoded
    assert decode(encoded) == plain.encode()


@given(NAMES, st.integers(0, 12))
def test_every_name_comes_back_and_is_taken(name: bytes, variant: int) -> None:
    try:
        encoded = encode(name, variant)
    except NameRefused:
        assert len(name) * 3 + 4 > NAME_LIMIT
        return
    assert decode(encoded) == name
    for kind in ("personal", "business", "documentLibrary"):
        for in_root in (True, False):
            check_name(encoded, drive_kind=kind, in_root=in_root, is_folder=True)


@given(st.lists(st.sampled_from([*TRICKY, "①", "‛FF", "x", "é"]), min_size=1, max_size=8).map("".join))
def test_names_of_others_are_ours_or_stay_what_they_are(name: str) -> None:
    shown = decode(name)
    ours = {encode(shown, variant) for variant in range(20)} if valid_name(shown) else set()
    assert shown == name.encode() or name in ours


def test_variants_are_different_names_whatever_the_case() -> None:
    folded = {encode(b"Name", variant).casefold() for variant in range(20)}
    assert len(folded) == 20


def test_what_is_too_long() -> None:
    assert len(encode(b"n" * 255)) == 255
    with pytest.raises(NameRefused, match="255 characters in a name; this one needs 300"):
        encode(b"\xff" * 100)
    fits = b"/".join([b"d" * 199, b"e" * (PATH_LIMIT - 200)])
    assert len(encode_path(Location(fits), "")) == PATH_LIMIT
    with pytest.raises(NameRefused, match="this one has 404"):
        encode_path(Location(fits), "base")
