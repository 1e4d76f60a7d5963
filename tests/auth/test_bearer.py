"""Tokens: renewed in time, by one at a time on the whole machine, and kept before they are used."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from cloudfs.auth.bearer import Bearer
from cloudfs.auth.token_file import TokenFile
from cloudfs.auth.token_keyring import TokenKeyring
from cloudfs.auth.tokens import Token, TokenHome
from cloudfs.errors import SignInRequired, Unavailable
from tests.auth.homes import MemoryHome, never

NOW = 1_700_000_000.0
TOKEN = Token("access 1", "refresh 1", NOW + 3600)


class Provider:
    """Rotates: each refresh token is good once."""

    def __init__(self, good: str = "refresh 1") -> None:
        self.good = good
        self.asked = 0
        self.away = False

    async def renew(self, old: Token) -> Token:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self.away:
            raise Unavailable("away")
        if old.refresh != self.good:
            raise SignInRequired("invalid_grant")
        number = int(self.good.split()[1]) + 1
        self.good = f"refresh {number}"
        return replace(old, access=f"access {number}", refresh=self.good, expires_at=NOW + 7200)


class Keyring:
    """What the package ``keyring`` has."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, name: str) -> str | None:
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, text: str) -> None:
        self.kept[service, name] = text

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


HOMES: dict[str, Callable[[Path], TokenHome]] = {
    "memory": lambda path: MemoryHome(),
    "file": lambda path: TokenFile(path / "sign-ins/name.json"),
    "keyring": lambda path: TokenKeyring("name", path / "sign-ins/name.json", Keyring()),
}


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> TokenHome:
    return HOMES[request.param](tmp_path)


def bearer(home: TokenHome, provider: Provider, at: float = NOW) -> Bearer:
    return Bearer("name", home, provider.renew, lambda: at)


# --- homes -----------------------------------------------------------------------------------------------------------


async def test_a_home_keeps_replaces_and_forgets(home: TokenHome) -> None:
    assert await home.load() is None
    stamps = [home.stamp()]
    for token in (TOKEN, replace(TOKEN, access="other", facts={"drive": "x"})):
        async with home.locked():
            await home.save(token)
        assert await home.load() == token
        stamps.append(home.stamp())
    await home.erase()
    assert await home.load() is None
    assert len({*stamps, home.stamp()}) >= 3


async def test_a_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    home = TokenFile(tmp_path / "deep/name.json")
    old_mask = os.umask(0)
    try:
        await home.save(TOKEN)
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o600
    with open(home.path) as before:  # noqa: ASYNC230
        await home.save(replace(TOKEN, access="other"))
        assert "access 1" in before.read(), "who reads meanwhile has the one before, all of it"
    assert [path.name for path in home.path.parent.iterdir()] == ["name.json"]
    home.path.chmod(0o640)
    with pytest.raises(SignInRequired, match="chmod 600"):
        await home.load()


async def test_a_damaged_file_asks_for_a_new_sign_in(tmp_path: Path) -> None:
    home = TokenFile(tmp_path / "name.json")
    await home.save(TOKEN)
    home.path.write_text(home.path.read_text()[:20])
    with pytest.raises(SignInRequired, match="damaged"):
        await home.load()


# --- renewing --------------------------------------------------------------------------------------------------------


async def test_nobody_is_signed_in(home: TokenHome) -> None:
    with pytest.raises(SignInRequired, match="cloudfs login name"):
        await Bearer("name", home, never).token()


async def test_a_good_token_is_not_renewed(home: TokenHome) -> None:
    await home.save(TOKEN)
    assert await Bearer("name", home, never, lambda: NOW).token() == "access 1"


async def test_renewed_before_the_end_once_for_all_who_ask(home: TokenHome) -> None:
    await home.save(TOKEN)
    provider = Provider()
    ours = bearer(home, provider, NOW + 3400)
    found: list[str] = []

    async def ask() -> None:
        found.append(await ours.token())

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(ask)
    assert (set(found), provider.asked) == ({"access 2"}, 1)


async def test_a_rotated_refresh_token_is_kept_before_anybody_uses_what_came_with_it(home: TokenHome) -> None:
    """Also if whoever asked is cancelled in the middle: the old one may be void."""
    await home.save(TOKEN)
    provider = Provider()
    ours = bearer(home, provider, NOW + 3400)
    with trio.CancelScope() as scope:
        scope.cancel()
        await ours.token()
    with trio.move_on_after(5):
        await ours.token()
    kept = await home.load()
    assert kept is not None
    assert kept.refresh == provider.good


async def test_several_drivers_of_one_account_take_turns(tmp_path: Path) -> None:
    """Who had to wait for the lock finds the work done."""
    path = tmp_path / "name.json"
    await TokenFile(path).save(TOKEN)
    provider = Provider()
    found: list[str] = []

    async def ask() -> None:
        found.append(await bearer(TokenFile(path), provider, NOW + 3400).token())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    assert (set(found), provider.asked) == ({"access 2"}, 1)


def test_the_lock_is_that_of_the_machine_and_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "name.json"
    script = (
        "import sys, trio\nfrom pathlib import Path\nfrom cloudfs.auth.token_file import TokenFile\n"
        "async def hold():\n    async with TokenFile(Path(sys.argv[1])).locked():\n"
        "        print('held', flush=True)\n        await trio.sleep_forever()\ntrio.run(hold)\n"
    )

    async def lock(seconds: float) -> bool:
        with trio.move_on_after(seconds) as scope:
            async with TokenFile(path).locked():
                pass
        return not scope.cancelled_caught

    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert not trio.run(lock, 0.2)
        other.kill()
    assert trio.run(lock, 10.0)


async def test_a_provider_that_is_away_is_no_reason_to_stop_while_the_token_lasts(home: TokenHome) -> None:
    await home.save(TOKEN)
    provider = Provider()
    provider.away = True
    assert await bearer(home, provider, NOW + 3400).token() == "access 1"
    with pytest.raises(Unavailable):
        await bearer(home, provider, NOW + 3601).token()
    with pytest.raises(Unavailable):
        await bearer(home, provider).token(refused="access 1")


async def test_a_sign_in_that_has_ended_is_not_asked_for_again_and_a_new_one_is_noticed(home: TokenHome) -> None:
    await home.save(replace(TOKEN, refresh="refresh 0"))
    provider = Provider()
    ours = bearer(home, provider, NOW + 3400)
    for _ in range(3):
        with pytest.raises(SignInRequired, match="cloudfs login name"):
            await ours.token()
    assert provider.asked == 1
    async with home.locked():
        await home.save(replace(TOKEN, access="access 9", refresh="refresh 9", expires_at=NOW + 9000))
    assert await ours.token() == "access 9"
