"""Signing in to Ubuntu One: by e-mail and password at Ubuntu SSO, or with a token that u1sync had."""

from __future__ import annotations

import random
import socket
import time

import trio

from cloudfs.auth.oauth1 import Credentials
from cloudfs.auth.tokens import Token
from cloudfs.auth.ubuntuone import OneTimePasswordNeeded, UbuntuSso, as_token, configured, pasted
from cloudfs.config import Remote
from cloudfs.daemon.person import Person, asked
from cloudfs.errors import UsageError
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.pacer import Pacer
from cloudfs.settings.secret import Secret
from cloudfs.stores.ubuntuone.account import introduce


async def obtain_token(remote: Remote, person: Person, client: HttpClient, *, paste: bool) -> Token:
    """A token that the file service takes. ``client`` stays its owner's. Raises `CloudfsError`."""
    if await trio.to_thread.run_sync(configured, remote) is not None:
        raise UsageError(f"{remote.name}: the configuration has a token (oauth), so nobody has to sign in")
    if paste:
        token = await asked(person, "TOKEN:SECRET, as u1sync --oauth took it", secret=True)
        credentials, email = await trio.to_thread.run_sync(pasted, remote, Secret(token.strip())), ""
    else:
        email = (await asked(person, "E-mail")).strip()
        credentials = await _by_password(remote, person, client, email)
    owner = await introduce(remote, credentials, email)
    return as_token(credentials, email or owner)


async def _by_password(remote: Remote, person: Person, client: HttpClient, email: str) -> Credentials:
    pacer = Pacer(1, time.time, random.random)
    sso = UbuntuSso(remote.text("sso_url"), Calls(client, pacer, time.time, random.random), socket.gethostname())
    password = Secret(await asked(person, "Password", secret=True))
    try:
        return await sso.sign_in(email, password)
    except OneTimePasswordNeeded:
        otp = await asked(person, "One-time password")
        return await sso.sign_in(email, password, otp.strip())
