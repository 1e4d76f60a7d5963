"""A client that is closed after the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cloudfs.http.client import HttpClient


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.aclose()
