"""Whether a remote works: asked once, with nothing mounted and nothing changed."""

from __future__ import annotations

import trio

from cloudfs.config import Config, Remote, resolve_source
from cloudfs.daemon.stores import open_store
from cloudfs.errors import Unavailable
from cloudfs.stores.base import Usage

_SECONDS = 60.0


def try_remote(remote: Remote) -> Usage:
    """Sign in and ask for the space that is used. Raises `CloudfsError` with the reason if that does not work."""
    return trio.run(_try, remote)


async def _try(remote: Remote) -> Usage:
    source = resolve_source(f"{remote.name}:/", Config(None, {remote.name: remote}))
    try:
        with trio.fail_after(_SECONDS):
            store = await open_store(source)
            try:
                return await store.usage()
            finally:
                with trio.CancelScope(shield=True):
                    await store.aclose()
    except trio.TooSlowError:
        raise Unavailable(f"no answer within {_SECONDS:g} s") from None
