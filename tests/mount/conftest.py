"""The real kernel: every test below runs on a mounted cloudfs, or with ``--directory DIR`` on a plain directory.

The second form proves the tests: what ext4 fails is not ours to pass.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.explaining import MOUNTS
from tests.mount.driver import Mount, workspace

HANG_AFTER = 100.0
"""Seconds after which the connection of a test's mount is aborted, so that the test fails instead of hanging."""

OPTIONS = ("allow_other", "suid", "dev")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--directory", help="run the mount tests that need no driver in this plain directory")


def plain_directory(config: pytest.Config) -> str | None:
    found: str | None = config.getoption("--directory", default=None) or os.environ.get("CLOUDFS_TEST_DIRECTORY")
    return found


def require_mounting() -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting with allow_other,suid,dev needs root")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("no /dev/fuse here")


@pytest.fixture
def mount_with(request: pytest.FixtureRequest) -> Iterator[Callable[..., Mount]]:
    """Makes mounts with options of the test's own; started, unless ``started=False``."""
    if plain_directory(request.config):
        pytest.skip("needs a driver")
    require_mounting()
    made: list[tuple[Mount, threading.Timer]] = []
    own_limit = request.node.get_closest_marker("timeout")
    patience = own_limit.args[0] - 20 if own_limit else HANG_AFTER
    with workspace() as home:

        def make(*options: str, started: bool = True, **settings: object) -> Mount:
            own = home / str(len(made))
            own.mkdir()
            mount = Mount(own, (*OPTIONS, *options), **settings)  # type: ignore[arg-type]
            made.append((mount, watchdog(mount, patience)))
            request.node.stash.setdefault(MOUNTS, []).append(mount)
            if started:
                mount.start()
            return mount

        yield make
        for mount, timer in made:
            timer.cancel()
            mount.dispose()


@pytest.fixture
def mount(mount_with: Callable[..., Mount]) -> Mount:
    """A mount of the test's own, with the options of a backup machine."""
    return mount_with()


@dataclass(frozen=True)
class Volume:
    """The file system under test; ``mount`` is None if it is a plain one."""

    path: Path
    mount: Mount | None = None

    def stored(self, directory: Path) -> Path:
        """Where the store has what ``directory`` holds, once it has all of it."""
        if self.mount is None:
            return directory
        self.mount.wait()
        return self.mount.store / directory.relative_to(self.path)


@pytest.fixture(scope="module")
def volume(request: pytest.FixtureRequest) -> Iterator[Volume]:
    """One for all the tests of a module."""
    plain = plain_directory(request.config)
    if plain:
        with workspace(Path(plain)) as home:
            yield Volume(home)
        return
    require_mounting()
    with workspace() as home:
        mount = Mount(home, OPTIONS)
        try:
            mount.start()
            yield Volume(mount.path, mount)
            assert not mount.has_failed, mount.last_words()
        finally:
            mount.dispose()


@pytest.fixture
def directory(volume: Volume) -> Iterator[Path]:
    """An empty directory of the test's own on the file system under test."""
    timer = watchdog(volume.mount) if volume.mount else None
    own = volume.path / f"t{len(os.listdir(volume.path))}"
    own.mkdir()
    own.chmod(0o755)
    yield own
    if timer:
        timer.cancel()


def watchdog(mount: Mount, seconds: float = HANG_AFTER) -> threading.Timer:
    """Ends a test that hangs in the kernel, where no signal reaches it."""

    def bite() -> None:
        faulthandler.dump_traceback(sys.__stderr__ or 2)
        mount.abort()

    timer = threading.Timer(seconds, bite)
    timer.daemon = True
    timer.start()
    return timer
