"""Who makes the calls. ``alice`` and ``bob`` are ordinary users without a group in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mount.posix.syscalls import Identity, Syscalls

ALICE, BOB, CAROL = 65534, 65533, 65532


@pytest.fixture
def worker(directory: Path) -> Iterator[Syscalls]:
    """Calls are made in ``directory``: names of the test's own are relative to it."""
    if os.geteuid() != 0:
        pytest.skip("switching users needs root")
    process = Syscalls(directory)
    yield process
    process.close()


@pytest.fixture
def root(worker: Syscalls) -> Identity:
    return worker.identity(0)


@pytest.fixture
def alice(worker: Syscalls) -> Identity:
    return worker.identity(ALICE)


@pytest.fixture
def bob(worker: Syscalls) -> Identity:
    return worker.identity(BOB)
