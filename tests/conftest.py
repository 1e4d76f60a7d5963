"""Servers that tests of several areas speak to: one of each for a whole run, or for each worker of it.

And how pytest explains failures (`tests.explaining`), for all areas.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.explaining import pytest_assertrepr_compare, pytest_runtest_makereport
from tests.servers.swift import SwiftCluster

__all__ = ["pytest_assertrepr_compare", "pytest_runtest_makereport"]


@pytest.fixture(scope="session")
def swift_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftCluster]:
    """A real OpenStack Swift."""
    with SwiftCluster(tmp_path_factory.mktemp("swift")) as cluster:
        yield cluster
