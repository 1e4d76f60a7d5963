from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.fstab.machine import Machine, machine


@pytest.fixture
def bare() -> Iterator[Machine]:
    """A machine without cloudfs."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("installing and mounting need root and /dev/fuse")
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        pytest.skip("no unshare or nsenter here")
    with machine() as made:
        yield made


@pytest.fixture
def here(bare: Machine) -> Machine:
    """A machine on which contrib/fstab/install.sh has run."""
    bare.install()
    return bare
