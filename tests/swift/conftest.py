"""Mounts of the real Swift of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mount.conftest import mount_with
from tests.mount.driver import Mount
from tests.servers.swift import SwiftCluster
from tests.stores.swift import Box
from tests.swift.site import Site

__all__ = ["mount_with"]


@pytest.fixture
def site(swift_cluster: SwiftCluster, mount_with: Callable[..., Mount], tmp_path: Path) -> Site:
    """Nothing is mounted or configured yet."""
    return Site(Box.make(swift_cluster), mount_with, tmp_path)


@pytest.fixture
def lagging_site(swift_cluster: SwiftCluster, mount_with: Callable[..., Mount], tmp_path: Path) -> Site:
    """As at a provider whose listings show later what has changed."""
    return Site(Box.make(swift_cluster, ("prompt",)), mount_with, tmp_path)


@pytest.fixture
def bare_site(swift_cluster: SwiftCluster, mount_with: Callable[..., Mount], tmp_path: Path) -> Site:
    """As at a provider that has neither static large objects nor bulk requests."""
    return Site(Box.make(swift_cluster, ("slo", "bulk", "symlink")), mount_with, tmp_path)
