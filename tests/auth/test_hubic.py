from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trio

from cloudfs.auth.bearer import Bearer
from cloudfs.auth.hubic import HubicAccount, Quota, application
from cloudfs.auth.oauth2 import OAuth2
from cloudfs.auth.token_file import TokenFile
from cloudfs.auth.tokens import Token
from cloudfs.config import Remote
from cloudfs.errors import AccessDenied, BrokenAnswer, SignInRequired, Unavailable, UsageError
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.message import Request as Asked
from cloudfs.http.pacer import Pacer
from cloudfs.settings.secret import Secret
from tests.emulators.hubic.accounts import CLIENT_ID, CLIENT_SECRET, LOGIN, PASSWORD, Accounts
from tests.emulators.hubic.api import Api
from tests.emulators.serving import serve
from tests.emulators.trouble import Order, Trouble

START = 1_800_000_000.0


@dataclass
class World:
    """One account at the emulator, and a clock for both sides."""

    accounts: Accounts
    trouble: Trouble
    account: HubicAccount
    oauth: OAuth2
    home: TokenFile
    client: HttpClient
    clock: list[float]

    def wait(self, seconds: float) -> None:
        self.clock[0] += seconds

    def asked(self, what: str) -> int:
        return self.trouble.requests[what]

    async def sign_in(self) -> Token:
        """As a person does it: open the page, agree, paste where the browser ends."""
        begun = self.oauth.begin()
        page = await self.client.send(Asked("GET", begun.page))
        number = page.body.decode().partition('name="oauth" value="')[2].partition('"')[0]
        scopes = "&".join(f"{each}=r" for each in ("usage", "account", "credentials"))
        form = f"oauth={number}&action=accepted&login={LOGIN}&user_pwd={PASSWORD}&{scopes}".replace(" ", "+")
        agreed = await self.client.send(Asked("POST", begun.page.partition("?")[0], body=form.encode()))
        token = await self.oauth.finish(begun, agreed.headers["location"])
        await self.home.save(token)
        return token


