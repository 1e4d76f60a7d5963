"""Which volume of Ubuntu One, and which directory of it, a mount means."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable

import trio

from cloudfs.auth.homes import token_home
from cloudfs.auth.oauth1 import Credentials, Signer
from cloudfs.auth.ubuntuone import configured, stored
from cloudfs.config import Remote
from cloudfs.errors import SignInRequired, Unavailable
from cloudfs.http.calls import Calls
from cloudfs.http.client import HttpClient
from cloudfs.http.message import split_url
from cloudfs.http.pacer import Pacer
from cloudfs.http.tls import tls_context
from cloudfs.stores.ubuntuone.api import UbuntuOneApi
from cloudfs.stores.ubuntuone.store import UbuntuOneStore

ROOT_VOLUME = "~/Ubuntu One"
_PATIENCE = 20.0
"""Seconds to make the directory. Without an answer the mount starts all the same, with what it knows."""
_log = logging.getLogger(__name__)


async def open_ubuntuone(remote: Remote, path: str) -> UbuntuOneStore:
    """The store of ``NAME:path``, with its directory made if it is missing.

    Raises `UsageError`; `SignInRequired` if nobody ever signed in. A token that was revoked does not keep a mount from
    starting: another one repairs it while it runs.
    """
    volume, root = split_volume(path)

    async def load() -> Credentials:
        found = await trio.to_thread.run_sync(configured, remote)
        return found or await stored(remote, token_home(remote))

    await load()
    store = UbuntuOneStore(await open_api(remote, volume, load), root)
    try:
        with trio.fail_after(_PATIENCE):
            await store.prepare()
    except (Unavailable, SignInRequired, trio.TooSlowError) as error:
        _log.warning("%s: the provider does not let us in yet (%s)", remote.name, error or "it takes too long")
    except BaseException:
        await store.aclose()
        raise
    return store


async def open_api(remote: Remote, volume: str, load: Callable[[], Awaitable[Credentials]]) -> UbuntuOneApi:
    """The API for one volume of the account that ``load`` gives the keys of. Raises `UsageError`."""
    api, content = remote.text("api_url"), remote.text("content_url")
    signer = Signer(load, remote.text("signature"), [split_url(api)[0], split_url(content)[0]], time.time)
    client = HttpClient(await trio.to_thread.run_sync(tls_context), sign=signer.sign)
    pacer = Pacer(max(1, remote.number("connections")), time.time, random.random)
    by_login = remote.kind.needs_sign_in(remote.settings)
    advice = f"run: cloudfs login {remote.name}" if by_login else f"change oauth in [remote.{remote.name}]"
    return UbuntuOneApi(api, content, volume, Calls(client, pacer, time.time, random.random), signer, advice)


def split_volume(path: str) -> tuple[str, str]:
    """Volume and path in it: ``~/Photos/2012`` is in the cloud folder ``~/Photos``, all else in the root volume."""
    if not path.startswith("~/"):
        return ROOT_VOLUME, path.strip("/")
    name, _, root = path.removeprefix("~/").partition("/")
    return f"~/{name}", root.strip("/")
