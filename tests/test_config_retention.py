"""``[[retention]]`` in the configuration file, and the rules that hold for what is mounted."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudfs.config import Stanza, load_config, resolve_source, retention_of
from cloudfs.errors import UsageError
from cloudfs.retention import Rules

TEXT = """
[remote.backup]
type = "local"
directory = "{home}"

[[retention]]
remote = "backup"
path = "/snaps/"
max_size = "2K"

[[retention]]
remote = "local"
path = "{home}/snaps/daily"
keep_last = 3
auto = true
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "snaps/daily").mkdir(parents=True)
    path = tmp_path / "config.toml"
    path.write_text(TEXT.format(home=tmp_path))
    return path


def test_the_stanzas(file: Path, tmp_path: Path) -> None:
    daily = str(tmp_path / "snaps/daily").strip("/")
    assert load_config(file).retention == (
        Stanza("backup", Rules("snaps", 2048)),
        Stanza("local", Rules(daily, keep_last=3, auto=True)),
    )


def test_rules_hold_for_what_is_mounted_above_them(file: Path, tmp_path: Path) -> None:
    config = load_config(file)

    def paths(source: str) -> list[str]:
        return [rules.path for rules in retention_of(resolve_source(source, config), config)]

    assert paths("backup:") == ["snaps"]
    assert paths("backup:snaps") == [""]
    assert paths("backup:snaps/daily") == []
    assert paths(f"local:{tmp_path}") == ["snaps/daily"]
    assert paths(f"local:{tmp_path}/snaps/daily") == [""]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("retention = 3", r"retention: tables are needed"),
        ("[[retention]]\nkeep_last = 1", r"retention 1: remote: the name of a remote"),
        ('[[retention]]\nremote = "bakup"\nkeep_last = 1', r"retention 1: remote: .* did you mean backup\?"),
        ('[[retention]]\nremote = "backup"', r"retention 1: nothing to go by"),
        ('[[retention]]\nremote = "backup"\nkeep_lats = 1', r"retention 1: unknown key keep_lats"),
    ],
)
def test_mistakes_are_named(file: Path, tmp_path: Path, text: str, complaint: str) -> None:
    file.write_text(f'[remote.backup]\ntype = "local"\n{text}\n' if "[[" in text else text)
    with pytest.raises(UsageError, match=complaint):
        load_config(file)
