from __future__ import annotations

import pytest

from cloudfs.cli.invocation import rewrite

COMMANDS = ("mount", "umount", "status", "wait")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cloudfs", ""),
        ("cloudfs --help", "--help"),
        ("cloudfs status /mnt", "status /mnt"),
        ("cloudfs mount a:b /mnt", "mount a:b /mnt"),
        ("cloudfs a:b /mnt", "mount a:b /mnt"),
        ("cloudfs a:b /mnt -o ro", "mount a:b /mnt -o ro"),
        ("cloudfs -o ro a:b /mnt", "mount -o ro a:b /mnt"),
        ("cloudfs -n -o status a:b /mnt", "mount -n -o status a:b /mnt"),
        ("cloudfs cloudfs#a:b /mnt -o rw,nosuid", "mount cloudfs#a:b /mnt -o rw,nosuid"),
        ("cloudfs a:b /mnt -f", "mount a:b /mnt -f"),
        ("cloudfs wait a:b", "wait a:b"),
        ("cloudfs /srv /mnt", "/srv /mnt"),
        ("cloudfs moun a:b /mnt", "moun a:b /mnt"),
        ("/sbin/mount.cloudfs a:b /mnt -s -n -v -o ro", "mount a:b /mnt -s -n -v -o ro"),
        ("/sbin/mount.cloudfs a:b /mnt -f", "mount a:b /mnt --fake"),
        ("mount.fuse.cloudfs status /mnt", "mount status /mnt"),
        ("umount.cloudfs /mnt -n -l", "umount /mnt -n -l"),
    ],
)
def test_every_way_to_call_it(line: str, expected: str) -> None:
    assert rewrite(line.split(), COMMANDS) == expected.split()
