"""Large files: sent while they are written, in segments that are sent once, kept as long as anything needs them."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mount.driver import Mount, eventually
from tests.mount.programs import run
from tests.servers.proxy import Proxy
from tests.servers.swift import SwiftCluster
from tests.stores.swift import Box
from tests.swift.site import Site

MEBI = 1 << 20
SEGMENTS_OF_1M = ('segment_size = "1MiB"',)
SIZE = 12 * MEBI + 345
IN_FLIGHT = 4
"""Segments that may be on their way at once."""


def content(seed: int, size: int = SIZE) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def mount(site: Site) -> Mount:
    return site.mount(settings=SEGMENTS_OF_1M)


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    with Proxy(site.box.swift.address) as proxy:
        yield proxy


def stored(site: Site, name: str) -> bytes:
    """As any client reads it."""
    with site.raw() as raw:
        return raw("GET", site.name(name)).content


def write(mount: Mount, name: str, data: bytes) -> None:
    (mount.path / name).write_bytes(data)
    mount.wait()


def after_loss(mount: Mount) -> Path:
    mount.umount()
    mount.forget_everything()
    mount.start()
    return mount.path


# --- what is sent again --------------------------------------------------------------------------------------------


def test_a_small_change_sends_what_it_touched(mount: Mount, site: Site) -> None:
    data = content(1)
    write(mount, "file", data)
    before = set(site.segments())
    with open(mount.path / "file", "r+b") as file:
        file.seek(5 * MEBI + 100)
        file.write(b"patch" * 1000)
    mount.wait()
    data = data[: 5 * MEBI + 100] + b"patch" * 1000 + data[5 * MEBI + 5100 :]
    after = set(site.segments())
    assert len(after - before) == 1
    with site.raw() as raw:
        (new,) = after - before
        assert int(raw("HEAD", new, container=f"{site.box.container}_segments").headers["content-length"]) <= 128 << 10
    assert stored(site, "file") == data
    assert (after_loss(mount) / "file").read_bytes() == data


def test_an_append_adds_a_segment(mount: Mount, site: Site) -> None:
    data = content(2, 12 * MEBI)
    write(mount, "file", data)
    before = set(site.segments())
    with open(mount.path / "file", "ab") as file:
        file.write(b"appended")
    mount.wait()
    assert before < set(site.segments())
    assert len(site.segments()) == len(before) + 1
    assert stored(site, "file") == data + b"appended"


def test_many_changes_one_after_the_other(mount: Mount, site: Site) -> None:
    """What is kept of what was kept: still right, and not more and more segments."""
    data = bytearray(content(3))
    write(mount, "file", bytes(data))
    dice = random.Random(3)
    for _ in range(6):
        at, patch = dice.randrange(SIZE - 5000), dice.randbytes(dice.randrange(1, 5000))
        data[at : at + len(patch)] = patch
        with open(mount.path / "file", "r+b") as file:
            file.seek(at)
            file.write(patch)
        mount.wait()
        assert stored(site, "file") == data
    os.truncate(mount.path / "file", 10 * MEBI)
    mount.wait()
    assert stored(site, "file") == data[: 10 * MEBI]
    assert len(site.segments()) <= 13 + 6


# --- segments that nothing needs -----------------------------------------------------------------------------------


def test_replaced_and_deleted_files_leave_no_segments(mount: Mount, site: Site) -> None:
    write(mount, "file", content(4, 3 * MEBI + 1))
    first = set(site.segments())
    write(mount, "file", content(5, 3 * MEBI + 1))
    assert len(site.segments()) == 4
    assert first.isdisjoint(site.segments())
    write(mount, "file", b"small")
    assert site.segments() == []
    write(mount, "other", content(6, 3 * MEBI))
    (mount.path / "other").unlink()
    mount.wait()
    assert site.segments() == []


def test_one_of_two_names_goes_and_the_other_stays_whole(mount: Mount, site: Site) -> None:
    data = content(7)
    write(mount, "one", data)
    segments = set(site.segments())
    os.link(mount.path / "one", mount.path / "two")
    mount.wait()
    assert set(site.segments()) == segments
    (mount.path / "one").unlink()
    mount.wait()
    assert (after_loss(mount) / "two").read_bytes() == data
    assert stored(site, "two") == data
    (mount.path / "two").unlink()
    mount.wait()
    assert site.segments() == []


def test_snapshots_share_segments_until_a_name_is_written_to(mount: Mount, site: Site) -> None:
    data = content(8)
    (mount.path / "0").mkdir()
    write(mount, "0/file", data)
    run("cp", "-al", mount.path / "0", mount.path / "1")
    mount.wait()
    shutil.copy(mount.path / "0/file", mount.path / "0/fresh")
    os.replace(mount.path / "0/fresh", mount.path / "0/file")
    with open(mount.path / "0/file", "ab") as file:
        file.write(b"changed")
    mount.wait()
    root = after_loss(mount)
    assert (root / "0/file").read_bytes() == data + b"changed"
    assert (root / "1/file").read_bytes() == data
    shutil.rmtree(root / "0")
    mount.wait()
    assert stored(site, "1/file") == data


def test_renamed_and_replaced_by_rename(mount: Mount, site: Site) -> None:
    data = content(9)
    write(mount, "file", content(10, 2 * MEBI))
    write(mount, "new", data)
    segments = {name for name in site.segments() if name}
    os.replace(mount.path / "new", mount.path / "file")
    (mount.path / "directory").mkdir()
    (mount.path / "file").rename(mount.path / "directory/moved")
    mount.wait()
    assert set(site.segments()) < segments
    assert len(site.segments()) == 13
    assert (after_loss(mount) / "directory/moved").read_bytes() == data


# --- larger than the cache, and killed ------------------------------------------------------------------------------


def disk_use(mount: Mount) -> int:
    paths = [*mount.state.rglob("*"), *mount.cache.rglob("*")]
    return sum(path.lstat().st_blocks * 512 for path in paths)


def test_a_file_larger_than_the_cache(site: Site) -> None:
    mount = site.mount("cache_size=8M", settings=SEGMENTS_OF_1M)
    data, most = content(11, 40 * MEBI), 0
    with open(mount.path / "file", "wb") as file:
        for at in range(0, len(data), MEBI):
            file.write(data[at : at + MEBI])
            most = max(most, disk_use(mount))
    mount.wait()
    assert most < 24 * MEBI
    assert (mount.path / "file").read_bytes() == data
    assert (after_loss(mount) / "file").read_bytes() == data


@pytest.fixture
def slow(site: Site, proxy: Proxy) -> Mount:
    """A mount with a small cache, on a line that has to be waited for."""
    proxy.bandwidth = 8 * MEBI
    return site.mount(f"cache_size=8M,uploads={IN_FLIGHT}", settings=SEGMENTS_OF_1M, swift=site.box.swift.at(proxy.url))


def kill_while_sending(mount: Mount, site: Site) -> set[str]:
    """The segments that were there then."""
    eventually(lambda: len(site.segments()) >= IN_FLIGHT + 2)
    mount.kill()
    mount.abort()
    return set(site.segments())


def test_a_killed_upload_goes_on_at_the_segment(slow: Mount, site: Site, proxy: Proxy) -> None:
    data = content(12, 16 * MEBI)
    (slow.path / "file").write_bytes(data)
    before = kill_while_sending(slow, site)
    assert objects(site) == set()
    proxy.bandwidth = None
    slow.start()
    assert (slow.path / "file").read_bytes() == data
    slow.wait()
    assert stored(site, "file") == data
    with site.raw() as raw:
        manifest = raw("GET", site.name("file"), params={"multipart-manifest": "get"}).json()
    used = {part["name"].partition("_segments/")[2] for part in manifest}
    # What was under way at that moment had not been written down.
    assert len(before & used) >= len(before) - IN_FLIGHT
    assert len(used - before) <= 16 - len(before) + IN_FLIGHT


def test_a_file_that_is_being_written_survives_as_far_as_it_was_synchronized(
    slow: Mount, site: Site, proxy: Proxy
) -> None:
    data = content(13, 16 * MEBI)
    descriptor = os.open(slow.path / "file", os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, data[: 12 * MEBI])
    os.fsync(descriptor)
    kill_while_sending(slow, site)
    with contextlib.suppress(OSError):
        os.close(descriptor)
    proxy.bandwidth = None
    slow.start()
    assert (slow.path / "file").read_bytes() == data[: 12 * MEBI]
    with open(slow.path / "file", "ab") as file:
        file.write(data[12 * MEBI :])
    slow.wait()
    assert stored(site, "file") == data


def test_verify_names_what_a_lost_upload_has_left(slow: Mount, site: Site, proxy: Proxy) -> None:
    (slow.path / "file").write_bytes(content(14, 16 * MEBI))
    left = kill_while_sending(slow, site)
    proxy.bandwidth = None
    slow.forget_everything()
    slow.start()
    write(slow, "another", content(15, 3 * MEBI))
    told = slow.command("verify", str(slow.path)).stdout
    groups = {name.split("/")[1] for name in left}
    assert all(group in told for group in groups), told
    assert told.count("of no file") == len(groups)


def test_verify_leaves_uploads_under_way_alone(slow: Mount, site: Site) -> None:
    (slow.path / "file").write_bytes(content(16, 16 * MEBI))
    eventually(lambda: len(site.segments()) >= 4)
    assert "of no file" not in slow.command("verify", str(slow.path)).stdout


def objects(site: Site) -> set[str]:
    with site.raw() as raw:
        return {name for name in raw.names() if name != site.prefix}


# --- at other providers --------------------------------------------------------------------------------------------


def test_without_static_large_objects(bare_site: Site) -> None:
    """Dynamic ones: changed, moved, linked, deleted."""
    data = content(17, 4 * MEBI + 5)
    mount = bare_site.mount(settings=SEGMENTS_OF_1M)
    write(mount, "file", data)
    with bare_site.raw() as raw:
        assert "x-object-manifest" in raw("HEAD", bare_site.name("file")).headers
    assert stored(bare_site, "file") == data
    write(mount, "file", data + b"appended")
    (mount.path / "file").rename(mount.path / "moved")
    os.link(mount.path / "moved", mount.path / "linked")
    mount.wait()
    root = after_loss(mount)
    assert (root / "moved").read_bytes() == (root / "linked").read_bytes() == data + b"appended"
    (root / "moved").unlink()
    mount.wait()
    assert stored(bare_site, "linked") == data + b"appended"
    assert "of no file" not in mount.command("verify", str(mount.path)).stdout
    (root / "linked").unlink()
    mount.wait()
    assert bare_site.segments() == []


@pytest.mark.parametrize("forgets", [False, True], ids=["remembers", "forgets"])
def test_what_a_mount_stored_that_began_off_line_is_there_for_the_next_one(
    site: Site, proxy: Proxy, forgets: bool
) -> None:
    """The first one could not ask what the provider offers."""
    data = content(19, 3 * MEBI + 1)
    proxy.offline()
    mount = site.mount(settings=SEGMENTS_OF_1M, swift=site.box.swift.at(proxy.url))
    proxy.online()
    write(mount, "large", data)
    mount.umount()
    if forgets:
        mount.forget_everything()
    mount.start("dir_cache_time=1s")
    with site.raw() as raw:
        raw("PUT", site.name("new"), b"new")
    eventually((mount.path / "new").exists, within=30)  # so the directory was listed once more
    assert {path.name: path.stat().st_size for path in mount.path.iterdir()} == {"large": len(data), "new": 3}
    assert (mount.path / "large").read_bytes() == data


def test_without_any_large_objects(
    swift_cluster: SwiftCluster, mount_with: Callable[..., Mount], tmp_path: Path
) -> None:
    site = Site(Box.make(swift_cluster, ("slo", "dlo", "symlink")), mount_with, tmp_path)
    mount = site.mount(settings=SEGMENTS_OF_1M)
    data = content(18, 3 * MEBI)
    write(mount, "file", data)
    assert stored(site, "file") == data
    assert site.segments() == []
    with open(mount.path / "larger", "wb") as file, pytest.raises(OSError) as caught:
        file.truncate((5 << 30) + 3)
    assert caught.value.errno == errno.EFBIG
