"""How long what Keystone gives is good for. Whether it is given is asked in ``tests/swift/test_keystone.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import pytest
import trio
from trio.testing import MockClock

from cloudfs.auth.keystone import Endpoint, KeystoneV2, KeystoneV3, Person
from cloudfs.auth.swift_session import SignIn, SwiftSession
from cloudfs.http.calls import Calls
from cloudfs.http.message import Answer, Headers
from cloudfs.settings.secret import Secret

HOUR = 3600
ISSUED = 1_700_000_000.0
TIMES = {"issued_at": "2023-11-14T22:13:20.000000Z", "expires_at": "2023-11-14T23:13:20.000000Z"}
UNTOLD = {"expires_at": TIMES["expires_at"]}


class Keystone:
    """Calls that it answers all, with tokens of these times."""

    def __init__(self, times: Mapping[str, str]) -> None:
        self.asked = 0
        self._times = times

    async def send(self, request: object, **_: object) -> Answer:
        await trio.lowlevel.checkpoint()
        self.asked += 1
        storage = {"type": "object-store", "endpoints": [{"interface": "public", "region": "r", "url": "http://s"}]}
        body = {"token": {**self._times, "catalog": [storage]}}
        return Answer(201, Headers([(b"X-Subject-Token", b"t%d" % self.asked)]), json.dumps(body).encode())


class OldKeystone(Keystone):
    """Version 2."""

    async def send(self, request: object, **_: object) -> Answer:
        await trio.lowlevel.checkpoint()
        self.asked += 1
        times = {key.removesuffix("_at") if key == "expires_at" else key: text for key, text in self._times.items()}
        storage = {"type": "object-store", "endpoints": [{"region": "r", "publicURL": "http://s"}]}
        body = {"access": {"token": {"id": f"t{self.asked}", **times}, "serviceCatalog": [storage]}}
        return Answer(200, Headers(), json.dumps(body).encode())


async def key() -> Secret:
    return Secret("secret")


def session(keystone: Keystone, clock: float) -> SwiftSession:
    """On a machine whose clock says this."""
    version = KeystoneV2 if isinstance(keystone, OldKeystone) else KeystoneV3
    way: SignIn = version(
        cast(Calls, keystone), "http://k", Person(user="u", project="p"), key, Endpoint(), lambda: clock
    )
    return SwiftSession(way, trio.current_time)


async def tokens_in(seconds: int, of: SwiftSession) -> None:
    """Ask for one each minute."""
    for _ in range(seconds // 60):
        await of.access()
        await trio.sleep(60)


@pytest.mark.parametrize("version", [Keystone, OldKeystone])
@pytest.mark.parametrize("wrong_by", [-2 * HOUR, 0, 2 * HOUR])
async def test_a_token_is_replaced_when_it_ends_whatever_our_clock_says(
    autojump_clock: MockClock, version: type[Keystone], wrong_by: int
) -> None:
    keystone = version(TIMES)
    used = session(keystone, ISSUED + wrong_by)
    await tokens_in(HOUR - 180, used)
    assert keystone.asked == 1
    await tokens_in(HOUR // 2, used)
    assert keystone.asked == 2


@pytest.mark.parametrize("version", [Keystone, OldKeystone])
async def test_without_the_time_of_issue_our_clock_tells(autojump_clock: MockClock, version: type[Keystone]) -> None:
    keystone = version(UNTOLD)
    used = session(keystone, ISSUED + HOUR / 2)
    await tokens_in(HOUR // 2 - 180, used)
    assert keystone.asked == 1
    await tokens_in(180, used)
    assert keystone.asked == 2


async def test_a_token_that_seems_to_have_ended_already_is_used_until_it_is_refused() -> None:
    keystone = Keystone(UNTOLD)
    used = session(keystone, ISSUED + 2 * HOUR)
    assert (await used.access()).token == (await used.access()).token == "t1"
    assert (await used.access(refused="t1")).token == "t2"
