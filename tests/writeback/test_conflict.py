"""The name under which our version is kept when both sides changed a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudfs.stores.base import valid_name
from cloudfs.types import NAME_MAX
from cloudfs.writeback.conflict import conflict_name

NOW = 1_700_000_000 * 10**9
WHEN = b"2023-11-14 221320"

names = st.binary(min_size=1, max_size=NAME_MAX).filter(valid_name)
characters = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=9)
texts = st.builds(
    lambda text, times: (text * times).encode()[:NAME_MAX].decode(errors="ignore").encode(),
    characters,
    st.integers(1, NAME_MAX),
).filter(valid_name)
hosts = st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"letter.odt", b"letter (conflict box %s).odt"),
        (b"backup.tar.gz", b"backup.tar (conflict box %s).gz"),
        (b"Makefile", b"Makefile (conflict box %s)"),
        (b".bashrc", b".bashrc (conflict box %s)"),
        (b"ends.", b"ends (conflict box %s)."),
        (b"a.sentence, not an extension", b"a.sentence, not an extension (conflict box %s)"),
        (b"\xff\xfe.bin", b"\xff\xfe (conflict box %s).bin"),
        ("Übung.tex".encode(), "Übung (conflict box %s).tex".encode()),
    ],
)
def test_it_is_recognisable_and_keeps_the_extension(name: bytes, expected: bytes) -> None:
    assert conflict_name(name, "box", NOW) == expected % WHEN


def test_several_of_one_second_are_numbered() -> None:
    assert conflict_name(b"a.txt", "box", NOW, 1) == b"a (conflict box %s 2).txt" % WHEN


@given(names, hosts, st.integers(0, 2**63 - 1), st.integers(0, 9999))
def test_it_is_always_another_name_that_the_mount_can_have(name: bytes, host: str, now: int, attempt: int) -> None:
    ours = conflict_name(name, host, now, attempt)
    assert valid_name(ours)
    assert ours != name
    assert ours.endswith(
        name[name.rindex(b".") :] if b"." in name[1:] and len(name.rpartition(b".")[2]) <= 16 else b")"
    )


@given(names, hosts, st.integers(0, 50))
def test_attempts_give_different_names(name: bytes, host: str, attempt: int) -> None:
    assert conflict_name(name, host, NOW, attempt) != conflict_name(name, host, NOW, attempt + 1)


@given(texts, hosts)
def test_what_was_text_stays_text(name: bytes, host: str) -> None:
    """A name of 255 bytes is cut between two characters: many stores take valid UTF-8 only."""
    conflict_name(name, host, NOW).decode()


@pytest.mark.parametrize("extension", [b".x", b".xy", b""])
def test_a_long_name_is_cut_between_characters(extension: bytes) -> None:
    ours = conflict_name("é".encode() * ((NAME_MAX - len(extension)) // 2) + extension, "box", NOW)
    assert ours.decode().startswith("éé")
    assert NAME_MAX - 1 <= len(ours) <= NAME_MAX
