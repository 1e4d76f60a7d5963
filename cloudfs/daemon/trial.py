"""Whether a remote works: asked once, with nothing mounted and nothing changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import trio

from cloudfs.config import Config, Remote, resolve_source
from cloudfs.daemon.stores import open_store
from cloudfs.errors import Unavailable
from cloudfs.stores.base import Usage
from cloudfs.stores.swift.hubic import try_hubic
from cloudfs.stores.swift.opening import try_swift

_SECONDS = 60.0


def try_remote(remote: Remote) -> Usage:
    """Sign in and ask for the space that is used. Raises `CloudfsError` with the reason if that does not work."""
    return trio.run(_try, remote)


async def _try(remote: Remote) -> Usage:
    try:
        with trio.fail_after(_SECONDS):
            return await _TRIALS.get(remote.type, _open_and_ask)(remote)
    except trio.TooSlowError:
        raise Unavailable(f"{remote.name}: no answer within {_SECONDS:g} s") from None


async def _open_and_ask(remote: Remote) -> Usage:
    """For types that open without making anything."""
    store = await open_store(resolve_source(f"{remote.name}:/", Config(None, {remote.name: remote})))
    try:
        return await store.usage()
    finally:
        with trio.CancelScope(shield=True):
            await store.aclose()


_TRIALS: Mapping[str, Callable[[Remote], Awaitable[Usage]]] = {"swift": try_swift, "hubic": try_hubic}
