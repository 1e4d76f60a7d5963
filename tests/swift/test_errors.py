"""What a provider refuses, and what a network does: nothing is lost, nothing is doubled, and a person is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mount.driver import Mount, eventually
from tests.mount.programs import run
from tests.mount.tree import difference, look, plant
from tests.servers.proxy import Proxy
from tests.servers.swift import Swift, SwiftCluster
from tests.swift.site import Site

MEBI = 1 << 20


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    with Proxy(site.box.swift.address) as proxy:
        yield proxy


@pytest.fixture
def mount(site: Site, proxy: Proxy) -> Mount:
    return site.mount(settings=('segment_size = "1MiB"',), swift=site.box.swift.at(proxy.url))


def objects(site: Site) -> set[str]:
    with site.raw() as raw:
        return set(raw.names())


def stored(site: Site, name: str) -> bytes:
    with site.raw() as raw:
        return raw("GET", site.name(name)).content


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 408, 422, 429, 498, 499, 500, 502, 503, 504])
def test_what_passes_by_itself(mount: Mount, site: Site, proxy: Proxy, status: int) -> None:
    proxy.answer(status, times=2 if status != 401 else 1, matching=f"PUT /v1/AUTH_test/{site.box.container}")
    (mount.path / "file").write_bytes(b"content")
    mount.wait()
    assert stored(site, "file") == b"content"
    assert mount.status()["state"] == "online"


@pytest.mark.parametrize("status", [429, 498, 503])
def test_the_whole_account_waits_as_long_as_the_provider_says(
    mount: Mount, site: Site, proxy: Proxy, status: int
) -> None:
    proxy.answer(status, matching=f"PUT /v1/AUTH_test/{site.box.container}", retry_after=5)
    begun = time.monotonic()
    for number in range(20):
        (mount.path / f"file{number}").write_bytes(b"content")
    mount.wait()
    assert time.monotonic() - begun > 5
    assert len(objects(site)) == 21


def test_a_full_account_parks_and_says_why(mount: Mount, site: Site) -> None:
    with site.raw() as raw:
        raw("POST", X_Container_Meta_Quota_Bytes="1000")
    (mount.path / "small").write_bytes(b"fits")
    mount.wait()
    (mount.path / "file").write_bytes(bytes(5000))
    eventually(lambda: mount.status()["parked"], within=30)
    told = mount.command("pending", "list", str(mount.path)).stdout
    assert "file" in told
    assert "quota" in told.lower() or "room" in told, told
    assert (mount.path / "file").read_bytes() == bytes(5000)
    with site.raw() as raw:
        raw("POST", X_Container_Meta_Quota_Bytes="")
    mount.succeed("retry", str(mount.path))
    mount.wait()
    assert stored(site, "file") == bytes(5000)


# --- signing in ----------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(site: Site, tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_text(site.box.swift.key)
    return file


@pytest.fixture
def keyed(site: Site, key_file: Path) -> Mount:
    """Signs in with what is in the file."""
    mount = site.mount(started=False)
    config = site.configure()
    own = f'key = "{site.box.swift.key}"'
    config.write_text(config.read_text().replace(own, f'key_file = "{key_file}"'))
    return mount


def test_a_key_that_is_no_longer_right(keyed: Mount, site: Site, key_file: Path, swift_cluster: SwiftCluster) -> None:
    keyed.start()
    (keyed.path / "before").write_bytes(b"before")
    keyed.wait()
    key_file.write_text("wrong")
    swift_cluster.forget_tokens()
    (keyed.path / "meanwhile").write_bytes(b"meanwhile")
    eventually(lambda: keyed.status()["state"] == "sign-in required")
    assert "does not accept" in keyed.status()["reason"]
    assert (keyed.path / "before").read_bytes() == b"before"
    key_file.write_text(site.box.swift.key)

    def is_back() -> bool:
        """It would be, after a while, by itself."""
        keyed.succeed("retry", str(keyed.path))
        return bool(keyed.status()["state"] == "online")

    eventually(is_back)
    keyed.wait()
    assert stored(site, "meanwhile") == b"meanwhile"


def test_a_token_that_ended(mount: Mount, site: Site, swift_cluster: SwiftCluster) -> None:
    """Nobody notices."""
    (mount.path / "one").write_bytes(b"one")
    mount.wait()
    swift_cluster.forget_tokens()
    (mount.path / "two").write_bytes(b"two")
    mount.wait()
    assert stored(site, "two") == b"two"


def test_wrong_credentials_are_told_before_anything_is_mounted(site: Site) -> None:
    swift = site.box.swift
    mount = site.mount(started=False, swift=Swift(swift.url, swift.user, "wrong"))
    done = mount.try_start()
    assert done.returncode != 0
    assert not mount.mounted
    assert f"the server does not accept user {swift.user} with this key" in done.stderr


# --- a bad line ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mischief", [{"cuts": 0.05}, {"truncations": 0.05, "failures": 0.05}], ids=["cuts", "truncations and failures"]
)
def test_nothing_is_lost_and_nothing_doubled(
    mount: Mount, site: Site, proxy: Proxy, tmp_path: Path, mischief: dict[str, float]
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    plant(tree, files=40)
    for number in range(3):
        (tree / f"large{number}").write_bytes(bytes([number]) * (3 * MEBI + number))
    proxy.mischief(**mischief)
    run("rsync", "-aH", f"{tree}/", f"{mount.path}/")
    mount.wait(120)
    (tree / "large1").write_bytes(b"1" * 2 * MEBI)
    (tree / "a").rename(tree / "renamed")
    (mount.path / "a").rename(mount.path / "renamed")
    run("rsync", "-aH", "--inplace", "--delete", f"{tree}/", f"{mount.path}/")
    mount.wait(120)
    proxy.mischief()
    mount.umount()
    mount.forget_everything()
    mount.start()
    wrong = difference(look(tree), look(mount.path))
    assert [line for line in wrong if not line.startswith(".: mtime")] == [], wrong
    assert len(objects(site)) == 1 + sum(1 for _ in tree.rglob("*"))
    told = mount.command("verify", str(mount.path)).stdout
    assert "0 differences" in told or "of no file" in told
