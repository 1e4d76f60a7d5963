"""The lines that contrib/fstab ships: one on demand and one at boot for each store, in words that are known."""

from __future__ import annotations

import re

import pytest

from cloudfs.options import parse_options
from cloudfs.settings.types import STORE_TYPES
from tests.fstab.machine import ROOT

LINES = [
    line.removeprefix("#").split()
    for line in (ROOT / "contrib/fstab/fstab").read_text().splitlines()
    if re.fullmatch(r"#\S+:\S+ +/\S+ +\S+ +\S+ +0 0", line)
]


@pytest.mark.parametrize("kind", STORE_TYPES)
def test_every_store_has_both(kind: str) -> None:
    own = [words for source, _, _, words, *_ in LINES if source.startswith(f"{kind}:")]
    assert any("x-systemd.automount" in words and "noauto" in words for words in own)
    assert any("nofail,_netdev" in words for words in own)


@pytest.mark.parametrize("line", LINES, ids=[f"{line[0]} {line[3]}" for line in LINES])
def test_every_word_is_known(line: list[str]) -> None:
    _, mountpoint, kind, words, *_ = line
    assert kind in ("fuse.cloudfs", "cloudfs", "fuse")
    assert mountpoint.startswith("/")
    options = parse_options(words)
    if options.umount_timeout is not None:
        minutes = re.search(r"x-systemd\.mount-timeout=(\d+)min", words)
        assert minutes and int(minutes[1]) * 60 > options.umount_timeout, "systemd must not be the less patient one"
