"""Servers that tests of several areas speak to: one of each for a whole run, or for each worker of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.swift import SwiftCluster


@pytest.fixture(scope="session")
def swift_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftCluster]:
    """A real OpenStack Swift."""
    with SwiftCluster(tmp_path_factory.mktemp("swift")) as cluster:
        yield cluster
