"""Signing in and out of a remote, whatever its provider: what ``cloudfs login`` and ``cloudfs logout`` do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import trio

from cloudfs.auth.homes import pause_path, token_home
from cloudfs.auth.hubic import application as hubic
from cloudfs.auth.microsoft import application as microsoft
from cloudfs.auth.microsoft import prefers_device_code
from cloudfs.auth.oauth2 import Application, DeviceCodeRefused, OAuth2
from cloudfs.auth.secrets import require_secret
from cloudfs.auth.tokens import Token, TokenHome
from cloudfs.config import Remote
from cloudfs.daemon.person import Person as Person
from cloudfs.daemon.person import asked
from cloudfs.daemon.signing_in_ubuntuone import obtain_token
from cloudfs.errors import SignInRequired, UsageError
from cloudfs.http.client import HttpClient
from cloudfs.http.tls import tls_context
from cloudfs.stores.onedrive.account import DriveChoice as DriveChoice
from cloudfs.stores.onedrive.account import account_name, drives
from cloudfs.stores.onedrive.opening import open_graph
from cloudfs.stores.swift.hubic import whose as whose_at_hubic


@dataclass(frozen=True, slots=True)
class Wish:
    """How to sign in. ``device`` is None for whichever is likely to work; ``token``: with one that is there already."""

    device: bool | None = None
    token: bool = False


def sign_in(remote: Remote, person: Person, wish: Wish) -> str:
    """Sign in, keep what comes of it, and return whose account it is. Raises `CloudfsError`."""
    _require(remote)
    if wish.token and remote.type != "ubuntuone":
        raise UsageError(f"{remote.name} is of type {remote.type}, where there are no tokens to paste")
    return trio.run(_sign_in, remote, person, wish)


def sign_out(remote: Remote) -> None:
    """Forget the sign-in of a remote; none is fine."""
    _require(remote)
    trio.run(_sign_out, remote)


def is_signed_in(remote: Remote) -> bool:
    """Whether anybody is; the provider is not asked what it thinks of it."""
    _require(remote)
    return trio.run(token_home(remote).load) is not None


def known_drives(remote: Remote) -> Sequence[DriveChoice]:
    """The drives that the account can use. Raises `CloudfsError`."""
    if remote.type != "onedrive":
        raise UsageError(f"{remote.name} is of type {remote.type}, which has no drives to choose from")
    return trio.run(_drives, remote)


def choose_drive(remote: Remote, drive: str) -> DriveChoice:
    """Use another drive from the next mount on; nobody has to sign in for that. Raises `CloudfsError`."""
    found = next((choice for choice in known_drives(remote) if choice.id.lower() == drive.lower()), None)
    if found is None:
        raise UsageError(f"the account has no drive {drive}; see which there are: cloudfs login {remote.name} --drives")
    trio.run(_remember, remote, {"drive": found.id})
    return found


def _require(remote: Remote) -> None:
    if not remote.kind.sign_in:
        raise UsageError(f"{remote.name} is of type {remote.type}, where nobody signs in")


async def _sign_in(remote: Remote, person: Person, wish: Wish) -> str:
    client = HttpClient(await trio.to_thread.run_sync(tls_context))
    try:
        if remote.type == "ubuntuone":
            token = await obtain_token(remote, person, client, paste=wish.token)
        else:
            oauth = OAuth2(await trio.to_thread.run_sync(_application, remote), client)
            token = await _obtain(remote, oauth, person, wish)
        home = token_home(remote)
        async with home.locked():
            await home.save(replace(token, facts={**await _facts(home), **token.facts}))
    finally:
        await client.aclose()
    return await _whose(remote, token)


def _application(remote: Remote) -> Application:
    return microsoft(remote) if remote.type == "onedrive" else hubic(remote, require_secret(remote, "client_secret"))


async def _facts(home: TokenHome) -> Mapping[str, str]:
    """What was chosen with an earlier sign-in holds for the next one."""
    try:
        old = await home.load()
    except SignInRequired:
        return {}
    return old.facts if old else {}


async def _obtain(remote: Remote, oauth: OAuth2, person: Person, wish: Wish) -> Token:
    by_device = bool(oauth.application.device_url) and prefers_device_code(remote)
    if by_device if wish.device is None else wish.device:
        try:
            return await _by_device(oauth, person)
        except DeviceCodeRefused as error:
            if wish.device:
                raise
            person.tell(f"There is no code for this account ({error}), so it takes a browser and a bit of copying.")
    return await _by_paste(oauth, person)


async def _by_device(oauth: OAuth2, person: Person) -> Token:
    device = await oauth.begin_device()
    person.tell(f"On any machine, open {device.page} and enter the code {device.user_code}")
    return await oauth.finish_device(device)


async def _by_paste(oauth: OAuth2, person: Person) -> Token:
    begun = oauth.begin()
    person.tell(f"On any machine, open this page and sign in:\n\n{begun.page}\n")
    person.tell("In the end the browser shows a page that is empty, or an error. Copy its address, and paste it here.")
    return await oauth.finish(begun, await asked(person, "Address"))


async def _whose(remote: Remote, token: Token) -> str:
    if remote.type == "hubic":
        return await whose_at_hubic(remote)
    if remote.type == "ubuntuone":
        return token.facts.get("account", "")
    graph = await open_graph(remote)
    try:
        return await account_name(graph)
    finally:
        await graph.aclose()


async def _sign_out(remote: Remote) -> None:
    home = token_home(remote)
    async with home.locked():
        await home.erase()
    pause_path(remote).unlink(missing_ok=True)


async def _drives(remote: Remote) -> Sequence[DriveChoice]:
    graph = await open_graph(remote)
    try:
        return await drives(graph)
    finally:
        await graph.aclose()


async def _remember(remote: Remote, facts: dict[str, str]) -> None:
    home = token_home(remote)
    async with home.locked():
        token = await home.load()
        if token is not None:
            await home.save(replace(token, facts={**token.facts, **facts}))
