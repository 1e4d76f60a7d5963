"""hubiC, in front of the real Swift of the run, and a configuration that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudfs.config import Remote, load_config
from cloudfs.daemon.signing_in import Wish, sign_in
from tests.emulators.hubic.app import stanza
from tests.emulators.hubic.browser import agree
from tests.emulators.person import Somebody
from tests.emulators.running import Running, running
from tests.mount.conftest import mount_with
from tests.servers.swift import SwiftCluster
from tests.servers.swift_files import PROVIDER

__all__ = ["mount_with"]

AS_AT_HUBIC = ("slo", "bulk", "symlink")
"""What the Swift of hubiC did not have."""


@pytest.fixture(scope="session")
def service(swift_cluster: SwiftCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    auth_url = swift_cluster.front(AS_AT_HUBIC).auth_url
    with running("hubic", tmp_path_factory.mktemp("hubic"), 0, "--swift", auth_url, "--user", PROVIDER) as emulator:
        yield emulator


@pytest.fixture
def hubic(service: Running) -> Iterator[Running]:
    """The emulator, as it is without any trouble."""
    yield service
    service.control("trouble", "DELETE")
    service.control("counts", "DELETE")
    service.control("settings", refusal=401, same_token=False, access_life=21600.0, swift_life=86400.0)


@pytest.fixture
def configured(hubic: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Remote]:
    """The remote ``hubic``, for this process: with more settings, as lines of TOML."""
    file = tmp_path / "config.toml"
    monkeypatch.setenv("CLOUDFS_CONFIG", str(file))
    monkeypatch.setenv("CLOUDFS_SIGN_IN_DIR", str(tmp_path / "sign-ins"))

    def write(more: str = "") -> Remote:
        file.touch(0o600)
        file.write_text(stanza(hubic.url) + more)
        return load_config().remotes["hubic"]

    return write


@pytest.fixture
def remote(configured: Callable[..., Remote]) -> Remote:
    return configured()


@pytest.fixture
def signed_in(remote: Remote) -> Remote:
    sign_in(remote, Somebody({"Address": agree}), Wish())
    return remote
