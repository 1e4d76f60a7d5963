"""Opens a store at hubiC: a Swift account that somebody else's sign-in leads to."""

from __future__ import annotations

import random
import time

import trio

from cloudfs.auth.bearer import Bearer
from cloudfs.auth.homes import token_home
from cloudfs.auth.hubic import HubicAccount, Quota, application
from cloudfs.auth.oauth2 import OAuth2
from cloudfs.auth.secrets import load_secret
from cloudfs.auth.storage import Access
from cloudfs.config import Remote
from cloudfs.errors import AccessDenied, SignInRequired, Unavailable
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.pacer import Pacer
from cloudfs.http.tls import tls_context
from cloudfs.stores.base import Usage
from cloudfs.stores.swift.account import SwiftAccount, refused
from cloudfs.stores.swift.opening import open_container
from cloudfs.stores.swift.store import SwiftStore

_REFUSALS = (401, 403)
"""Clients saw both for a token that had ended."""

_BEARABLE = (Unavailable, SignInRequired)


async def open_hubic(remote: Remote, path: str) -> SwiftStore:
    """The store of ``NAME:container/prefix``. Raises `UsageError`; `SignInRequired` if nobody ever signed in.

    A sign-in that has ended does not keep a mount from starting: another one repairs it while it runs.
    """
    if await token_home(remote).load() is None:
        raise SignInRequired(f"nobody is signed in; run: cloudfs login {remote.name}")
    account, calls = await _account(remote)

    async def space() -> Usage:
        return _usage(await account.usage())

    segment_size = remote.number("segment_size")
    return await open_container(remote.name, account, calls, path, segment_size, space, _REFUSALS, _BEARABLE)


async def try_hubic(remote: Remote) -> Usage:
    """Sign in, look at the storage, and ask what is used. Raises `CloudfsError` if anything of that fails."""
    account, calls = await _account(remote)
    storage = SwiftAccount(account, calls, _REFUSALS)
    try:
        answer = await storage.send("HEAD", "")
        if not answer.succeeded:
            raise refused("account", answer)
        try:
            return _usage(await account.usage())
        except AccessDenied:  # its owner need not let us know the quota
            return Usage(int(answer.headers.get("x-account-bytes-used") or 0))
    finally:
        await storage.aclose()


class Doorway:
    """The way into the storage, for other programs. ``calls`` is closed with it."""

    def __init__(self, account: HubicAccount, calls: Calls) -> None:
        self._account = account
        self._storage = SwiftAccount(account, calls, _REFUSALS)

    async def access(self) -> tuple[Access, float]:
        """An address and a token that the storage has just taken, and for how many seconds it is good at most.

        Raises `StoreError`. A provider that ends tokens before their time would else make a client sign in again and
        again, always with the same one.
        """
        answer = await self._storage.send("HEAD", "")
        if not answer.succeeded:
            raise refused("the storage", answer)
        return await self._account.access(), self._account.remaining

    async def aclose(self) -> None:
        await self._storage.aclose()


async def open_doorway(remote: Remote) -> Doorway:
    """For the sign-in of a remote. Raises `UsageError` if the application is not configured."""
    return Doorway(*await _account(remote))


async def whose(remote: Remote) -> str:
    """Whose account it is, if that may be known. `AccessDenied` if the sign-in does not lead to the storage."""
    account, calls = await _account(remote)
    try:
        await account.access()
        return await account.email()
    finally:
        await calls.aclose()


async def _account(remote: Remote) -> tuple[HubicAccount, Calls]:
    client = HttpClient(await trio.to_thread.run_sync(tls_context))
    pacer = Pacer(max(1, remote.number("connections")), time.time, random.random)
    calls = Calls(client, pacer, time.time, random.random)
    return await hubic_account(remote, client, calls), calls


async def hubic_account(remote: Remote, client: HttpClient, calls: Calls) -> HubicAccount:
    """The way into the account of the stored sign-in. Raises `UsageError` if the application is not configured."""
    oauth = OAuth2(application(remote, await load_secret(remote, "client_secret")), client)
    bearer = Bearer(remote.name, token_home(remote), oauth.renew)
    return HubicAccount(remote.name, remote.text("api_url"), bearer, calls, time.time)


def _usage(quota: Quota) -> Usage:
    return Usage(quota.used, quota.total, max(0, quota.total - quota.used) if quota.total is not None else None)
