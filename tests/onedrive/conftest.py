"""OneDrive, a configuration that names it, and mounts of drives that nobody else uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudfs.config import Remote, load_config
from cloudfs.daemon.signing_in import Wish, sign_in
from tests.emulators.onedrive.browser import agree
from tests.emulators.person import Somebody
from tests.emulators.running import Running, running
from tests.mount.conftest import mount_with
from tests.mount.driver import Mount
from tests.stores.onedrive import Account

__all__ = ["mount_with"]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running("onedrive", tmp_path_factory.mktemp("onedrive")) as emulator:
        yield emulator


@pytest.fixture
def onedrive(service: Running) -> Iterator[Running]:
    """The emulator, as it is without any trouble."""
    service.control("counts", "DELETE")
    yield service
    service.control("trouble", "DELETE")
    service.control(
        "policy", access_seconds=3600.0, rotate=True, spend=False, device_code=True, secret="", hashes=True, interval=1
    )


@pytest.fixture
def account(onedrive: Running) -> Account:
    """Of whoever signs in next, as it is the newest one."""
    return Account.make(onedrive)


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Remote]:
    """The remote ``onedrive`` of an account, for this process: with more settings, as lines of TOML."""
    file = tmp_path / "config.toml"
    monkeypatch.setenv("CLOUDFS_CONFIG", str(file))
    monkeypatch.setenv("CLOUDFS_SIGN_IN_DIR", str(tmp_path / "sign-ins"))

    def write(account: Account, more: str = "") -> Remote:
        file.touch(0o600)
        file.write_text(account.stanza + more)
        return load_config().remotes["onedrive"]

    return write


@pytest.fixture
def remote(configured: Callable[..., Remote], account: Account) -> Remote:
    return configured(account)


@pytest.fixture
def signed_in(remote: Remote) -> Remote:
    sign_in(remote, Somebody({"Address": agree}), Wish())
    return remote


@pytest.fixture
def mounting(mount_with: Callable[..., Mount], configured: Callable[..., Remote]) -> Callable[..., Mount]:
    """Makes mounts of a drive, signed in beforehand."""

    def make(account: Account, *options: str, started: bool = True, settings: str = "", source: str = "") -> Mount:
        if settings or not os.path.exists(os.environ["CLOUDFS_CONFIG"]):
            configured(account, settings)
        sign_in(load_config().remotes["onedrive"], Somebody({"Address": agree}), Wish(device=False))
        return mount_with(
            *options,
            started=started,
            source=f"onedrive:{source}",
            environment={name: os.environ[name] for name in ("CLOUDFS_CONFIG", "CLOUDFS_SIGN_IN_DIR")},
        )

    return make
