from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloudfs.errors import UsageError
from cloudfs.options import WORDS, MountOptions, parse_options

DEFAULTS = MountOptions()


def as_root(text: str) -> MountOptions:
    return parse_options(text, privileged=True)


def test_nothing_is_the_defaults() -> None:
    assert parse_options("") == parse_options([]) == parse_options(",, ,") == DEFAULTS
    assert (DEFAULTS.cache_size, DEFAULTS.dir_cache_time, DEFAULTS.uploads) == (10 << 30, 300.0, 8)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("cache_dir=/var/cache/x", "cache_dir", Path("/var/cache/x")),
        ("state_dir=/var/lib/x", "state_dir", Path("/var/lib/x")),
        ("cache_size=256MiB", "cache_size", 256 << 20),
        ("cache_size=10G", "cache_size", 10 << 30),
        ("dir_cache_time=5m", "dir_cache_time", 300.0),
        ("dir_cache_time=1.5", "dir_cache_time", 1.5),
        ("uploads=16", "uploads", 16),
        ("sync=remote", "sync", "remote"),
        ("sync=local", "sync", "local"),
        ("umount_timeout=30s", "umount_timeout", 30.0),
        ("xattr", "xattr", True),
        ("allow_other", "allow_other", True),
        ("uid=1000", "uid", 1000),
        ("uid=root", "uid", 0),
        ("gid=1000", "gid", 1000),
        ("gid=root", "gid", 0),
        ("umask=022", "umask", 0o022),
        ("umask=77", "umask", 0o077),
        ("ro", "read_only", True),
        ("suid", "suid", True),
        ("dev", "dev", True),
        ("debug", "debug", True),
        ("noexec", "kernel", ("noexec",)),
        ("noatime", "kernel", ("noatime",)),
        ('context="system_u:object_r:tmp_t:s0:c127,c456"', "kernel", ("context=system_u:object_r:tmp_t:s0:c127,c456",)),
    ],
)
def test_what_each_option_does(text: str, field: str, value: object) -> None:
    options = as_root(text)
    assert getattr(options, field) == value
    assert options == as_root(f"rw,{text},defaults")


def test_relative_directories_are_taken_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/somebody")
    options = parse_options("cache_dir=cache,state_dir=~/state")
    assert options.cache_dir == tmp_path / "cache"
    assert options.state_dir == Path("/home/somebody/state")


@pytest.mark.parametrize(
    "text",
    """
    defaults rw auto noauto nofail nouser nosuid nodev exec async sync atime relatime strictatime norelatime
    nostrictatime diratime nodiratime lazytime nolazytime dirsync iversion noiversion mand nomand silent loud
    _netdev owner group x-systemd.automount x-systemd.requires=network.target x-gvfs-show X-mount.mkdir
    comment=backup helper=cloudfs uhelper=udisks2 user=alice fsname=x subtype=cloudfs default_permissions nonempty
    noxattr quota noquota
    """.split(),  # noqa: SIM905
)
def test_what_mount_says_by_itself_changes_nothing(text: str) -> None:
    assert as_root(text) == DEFAULTS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ro,rw", {}),
        ("rw,ro", {"read_only": True}),
        ("suid,nosuid", {}),
        ("nosuid,suid", {"suid": True}),
        ("dev,nodev,dev", {"dev": True}),
        ("xattr,noxattr", {}),
        ("exec,noexec", {"kernel": ("noexec",)}),
        ("noexec,exec", {}),
        ("noatime,relatime", {}),
        ("sync=remote,sync=local", {}),
        ("uploads=1,uploads=2", {"uploads": 2}),
        ("sync=remote,sync", {"sync": "remote"}),
        ("suid,dev,user", {"kernel": ("noexec",)}),
        ("user,suid,exec", {"suid": True}),
        ("suid,group", {}),
        ("context=a,context=b", {"kernel": ("context=b",)}),
    ],
)
def test_the_last_word_holds(text: str, expected: dict[str, object]) -> None:
    assert as_root(text) == MountOptions(**expected)  # type: ignore[arg-type]


def test_several_texts_are_one_after_the_other() -> None:
    assert parse_options(["ro,uploads=3", "rw", ""]) == MountOptions(uploads=3)


def test_what_only_root_can_have() -> None:
    assert parse_options("suid,dev,context=x,noexec", privileged=False) == MountOptions(kernel=("noexec",))
    assert parse_options("suid").suid is (os.geteuid() == 0)


def test_a_comma_can_be_part_of_a_value() -> None:
    assert as_root(r"cache_dir=/a\,b,ro") == as_root('cache_dir="/a,b",ro')
    assert as_root(r"cache_dir=/a\,b").cache_dir == Path("/a,b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cache_sise=1G", "unknown option cache_sise; did you mean cache_size?"),
        ("allow_others", "unknown option allow_others; did you mean allow_other?"),
        ("upload=3", "unknown option upload; did you mean uploads?"),
        ("nofial", "unknown option nofial; did you mean nofail?"),
        ("allow_root", "unknown option allow_root; did you mean allow_other?"),
        ("zzz", "unknown option zzz; did you mean"),
        ("ro=1", "option ro takes no value"),
        ("nofail=yes", "option nofail takes no value"),
        ("noatime=1", "option noatime takes no value"),
        ("uploads", "option uploads needs a value: uploads=NUMBER"),
        ("cache_dir=", "option cache_dir=: the name of a directory is missing"),
        ("uploads=0", "option uploads=0: a number from 1 to 256 is needed"),
        ("uploads=many", "a number from 1 to 256"),
        ("cache_size=lots", "option cache_size=lots: a size is a number"),
        ("cache_size=1K", "at least 1MiB"),
        ("dir_cache_time=soon", "option dir_cache_time=soon: a time is"),
        ("sync=always", "either sync=local or sync=remote"),
        ("umask=9", "an octal number"),
        ("umask=1777", "an octal number"),
        ("uid=nobody-of-that-name", "there is no such user"),
        ("gid=nobody-of-that-name", "there is no such group"),
        ("uid=4294967295", "too large"),
        ("remount,ro", "cannot be remounted"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        as_root(text)
    assert message in str(caught.value)


def test_sloppy_ignores_what_it_does_not_know() -> None:
    assert parse_options("zzz,zzz=1,ro", sloppy=True) == MountOptions(read_only=True)
    with pytest.raises(UsageError):
        parse_options("uploads=none", sloppy=True)


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.name)
def test_every_documented_word_is_known(word: object) -> None:
    examples = {
        "DIRECTORY": "/x",
        "SIZE": "1G",
        "TIME": "5m",
        "NUMBER": "3",
        "local|remote": "remote",
        "on|off": "off",
        "USER": "0",
        "GROUP": "0",
        "OCTAL": "022",
    }
    name, value = word.name, word.value  # type: ignore[attr-defined]
    as_root(f"{name}={examples[value]}" if value else name)
