"""Plain umount(8) of a mount whose store is slow: it returns when all is stored, or says what is left."""

from __future__ import annotations

import hashlib
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.fstab.machine import LIMIT, Machine
from tests.mount.driver import eventually
from tests.mount.test_limits import write_random
from tests.network.conftest import Far

MIB = 1 << 20


def mount(here: Machine, far: Far, *options: str) -> None:
    """By mount(8), with the configuration of the machine."""
    config = here.home / "config.toml"
    config.chmod(0o600)
    config.write_text(far.site.box.swift.at(far.proxy.url).stanza() + 'segment_size = "1MiB"\n')
    here.succeed("mount", "-t", "fuse.cloudfs", far.site.source, here.mnt, "-o", here.options(*options))


def write(here: Machine, name: str, mib: int) -> str:
    return write_random(Path(here.path(name)), mib)


def digest(far: Far, name: str) -> str:
    return hashlib.sha256(far.stored(name)).hexdigest()


@pytest.mark.timeout(200)
def test_it_returns_when_all_is_stored(here: Machine, far: Far) -> None:
    mount(here, far)
    far.proxy.bandwidth = MIB
    written = write(here, "large", 5)
    assert "large" not in far.names()
    umount = here.start("umount", here.mnt)
    with pytest.raises(subprocess.TimeoutExpired):
        umount.wait(1)
    out, error = umount.communicate(timeout=LIMIT)
    assert (umount.returncode, out, error) == (0, "", "")
    assert digest(far, "large") == written
    assert here.drivers() == []


@pytest.mark.timeout(200)
def test_its_time_limit_leaves_a_queue_that_the_next_mount_completes(here: Machine, far: Far) -> None:
    mount(here, far, "umount_timeout=1s")
    far.proxy.bandwidth = MIB // 4
    written = write(here, "large", 4)
    late = here.run("umount", here.mnt)
    assert late.returncode != 0
    assert re.search(r"is unmounted, and not all is stored: \d files? \(.*\) still to be stored", late.stderr)
    assert not here.mounted()
    assert here.drivers() == []
    assert "large" not in far.names(), "nothing is there under its name before it is whole"
    far.proxy.bandwidth = None
    mount(here, far)
    assert here.succeed("sha256sum", here.mnt / "large").split()[0] == written
    here.succeed("umount", here.mnt)
    assert digest(far, "large") == written


@pytest.mark.timeout(200)
def test_it_shows_on_a_terminal_how_far_it_is(here: Machine, far: Far) -> None:
    mount(here, far)
    far.proxy.bandwidth = MIB
    written = write(here, "large", 5)
    leader, follower = pty.openpty()
    command = here.inside("env", "TERM=xterm", "COLUMNS=120", "umount", str(here.mnt))
    umount = subprocess.Popen(command, stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    while not (bars := re.findall(rb"1 file left.*?(\d\.\d)/(\d\.\d) MiB", shown)) or len(set(bars)) < 3:
        shown += os.read(leader, 4096)
    os.set_blocking(leader, False)  # a terminal that nobody reads from would hold up who writes to it
    eventually(lambda: _read(leader) or umount.poll() is not None, within=LIMIT)
    assert umount.wait(LIMIT) == 0
    os.close(leader)
    assert digest(far, "large") == written


def _read(leader: int) -> bool:
    """Take what the terminal shows; whether the end is reached."""
    try:
        return os.read(leader, 65536) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
