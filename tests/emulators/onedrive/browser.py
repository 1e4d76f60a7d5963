"""What a person does in a browser."""

from __future__ import annotations

import httpx


def agree(page: str) -> str:
    """Open the page of a sign-in; the address where the browser ends, to be pasted."""
    answer = httpx.get(page, timeout=30)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def type_code(page: str, code: str) -> None:
    """Open the page that a device code is for, and type the code."""
    assert "code" in httpx.get(page, timeout=30).text
    assert httpx.post(page, data={"code": code}, timeout=30).status_code == 200