@pytest.fixture
async def world(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[World]:
    clock = [START]
    trouble, accounts = Trouble(), Accounts(lambda: clock[0])
    api = Api(accounts, random.Random(1), 1, auto_accept=False)
    handler = trouble.around(api.answer, lambda request: f"{request.method} {request.path.strip('/').split('/')[-1]}")
    url = f"http://127.0.0.1:{await nursery.start(serve, handler)}"
    client = HttpClient()
    remote = Remote("hubic", "hubic", {"client_id": CLIENT_ID, "api_url": url})
    oauth = OAuth2(application(remote, Secret(CLIENT_SECRET)), client, lambda: clock[0])
    home = TokenFile(tmp_path / "token")
    bearer = Bearer("hubic", home, oauth.renew, lambda: clock[0])
    calls = Calls(client, Pacer(4, trio.current_time, lambda: 0.0), trio.current_time, lambda: 0.0, patience=0.5)
    account = HubicAccount("hubic", url, bearer, calls, lambda: clock[0])
    yield World(accounts, trouble, account, oauth, home, client, clock)
    await client.aclose()


async def test_nobody_is_signed_in(world: World) -> None:
    with pytest.raises(SignInRequired, match="run: cloudfs login hubic"):
        await world.account.access()


async def test_signing_in_in_any_browser(world: World) -> None:
    token = await world.sign_in()
    assert token.expires_at == START + 21600
    access = await world.account.access()
    assert access.url.endswith("/v1/AUTH_" + "0123456789abcdef" * 2)
    assert world.accounts.opens(access.token, "127.0.0.1")
    assert access.token not in repr(access)


async def test_the_page_asks_for_what_is_needed(world: World) -> None:
    query = parse_qs(urlsplit(world.oauth.begin().page).query)
    assert query["scope"] == ["usage.r,account.r,credentials.r"]
    assert query["redirect_uri"] == ["http://localhost:53682/"]


async def test_a_refusal_on_the_page_is_told(world: World) -> None:
    with pytest.raises(UsageError, match="the user refused"):
        await world.oauth.finish(
            world.oauth.begin(), "http://localhost:53682/?error=x&error_description=the+user+refused"
        )


async def test_a_wrong_secret_of_the_application(world: World) -> None:
    token = await world.sign_in()
    wrong = OAuth2(replace(world.oauth.application, secret="wrong"), world.client)
    with pytest.raises(SignInRequired, match="wrong secret"):
        await wrong.renew(token)


async def test_one_token_serves_all_until_shortly_before_its_end(world: World) -> None:
    await world.sign_in()
    found = []

    async def ask() -> None:
        found.append(await world.account.access())

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    world.wait(86400 - 301)
    found.append(await world.account.access())
    assert (len(set(found)), world.asked("GET credentials")) == (1, 1)
    world.wait(2)
    world.accounts.swift.clear()
    assert await world.account.access() not in found
    assert (world.asked("GET credentials"), world.asked("POST token")) == (2, 2), "that of OAuth2 had ended as well"


async def test_a_refused_token_is_replaced_at_once(world: World) -> None:
    await world.sign_in()
    first = await world.account.access()
    world.accounts.expire("swift")
    second = await world.account.access(refused=first.token)
    assert second.token != first.token
    assert world.accounts.opens(second.token, "127.0.0.1")
    assert await world.account.access(refused=first.token) == second


async def test_address_and_token_change_together(world: World) -> None:
    await world.sign_in()
    first = await world.account.access()
    world.accounts.settings.host = "localhost"
    second = await world.account.access(refused=first.token)
    assert second.url == first.url.replace("127.0.0.1", "localhost")
    assert world.accounts.opens(second.token, "localhost")


async def test_both_layers_end_in_the_same_moment(world: World) -> None:
    await world.sign_in()
    first = await world.account.access()
    world.accounts.expire("access")
    world.accounts.expire("swift")
    second = await world.account.access(refused=first.token)
    assert world.accounts.opens(second.token, "127.0.0.1")
    kept = await world.home.load()
    assert kept is not None
    assert kept.refresh == world.accounts.refresh, "an answer without a refresh token leaves the old one as it is"


async def test_a_token_that_stays_refused_is_not_asked_for_for_ever(world: World) -> None:
    await world.sign_in()
    first = await world.account.access()
    world.accounts.settings.same_token = True
    with pytest.raises(Unavailable, match="its own storage does not accept"):
        await world.account.access(refused=first.token)
    assert world.asked("GET credentials") == 2


async def test_the_sign_in_was_revoked(world: World) -> None:
    await world.sign_in()
    first = await world.account.access()
    world.accounts.expire("refresh")
    world.accounts.expire("swift")
    with pytest.raises(SignInRequired, match="run: cloudfs login hubic"):
        await world.account.access(refused=first.token)
    await world.sign_in()
    assert (await world.account.access(refused=first.token)).token != first.token


async def test_while_the_provider_is_away_a_valid_token_goes_on(world: World) -> None:
    await world.sign_in()
    first = await world.account.access()
    world.wait(86400 - 200)
    world.trouble.orders.append(Order("answer", "credentials|token", times=99, status=502))
    assert await world.account.access() == first
    world.wait(200)
    with pytest.raises(Unavailable):
        await world.account.access()


async def test_a_question_that_fails_is_asked_again(world: World) -> None:
    await world.sign_in()
    world.trouble.orders.append(Order("answer", "credentials", times=1, status=500))
    world.trouble.orders.append(Order("lose", "credentials", times=1))
    assert (await world.account.access()).token


@pytest.mark.parametrize(
    "body", [None, [], {"token": "x"}, {"endpoint": "http://x/v1/A"}, {"token": 7, "endpoint": "http://x/v1/A"}]
)
async def test_an_answer_without_sense(world: World, body: object) -> None:
    await world.sign_in()
    world.trouble.orders.append(Order("answer", "credentials", status=200, body=body))
    with pytest.raises(BrokenAnswer):
        await world.account.access()


@pytest.mark.parametrize("expires", ["", "2017-06-12T11:10:23", "soon", "2017-06-12T11:10:23+02:00"])
async def test_an_end_that_is_no_moment(world: World, expires: str) -> None:
    await world.sign_in()
    body = {"token": "t", "endpoint": "http://x/v1/A/", "expires": expires}
    world.trouble.orders.append(Order("answer", "credentials", status=200, body=body))
    assert (await world.account.access()).url == "http://x/v1/A"
    world.wait(3599)
    assert (await world.account.access()).token != "t"


async def test_what_is_used(world: World) -> None:
    await world.sign_in()
    world.accounts.settings.used = 7
    assert await world.account.usage() == Quota(7, 25_000_000_000)


async def test_a_scope_that_was_refused(world: World) -> None:
    world.accounts.settings.scope = "credentials.r"
    await world.sign_in()
    assert (await world.account.access()).token
    with pytest.raises(AccessDenied, match="does not allow to ask for usage"):
        await world.account.usage()
