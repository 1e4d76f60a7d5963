"""Ubuntu One, and a configuration that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudfs.config import Remote, load_config
from tests.emulators.running import Running, running
from tests.mount.conftest import mount_with

__all__ = ["mount_with"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running("ubuntuone", tmp_path / "service") as emulator:
        yield emulator


@pytest.fixture
def configured(service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Remote]:
    """The remote ``one``, for this process: with more settings, as lines of TOML."""
    file = tmp_path / "config.toml"
    monkeypatch.setenv("CLOUDFS_CONFIG", str(file))
    monkeypatch.setenv("CLOUDFS_SIGN_IN_DIR", str(tmp_path / "sign-ins"))

    def write(more: str = "") -> Remote:
        urls = "".join(f'{name}_url = "{service.url}"\n' for name in ("api", "content", "sso"))
        file.touch(0o600)
        file.write_text(f'[remote.one]\ntype = "ubuntuone"\n{urls}{more}')
        return load_config().remotes["one"]

    return write


@pytest.fixture
def remote(configured: Callable[..., Remote]) -> Remote:
    return configured()
