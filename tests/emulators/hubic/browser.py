"""What a person does in a browser: open the page, agree, and copy the address where it ends."""

from __future__ import annotations

import re

import httpx

from tests.emulators.hubic.accounts import LOGIN, PASSWORD


def agree(page: str, *, scopes: str = "usage,account,credentials", password: str = PASSWORD) -> str:
    """The address to paste; ``scopes`` are the boxes that stay ticked."""
    shown = httpx.get(page, timeout=30)
    number = re.search(r'name="oauth" value="(\d+)"', shown.text)
    assert number, shown.text
    form = {"oauth": number[1], "action": "accepted", "login": LOGIN, "user_pwd": password}
    form |= dict.fromkeys(scopes.split(","), "r")
    answer = httpx.post(page.partition("?")[0], data=form, timeout=30)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def refuse(page: str) -> str:
    """The address to paste of somebody who does not agree."""
    number = re.search(r'name="oauth" value="(\d+)"', httpx.get(page, timeout=30).text)
    assert number
    answer = httpx.post(page.partition("?")[0], data={"oauth": number[1], "action": "declined"}, timeout=30)
    return str(answer.headers["location"])


def redirected(page: str) -> str:
    """Where a page leads that shows nothing to agree to."""
    return str(httpx.get(page, timeout=30).headers["location"])
